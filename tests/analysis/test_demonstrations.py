"""The demonstrations, on vectors made by hand whose scores are known, on tiny models, and on the real one."""

import doctest
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparseembed import progress
from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Decoder, DecodingRows
from sparseembed.analysis.demonstrations import instructions, lens, relatedness
from sparseembed.analysis.demonstrations.demonstrate import demonstrate, section, widened
from sparseembed.analysis.demonstrations.instructions import follow, instruct, moved, standing, with_mask
from sparseembed.analysis.demonstrations.lens import Lens, open_lens, standard
from sparseembed.analysis.demonstrations.relatedness import contributions, reading, relate, relate_pair
from sparseembed.analysis.demonstrations.texts import (
    Demonstrations,
    Instruction,
    Pair,
    built_in,
    read_demonstrations,
)
from sparseembed.errors import ConfigError, DataError, EmbedderError
from sparseembed.sparse.pieces import PieceSpace

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "demonstrations.py"
LABELS = [" Cat", "cat", " dog", "sea", "river", "light"]
MATERIAL = Demonstrations(
    (
        Instruction("animal", "the animal", '"{text}" animal: "', ("cat", "whale", "unicorn")),
        Instruction("water", "the water", '"{text}" water: "', ("sea", "water")),
        Instruction("sky", "the sky", '"{text}" sky: "', ("zeppelin",)),
    ),
    ("the cat sat on the mat", "rivers carry sand to the sea", "a whale is no fish"),
    (Pair("paraphrase", "the cat sat", "a cat sat"), Pair("negation", "the cat sat", "the dog sat")),
)


@pytest.fixture
def eye():
    """A lens through which a vector's numbers are the scores of six terms, two of which are one word."""
    space = PieceSpace([str(row) for row in range(6)], LABELS, list(range(6)))
    return Lens(Decoder(DecodingRows(np.eye(6, dtype=np.float32), np.arange(6))), space, lambda vectors: vectors)


scores = arrays(np.float64, 12, elements=st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3)))


@given(scores, scores)
def test_contributions_add_up_to_the_correlation_of_the_scores(first, second):
    found = contributions(first, second)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert found.tolist() == [0.0] * 12
        return
    assert found.sum() == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-6)
    np.testing.assert_array_equal(found, contributions(second, first))
    np.testing.assert_allclose(contributions(3 * first + 7, second), found, atol=1e-6)


@given(scores)
def test_a_text_and_itself_have_contributions_that_add_up_to_one(first):
    found = contributions(first, first)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1.0 if np.ptp(first) else 0.0)


def test_scores_that_are_alike_but_for_rounding_contribute_nothing():
    assert contributions(np.full(7, 1e9 / 3), np.arange(7.0)).tolist() == [0.0] * 7
    assert standard(np.full((1, 7), 1e9 / 3)).tolist() == [[0.0] * 7]


def test_terms_of_one_word_are_shown_as_one(eye):
    assert eye.words == ["cat", "dog", "sea", "river", "light"]
    values = np.array([1.0, 5.0, 2.0, -1.0, 3.0, 0.0])
    assert eye.best(values).tolist() == [5.0, 2.0, -1.0, 3.0, 0.0]
    assert eye.sum(values).tolist() == [6.0, 2.0, -1.0, 3.0, 0.0]
    assert eye.tokens(values, 3, {"dog"}) == [
        {"token": "cat", "score": 5.0, "literal": False},
        {"token": "river", "score": 3.0, "literal": False},
        {"token": "dog", "score": 2.0, "literal": True},
    ]


def test_literal_words_are_the_texts_own(tiny_embedder):
    embedder = tiny_embedder()
    seen = open_lens(embedder, "token")
    assert {"cat", "sat", "the"} <= seen.literal("The cat sat", embedder.tokenizer)
    assert "whale" not in seen.literal("The cat sat", embedder.tokenizer)
    assert seen.literal("  ", embedder.tokenizer) == set()


def test_standing_is_the_mean_z_score_of_the_best_terms(eye):
    values = np.array([[0.0, 2.0, 4.0, 1.0, 2.0, 3.0]])
    z = (values[0] - 2) / values[0].std()
    assert standing(values, ["cat", "sea"], eye)[0] == pytest.approx((z[1] + z[3]) / 2)


@given(arrays(np.float64, (4, 3), elements=st.floats(-9, 9)), st.integers(0, 3))
def test_moving_equals_loops(standings, own):
    for text in range(3):
        others = [standings[row][text] for row in range(4) if row != own]
        assert moved(standings, own)[text] == pytest.approx(standings[own][text] - sum(others) / 3)


def test_an_instruction_that_raises_its_words_has_a_score_and_one_without_words_has_none(eye):
    asked = [
        Instruction("animal", prompt="{text}", words=("cat", "dog", "gnu")),
        Instruction("water", prompt="{text}", words=("sea",)),
        Instruction("beast", prompt="{text}", words=("gnu",)),
    ]
    vectors = {
        "animal": np.array([[3, 0, 3, 0, 0, 0], [0, 4, 2, 0, 0, 0]], dtype=np.float32),
        "water": np.array([[0, 0, 0, 5, 0, 1], [0, 0, 0, 1, 2, 0]], dtype=np.float32),
        "beast": np.array([[0, 0, 0, 0, 0, 6], [1, 0, 0, 0, 0, 6]], dtype=np.float32),
    }
    found = follow(asked, ["one", "two"], vectors, eye, [{"cat"}, set()])
    animal, water, beast = found["instructions"]

    def z(name, row, term):
        return (vectors[name][row][term] - vectors[name][row].mean()) / vectors[name][row].std()

    def cats_and_dogs(name, row):
        return (max(z(name, row, 0), z(name, row, 1)) + z(name, row, 2)) / 2

    expected = [
        cats_and_dogs("animal", row) - (cats_and_dogs("water", row) + cats_and_dogs("beast", row)) / 2 for row in (0, 1)
    ]
    assert animal["moved"] == pytest.approx(expected, rel=1e-5)
    assert animal["score"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert animal["low"] <= animal["score"] <= animal["high"]
    assert min(animal["score"], water["score"]) > 0
    assert (animal["words"], animal["missing"], beast["missing"]) == (["cat", "dog"], ["gnu"], ["gnu"])
    assert (beast["score"], beast["moved"]) == (None, [])
    assert water["standing"]["water"] > water["standing"]["animal"]
    tokens = found["texts"][0]["tokens"]["animal"]
    assert {each["token"]: (each["literal"], each["own"]) for each in tokens} == {
        "cat": (True, True),
        "dog": (False, True),
        "sea": (False, False),
        "river": (False, False),
        "light": (False, False),
    }
    assert found["texts"][1]["tokens"]["animal"][0]["token"] == "cat"


def test_tokens_that_both_texts_score_high_bring_them_together(eye):
    dense = np.array([[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]], dtype=np.float32)
    adjusted = np.array([[4, 2, 0, -3, -3, 0], [3, 0, -3, 3, -3, 0]], dtype=np.float32)
    found = relate_pair(dense, adjusted, eye, 5)
    product = adjusted[0] * adjusted[1] / np.linalg.norm(adjusted[0]) / np.linalg.norm(adjusted[1])  # means are 0
    assert found["vocabulary_cosine"] == pytest.approx(product.sum())
    assert found["dense_cosine"] == pytest.approx(2**-0.5)
    assert [each["token"] for each in found["together"]] == ["cat", "river"]
    assert [each["token"] for each in found["apart"]] == ["sea"]
    told = {each["token"]: each["share"] for each in found["together"] + found["apart"]}
    assert told == pytest.approx({"cat": product[0] + product[1], "river": product[4], "sea": product[3]})
    apart = found["apart"][0]
    assert apart["first"] < 0 < apart["second"]


def test_kinds_have_the_means_of_their_pairs_and_a_reading(eye):
    sentences = ["a", "b", "c"]
    vectors = np.array([[3, 0, 0, -1, 0, 0], [2, 0, 0, -1, 1, 0], [0, 0, 5, 0, 0, 1]], dtype=np.float32)
    pairs = [Pair("paraphrase", "a", "b"), Pair("paraphrase", "a", "c"), Pair("negation", "a", "a")]
    found = relate(pairs, sentences, vectors, vectors, eye)
    correlation = np.corrcoef(vectors)
    paraphrase, negation = found["kinds"]
    assert paraphrase["vocabulary_cosine"] == pytest.approx((correlation[0, 1] + correlation[0, 2]) / 2, abs=1e-6)
    assert (paraphrase["pairs"], negation["pairs"]) == (2, 1)
    assert negation["dense_cosine"] == pytest.approx(1)
    assert found["reading"].startswith("negations lie nearer")
    assert found["pairs"][1]["texts"] == ["a", "c"]
    swapped = [{**paraphrase, "kind": "negation"}, {**negation, "kind": "paraphrase"}]
    assert reading(swapped).startswith("paraphrases lie nearer")
    assert reading([negation]) == ""


@pytest.mark.parametrize("module", [instructions, lens, relatedness])
def test_the_examples_in_docstrings_hold(module):
    result = doctest.testmod(module, extraglobs={"np": np})
    assert (result.failed, result.attempted > 0) == (0, True)


def test_the_built_in_instructions_do_not_name_their_own_words():
    material = built_in()
    assert len(material.instructions) >= 4
    for each in material.instructions:
        assert len(each.words) >= 10
        asked = f"{each.task} {each.prompt}".lower()
        assert not [word for word in each.words if word in asked.split() or f"{word}." in asked]
    kinds = [pair.kind for pair in material.pairs]
    assert [kinds.count(kind) for kind in ("paraphrase", "negation", "related", "unrelated")] == [4] * 4
    assert len(material.sentences) == 20


def ask(**parts):
    return {"instructions": [{"name": "a", "task": "x"}, {"name": "b", "prompt": "{text}", **parts}], "texts": ["t"]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "must hold an object"),
        ('{"texts": ["a"]}', "must hold an object"),
        ('{"pairs": []}', "neither instructions nor pairs"),
        ('{"pairs": {}}', "pairs must be a list"),
        ('{"pairs": [{"kind": "a", "first": "b"}]}', "second of pair 1"),
        ('{"pairs": ["a"]}', "kind of pair 1"),
        ('{"pairs": [{"kind": "a", "first": "b", "second": " "}]}', "second of pair 1"),
        (json.dumps({**ask(), "texts": []}), "instructions without texts"),
        (json.dumps({**ask(), "texts": [3]}), "text 1"),
        (json.dumps(ask(prompt="no text")), "must hold {text} once"),
        (json.dumps(ask(task="{text}")), "must not hold {text}"),
        (json.dumps(ask(prompt="", task="")), "instruction 2: it needs a name"),
        (json.dumps(ask(prompt=7)), "prompt of instruction 2"),
        (json.dumps(ask(words="a")), "words must be a list"),
        (json.dumps(ask(words=[""])), "a word of instruction 2"),
        (json.dumps(ask(name="a")), "each of its own name"),
        ('{"instructions": [{"name": "a", "task": "b"}], "texts": ["t"]}', "two instructions at least"),
    ],
)
def test_material_with_a_mistake_is_refused_in_one_line(tmp_path, content, told):
    (tmp_path / "mine.json").write_text(content)
    with pytest.raises(DataError) as error:
        read_demonstrations(tmp_path / "mine.json")
    assert told in str(error.value)
    assert "mine.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_material_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_demonstrations(tmp_path / "none.json")


def test_an_instruction_is_the_task_where_there_is_one_and_the_prompt_elsewhere(tiny_embedder):
    asked = MATERIAL.instructions[0]
    bare = tiny_embedder()
    under, side = instruct(bare, asked)
    assert (under.spec.prompt(side), side) == ('"{text}" animal: "', "document")
    assert under._body is bare._body
    np.testing.assert_array_equal(
        under.encode(["the cat"], side), tiny_embedder(document_prompt=asked.prompt).encode(["the cat"])
    )
    assert bare.spec.document_prompt == "{text}"
    taking = tiny_embedder(query_prompt="{task}: {text}")
    under, side = instruct(taking, asked)
    assert (under.spec.prompt(side), side) == ("the animal: {text}", "query")
    np.testing.assert_array_equal(
        under.encode(["the cat"], side), tiny_embedder(document_prompt="the animal: {text}").encode(["the cat"])
    )
    with pytest.raises(ConfigError, match=r"has no \{text\}"):
        instruct(bare, Instruction("animal", task="the animal"))


def test_an_instruction_keeps_the_mask_that_an_encoder_pools_at():
    own = 'This sentence of "{text}" means [MASK].'
    assert with_mask("{text} is [MASK]!", own) == "{text} is [MASK]!"
    assert with_mask('{text} is "', own.replace("[MASK]", "<mask>")) == "{text} is <mask>."
    assert with_mask('{text} is "', "[MASK] {text}") == '{text} is "'
    assert all(with_mask(each.prompt, own).endswith(": [MASK].") for each in built_in().instructions)


@pytest.mark.parametrize("kind", ["none", "pc1", "centred"])
def test_scores_can_be_recomputed_from_the_embeddings(tiny_embedder, kind):
    embedder = tiny_embedder()
    seen = open_lens(embedder, "folded")
    found = demonstrate(embedder, seen, MATERIAL, kind)
    texts = list(MATERIAL.texts)
    prompts = [each.prompt for each in MATERIAL.instructions]
    vectors = [tiny_embedder(document_prompt=prompt).encode(texts) for prompt in prompts]
    more = [tiny_embedder(document_prompt=prompt).encode(list(built_in().texts)) for prompt in prompts]
    fitted = fit_adjustment(kind, np.concatenate([*vectors, *more]))  # three texts are few: the built-in ones join
    logits = [seen.scores(fitted.apply(each)) for each in vectors]
    z = [(each - each.mean(axis=1, keepdims=True)) / each.std(axis=1, keepdims=True) for each in logits]
    sea, water = (seen.space.labels.index(word) for word in ("sea", "water"))
    at = [(each[:, sea] + each[:, water]) / 2 for each in z]
    animal, wet, sky = found["instructions"]["instructions"]
    np.testing.assert_allclose(wet["moved"], at[1] - (at[0] + at[2]) / 2, atol=1e-4)
    assert animal["missing"] == ["unicorn"]
    assert (sky["score"], sky["missing"]) == (None, ["zeppelin"])
    assert [each["prompt"] for each in found["instructions"]["instructions"]] == prompts
    pair = found["relatedness"]["pairs"][0]
    dense = embedder.encode(["the cat sat", "a cat sat"])
    cosine = dense[0] @ dense[1] / np.linalg.norm(dense[0]) / np.linalg.norm(dense[1])
    assert pair["dense_cosine"] == pytest.approx(cosine, abs=1e-5)


def test_pairs_are_adjusted_by_the_sample_that_is_given(tiny_embedder):
    embedder = tiny_embedder()
    seen = open_lens(embedder, "folded")
    pairs = Demonstrations((), (), MATERIAL.pairs)
    sample = np.random.default_rng(1).normal(size=(40, 32)).astype(np.float32)
    found = demonstrate(embedder, seen, pairs, "centred", sample)
    assert found["instructions"] is None
    dense = embedder.encode(["the cat sat", "the dog sat"])
    logits = seen.scores(dense - sample.mean(axis=0))
    assert found["relatedness"]["pairs"][1]["vocabulary_cosine"] == pytest.approx(np.corrcoef(logits)[0, 1], abs=1e-4)
    assert found["relatedness"]["fitted_on"] == "the texts analysed"
    few, told = widened(dense, ["the cat sat", "the dog sat"], embedder, seen)
    assert len(few) == 2 + len(built_in().texts) + 20
    assert "built-in" in told


def test_what_a_head_does_before_the_matrix_is_done_here_too(tiny_embedder):
    embedder = tiny_embedder()
    plain = open_lens(embedder, "folded")
    turned = Lens(plain.decoder, plain.space, lambda vectors: vectors[:, ::-1].copy())
    found = demonstrate(embedder, turned, Demonstrations((), (), MATERIAL.pairs), "none")["relatedness"]
    dense = embedder.encode(["the cat sat", "a cat sat"])
    logits = plain.scores(dense[:, ::-1].copy())
    assert found["pairs"][0]["vocabulary_cosine"] == pytest.approx(np.corrcoef(logits)[0, 1], abs=1e-4)


def test_a_report_does_without_what_the_embedder_has_no_room_for(tiny_embedder):
    embedder = tiny_embedder(max_length=8)
    found = section(embedder, open_lens(embedder), np.ones((20, 32), dtype=np.float32))
    assert "leaves no room for text" in found["left_out"]
    with pytest.raises(EmbedderError):
        demonstrate(embedder, open_lens(embedder))
    with pytest.raises(ConfigError, match="bulk"):
        demonstrate(embedder, open_lens(embedder), kind="bulk")


def write(folder, material):
    content = {
        "instructions": [{**vars(each), "words": list(each.words)} for each in material.instructions],
        "texts": list(material.texts),
        "pairs": [vars(each) for each in material.pairs],
    }
    (folder / "mine.json").write_text(json.dumps(content))
    return str(folder / "mine.json")


def test_material_is_read_as_it_was_written(tmp_path):
    assert read_demonstrations(Path(write(tmp_path, MATERIAL))) == MATERIAL


def script(*words):
    before, listener = sys.argv, progress.set_reporter(progress.SilentReporter())
    sys.argv = [str(SCRIPT), *map(str, words)]
    try:
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(SCRIPT), run_name="__main__")
    finally:
        sys.argv = before
        progress.set_reporter(listener)
    return end.value.code


def test_the_script_prints_and_writes_both_demonstrations(tiny_model, tmp_path, capsys):
    model = ["--embedder", tiny_model("tied"), "--dtype", "float32", "--device", "cpu"]
    mine, out = write(tmp_path, MATERIAL), tmp_path / "out.json"
    assert script("--texts", mine, "--adjustment", "none", "--out", out, *model) == 0
    told = capsys.readouterr().out
    found = json.loads(out.read_text())
    animal = found["instructions"]["instructions"][0]
    assert f"{animal['score']:+.2f} [{animal['low']:+.2f}, {animal['high']:+.2f}]" in told
    assert "none of its words is a token" in told
    assert f"vocabulary cosine {found['relatedness']['pairs'][1]['vocabulary_cosine']:.3f}" in told
    assert found["relatedness"]["reading"] in told
    assert told.endswith("adjustment: none\n")
    assert script("--texts", tmp_path / "none.json", *model) == 2
    assert capsys.readouterr().err.startswith("demonstrations: ")


@pytest.mark.model
def test_the_real_model_follows_instructions_and_holds_negations_near():
    from sparseembed.embedders.load import load_embedder

    embedder = load_embedder("smollm2-135m")  # the adapter was trained for one prompt
    material = built_in()
    some = Demonstrations(material.instructions[:2], material.texts, material.pairs[:8])
    found = demonstrate(embedder, open_lens(embedder), some)
    topic, sentiment = found["instructions"]["instructions"]
    assert (topic["name"], sentiment["name"]) == ("topic", "sentiment")
    assert topic["missing"] == sentiment["missing"] == []
    assert min(sentiment["moved"]) > 0.5
    assert topic["score"] > 0.2
    cosines = {each["kind"]: each["vocabulary_cosine"] for each in found["relatedness"]["kinds"]}
    assert cosines["negation"] > cosines["paraphrase"] > cosines["related"] > cosines["unrelated"]
