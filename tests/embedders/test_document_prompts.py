"""Several document prompts: each embedding is what its prompt alone gives, and what they share is run once."""

import numpy as np
import pytest
import torch

from sparseembed.embedders import body as bodies
from sparseembed.embedders.branches import Branched
from sparseembed.embedders.int8.packing import packed, packed_branches
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.presets import MORE_PROMPTS
from sparseembed.embedders.prompts import Prompted
from sparseembed.embedders.several import every_prompt
from sparseembed.errors import ConfigError

FIRST = 'Text: "{text}". A word for it: "'
MORE = ('Text: "{text}". Rivers, whales and books: "', 'Text: "{text}". It', 'The light of: "{text}". A word: "')
TEXTS = [
    "the cat sat on the mat and the dog sat on the cat",
    "",
    "Photosynthesis is how green plants make sugar from light, water and carbon dioxide.",
    "cat",
    "She reads books about green whales, and he reads about rivers. " * 9,
]
PARTS = {"document_prompt": FIRST, "query_prompt": "Query: {text}", "more_prompts": MORE}


def under_each(embedder, texts):
    return np.hstack(
        [embedder.with_prompts(document_prompt=prompt).encode(texts) for prompt in embedder.spec.document_prompts]
    )


def test_what_prompted_texts_begin_with_stands_there_once():
    found = Branched.of([Prompted([1, 2, 3, 4], False), Prompted([1, 2, 5], False), Prompted([1, 2], False)])
    assert found.trunk == [1]  # each branch has a last token of its own
    assert found.branches == [[2, 3, 4], [2, 5], [2]]
    assert [found.prompted(number).ids for number in range(3)] == [[1, 2, 3, 4], [1, 2, 5], [1, 2]]
    assert found.tokens == 7
    assert Branched.of([Prompted([1, 2], False), Prompted([3, 2], False)]).trunk == []


def test_packed_texts_see_themselves_and_what_they_share():
    plain = packed([Prompted([1, 2, 3], False), Prompted([4], False)])
    assert (plain.ids, plain.places.tolist(), plain.ends.tolist()) == ([1, 2, 3, 4], [0, 1, 2, 0], [2, 3])
    shared = packed_branches([Branched([1, 2], [[3, 4], [5]], [0, 0]), Branched([], [[6], [7]], [0, 0])])
    assert shared.ids == [1, 2, 3, 4, 5, 6, 7]
    assert shared.places.tolist() == [0, 1, 2, 3, 2, 0, 0]
    assert [member.tolist() for member in shared.members] == [[0, 1, 2, 3], [0, 1, 4], [5], [6]]
    assert [(each.own.start, each.before.stop) for each in shared.stretches] == [(0, 0), (2, 2), (4, 2), (5, 0), (6, 0)]


@pytest.mark.parametrize("kind", ["tied", "qwen3", "gpt2", "opt", "gemma3", "gptneo"])
@pytest.mark.parametrize("pooling", ["last", "weighted-mean"])
def test_each_embedding_is_that_of_its_prompt_alone(tiny_embedder, kind, pooling):
    embedder = tiny_embedder(kind, **PARTS, pooling=pooling, max_length=120)
    found = embedder.encode_prompts(TEXTS)
    wanted = under_each(embedder, TEXTS)
    assert found.vectors.shape == (5, 4 * embedder.dimension)
    np.testing.assert_allclose(found.vectors, wanted, rtol=1e-3, atol=1e-4)
    assert not found.vectors[1].any()
    assert found.cut == 1


@pytest.mark.parametrize("parts", [{"pool_over": "text", "pooling": "mean"}, {"attention": "bidirectional"}])
def test_poolings_and_attention(tiny_embedder, parts):
    embedder = tiny_embedder(**PARTS, **parts)
    np.testing.assert_allclose(
        embedder.encode_prompts(TEXTS).vectors, under_each(embedder, TEXTS), rtol=1e-3, atol=1e-4
    )


def test_a_text_is_run_once_under_prompts_that_stand_after_it(tiny_embedder, monkeypatch):
    embedder = tiny_embedder(document_prompt=FIRST, more_prompts=MORE[:2])
    run = []
    whole = bodies.embed
    monkeypatch.setattr(bodies, "embed", lambda *given: run.append(1) or whole(*given))
    text = TEXTS[2]
    one, several = embedder.encode_counted([text]), embedder.encode_prompts([text])
    assert len(run) == 1  # by the one prompt alone
    assert one.tokens < several.tokens < 2 * one.tokens
    # Under a prompt before the text all is read anew.
    before = tiny_embedder(document_prompt=FIRST, more_prompts=MORE[2:])
    assert before.encode_prompts([text]).tokens > 1.7 * one.tokens
    assert len(run) == 3


def test_integers_do_the_same(tiny_model):
    for kind, parts in (("tied", {}), ("qwen2", {"pooling": "mean"}), ("tied", {"attention": "bidirectional"})):
        embedder = load_embedder(str(tiny_model(kind)), dtype="int8", device="cpu", **PARTS, **parts)
        found, wanted = embedder.encode_prompts(TEXTS).vectors, under_each(embedder, TEXTS)
        full = wanted.any(axis=1)
        assert full.tolist() == [True, False, True, True, True]
        for one, other in zip(np.split(found[full], 4, axis=1), np.split(wanted[full], 4, axis=1), strict=True):
            near = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
            assert (near > 0.995).all()  # what is rounded to 8 bits may round otherwise in its last place
        again = embedder.encode_prompts(TEXTS[::-1]).vectors[::-1]
        np.testing.assert_array_equal(found, again)


def test_the_identity_names_the_prompts_of_documents_alone(tiny_embedder):
    one, several = tiny_embedder(document_prompt=FIRST), tiny_embedder(document_prompt=FIRST, more_prompts=MORE)
    assert "more_prompts" not in one.identity()
    assert one.identity("query") == several.identity("query")
    assert several.identity("document")["more_prompts"] == list(MORE)
    assert "more_prompts" not in one.spec.as_dict()
    assert every_prompt(one) is one
    assert every_prompt(several).dimension == 4 * several.dimension


def test_of_several_prompts_the_one_that_embeds_least_decides_what_is_split(tiny_embedder):
    embedder = tiny_embedder(document_prompt="{text}", more_prompts=('"{text}" in a very few words of English: "',))
    text = TEXTS[4]
    alone = tiny_embedder(document_prompt='"{text}" in a very few words of English: "').reach([text])
    assert embedder.reach([text]) == alone
    assert embedder.reach(["cat"]) == [None]


def test_prompts_that_are_none_or_named_twice_are_refused(tiny_embedder):
    with pytest.raises(ConfigError, match="must hold"):
        tiny_embedder(more_prompts=("keyword",))
    with pytest.raises(ConfigError, match="named twice"):
        tiny_embedder(document_prompt=FIRST, more_prompts=(FIRST,))
    assert all(prompt.count("{text}") == 1 for prompt in MORE_PROMPTS.values())


@pytest.mark.model
def test_the_real_model_reads_a_text_once():
    embedder = load_embedder(None, more_prompts=tuple(MORE_PROMPTS.values()))
    texts = [
        "Return a random element from the non-empty sequence seq.",
        "A lock is released by the thread that holds it.",
    ]
    found = embedder.encode_prompts(texts).vectors
    wanted = under_each(embedder, texts)
    for one, other in zip(np.split(found, 3, axis=1), np.split(wanted, 3, axis=1), strict=True):
        near = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        assert (near > 0.999).all()
    assert not torch.is_inference_mode_enabled()
