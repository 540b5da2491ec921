"""`train` and `adapt` on tiny models: what is written, what is reused, what is refused, and when it helped."""

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.adapters import check_base
from sparseembed.embedders.sources import weights_fingerprint
from sparseembed.errors import ConfigError, DataError, EmbedderError
from sparseembed.pseudo.pairs import Pair, Source
from sparseembed.training.run import adapt, hold_out, train

FILES = ["README.md", "adapter_config.json", "adapter_model.safetensors", "curve.svg", "training.json"]
SMALL = {"steps": 3, "objectives": ("dense",)}


def words(rng, count):
    # 26^4 words: no two texts are alike by chance.
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=4)) for _ in range(count))


@pytest.fixture(scope="module")
def shuffled():
    """A corpus of random words, whose titles have nothing to do with its texts."""
    rng = random.Random(0)
    documents = []
    for number in range(110):
        sentences = " ".join(words(rng, 7).capitalize() + "." for _ in range(3))
        documents.append(Document(f"d{number}", words(rng, 3).capitalize(), sentences))
    return Corpus(documents, "shuffled")


def bytes_of(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def error_of(kind, function, *arguments, **more):
    with pytest.raises(kind) as caught:
        function(*arguments, **more)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_train_writes_an_adapter_that_helps_on_what_can_be_learned(tiny_embedder, learnable, recipe, tmp_path):
    source = Source("nouns", tuple(learnable(300)))
    learns = recipe.with_changes(objectives=("dense",), steps=30, batch=16, learning_rate=0.03)
    out = tmp_path / "adapters" / "nouns"
    made = train([source], tiny_embedder("tied"), out, learns, held_out=30)
    assert (made.path, made.reused, made.helped) == (out, False, True)
    assert sorted(file.name for file in out.iterdir()) == FILES
    assert [file.name for file in out.parent.iterdir()] == ["nouns"]  # the checkpoint is gone
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in out.iterdir())
    about = json.loads((out / "training.json").read_text())
    assert about == made.about
    gain = about["check"]["mrr"]["dense"]
    assert gain["after"] > gain["before"] + 0.1
    assert about["check"]["queries"] == about["about"]["held_out"] == 30
    adapted = tiny_embedder("tied", adapters=(str(out),)).encode(["cat"])
    assert np.abs(adapted - tiny_embedder("tied").encode(["cat"])).max() > 0.01


def test_the_same_again_is_reused_and_another_is_refused_until_restarted(tiny_embedder, source, recipe, tmp_path):
    small, embedder, out = recipe.with_changes(**SMALL), tiny_embedder("tied"), tmp_path / "a"
    first = train([source], embedder, out, small, held_out=10)
    before = bytes_of(out)
    again = train([source], tiny_embedder("tied"), out, small, held_out=10)
    assert (again.reused, again.about) == (True, first.about)
    assert bytes_of(out) == before
    fewer = Source(source.name, source.pairs[:-1])
    for sources, base, changed in (
        ([fewer], embedder, small),
        ([source], tiny_embedder("untied"), small),
        ([source], embedder, small.with_changes(seed=1)),
    ):
        message = error_of(ConfigError, train, sources, base, out, changed, held_out=10)
        assert f"{out} holds an adapter of another recipe, corpus or base model: pass --restart" in message
        assert bytes_of(out) == before
    changed = train([source], embedder, out, small.with_changes(seed=1), held_out=10, restart=True)
    assert not changed.reused
    assert bytes_of(out)["adapter_model.safetensors"] != before["adapter_model.safetensors"]
    back = train([source], embedder, out, small, held_out=10, restart=True)
    assert bytes_of(out) == before
    assert back.about == first.about


def test_a_folder_of_something_else_is_left_alone(tiny_embedder, source, recipe, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("more")
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "training.json").write_text("[]")
    for name in ("mine", "file", "list"):
        for restart in (False, True):
            message = error_of(
                ConfigError,
                train,
                [source],
                tiny_embedder("tied"),
                tmp_path / name,
                recipe,
                held_out=9,
                restart=restart,
            )
            assert f"{tmp_path / name} exists and is no adapter of ours: choose another folder" in message
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_is_filled(tiny_embedder, source, recipe, tmp_path):
    (tmp_path / "empty").mkdir()
    train([source], tiny_embedder("tied"), tmp_path / "empty", recipe.with_changes(**SMALL), held_out=10)
    assert sorted(file.name for file in (tmp_path / "empty").iterdir()) == FILES


def test_adapt_says_that_it_did_not_help_where_there_is_nothing_to_learn(shuffled, tiny_embedder, recipe, tmp_path):
    recipe = recipe.with_changes(objectives=("dense", "aligned"), steps=6)
    made = adapt(shuffled, tiny_embedder("tied"), tmp_path / "s", recipe, held_out=20)
    assert not made.helped
    assert sorted(file.name for file in (tmp_path / "s").iterdir()) == FILES
    assert made.about["kind"] == "corpus"
    assert made.about["about"]["data"] == "shuffled, 110 documents"
    assert {source["name"] for source in made.about["about"]["sources"]} == {"title", "sentence", "keyphrases"}
    assert "did not help beyond doubt" in (tmp_path / "s" / "README.md").read_text()


def test_a_corpus_without_pseudo_queries_is_one_line(tiny_embedder, recipe, tmp_path):
    for texts in (["one"], ["all are the same text, word by word, and that is no corpus to learn from"] * 300):
        corpus = Corpus([Document(f"d{n}", "", text) for n, text in enumerate(texts)], "few")
        message = error_of(DataError, adapt, corpus, tiny_embedder("tied"), tmp_path / "a", recipe)
        assert "corpus few: too few pseudo-queries to train on" in message
    assert list(tmp_path.iterdir()) == []


PAIRS = st.lists(
    st.builds(Pair, st.sampled_from("abcdefgh"), st.sampled_from(["A", "x", "y y", "Y  y", "z", "c", "q"])),
    min_size=20,
    max_size=60,
)


@given(sources=st.lists(PAIRS, min_size=1, max_size=3), count=st.integers(2, 12))
def test_no_held_out_text_is_left_in_training(sources, count):
    named = [Source(f"s{number}", tuple(pairs)) for number, pairs in enumerate(sources)]
    try:
        kept, aside = hold_out(named, count)
    except DataError:
        return
    folded = [{" ".join(text.split()).casefold() for text in (pair.query, pair.positive)} for pair in aside]
    training = {" ".join(text.split()).casefold() for each in kept for pair in each.pairs for text in pair if text}
    assert all(texts.isdisjoint(training) for texts in folded)
    assert all(one.isdisjoint(other) for place, one in enumerate(folded) for other in folded[:place])
    assert 2 <= len(aside) <= count
    given_pairs = {pair for pairs in sources for pair in pairs}
    assert set(aside) <= given_pairs
    both = {pair[:2] for pair in given_pairs}
    assert all(pair in given_pairs or (pair[:2] in both and not pair.negative) for each in kept for pair in each.pairs)
    assert hold_out(named, count) == (kept, aside)


def test_a_held_out_text_is_no_negative_either():
    plain = [Pair(f"question {number}", f"answer {number}") for number in range(40)]
    pairs = [pair._replace(negative=f"ANSWER  {(number + 1) % 40}") for number, pair in enumerate(plain)]
    kept, aside = hold_out([Source("a", tuple(pairs))], 4)
    hidden = {pair.positive for pair in aside}
    negatives = {pair.negative.replace("  ", " ").lower() for pair in kept[0].pairs if pair.negative}
    assert len(aside) == 4
    assert negatives
    assert not negatives & hidden
    assert sum(pair.negative is None for pair in kept[0].pairs) == 3  # the fourth is that of a held-out pair


def test_held_out_pairs_are_an_even_share_of_each_source():
    sources = [Source(f"s{n}", tuple(Pair(f"q{n} {i}", f"p{n} {i}") for i in range(100 * (n + 1)))) for n in range(3)]
    kept, aside = hold_out(sources, 60)
    assert [sum(pair.query.startswith(f"q{n}") for pair in aside) for n in range(3)] == [10, 20, 30]
    assert [len(source.pairs) for source in kept] == [90, 180, 270]
    few, at_most = hold_out(sources, 500)
    assert len(at_most) == 60  # a tenth
    assert sum(len(source.pairs) for source in few) == 540


def test_too_few_pairs_and_too_few_held_out_are_one_line():
    few = [Source("a", tuple(Pair(f"q{n}", f"p{n}") for n in range(9)))]
    assert "9 pairs are too few to train on and to check with" in error_of(DataError, hold_out, few, 200)
    same = [Source("a", (Pair("q", "p"),) * 50)]
    assert "50 pairs are too few" in error_of(DataError, hold_out, same, 200)
    for count in (-3, 0, 1):
        assert f"held out {count} pairs: hold out at least 2" in error_of(ConfigError, hold_out, few, count)


# Bases


@pytest.fixture
def adapter(tiny_embedder, source, recipe, tmp_path):
    """An adapter of the tied model, trained for three steps."""
    out = tmp_path / "adapter"
    train([source], tiny_embedder("tied"), out, recipe.with_changes(**SMALL), held_out=10)
    return out


def test_an_adapter_fits_no_other_weights_of_the_same_shape(adapter, tiny_model, tiny_embedder, model_copy):
    from safetensors.numpy import load_file, save_file

    moved = model_copy("tied")
    tiny_embedder(moved, adapters=(str(adapter),)).encode(["cat"])  # the same weights elsewhere
    weights = load_file(moved / "model.safetensors")
    weights["model.norm.weight"] += 1
    save_file(weights, moved / "model.safetensors", metadata={"format": "pt"})
    other = tiny_embedder(moved, adapters=(str(adapter),))
    for use in (other.identity, lambda: other.encode(["cat"])):
        message = error_of(EmbedderError, use)
        assert message.startswith(f"the adapter {adapter} was trained for other weights (tied) than the embedder's")
    # Without its training.json it is any PEFT adapter: whether it fits is the user's to know.
    (adapter / "training.json").unlink()
    tiny_embedder(moved, adapters=(str(adapter),)).encode(["cat"])


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"base": 3}', '{"base": {"embedder": {}}}'])
def test_a_training_json_that_names_no_base_refuses_nothing(tmp_path, text):
    (tmp_path / "training.json").write_text(text)
    check_base(tmp_path, "0" * 64)


def test_a_base_that_is_named_alone_is_enough(tmp_path, tiny_model):
    fingerprint = weights_fingerprint(tiny_model("tied"))
    (tmp_path / "training.json").write_text(json.dumps({"base": {"embedder": {"weights_fingerprint": fingerprint}}}))
    check_base(tmp_path, fingerprint)
    assert "trained for other weights than" in error_of(EmbedderError, check_base, tmp_path, "0" * 64)


def test_an_adapter_on_top_of_an_adapter(adapter, tiny_embedder, learnable, recipe, tmp_path):
    import torch

    base = tiny_embedder("tied", adapters=(str(adapter),))
    source = Source("nouns", tuple(learnable(100)))
    made = train([source], base, tmp_path / "second", recipe.with_changes(**SMALL), held_out=10)
    assert made.about["base"]["embedder"] == base.identity()
    assert "--adapter path/to/adapter --adapter path/to/second" in (made.path / "README.md").read_text()
    both = tiny_embedder("tied", adapters=(str(adapter), str(made.path)))
    one = tiny_embedder("tied", adapters=(str(made.path),))
    assert not torch.allclose(*(torch.from_numpy(each.encode(["cat"])) for each in (both, one)))
