"""The model in training against the embedder itself, and gradient caching against plain backpropagation."""

import dataclasses
import random

import numpy as np
import pytest

from sparseembed.errors import EmbedderError
from sparseembed.training.encoder import TrainedEncoder
from sparseembed.training.objectives import contrast
from sparseembed.training.recipe import Recipe

SHORT = Recipe(rank=2, layers=1.0, query_length=9, document_length=14)
TEXTS = [
    "cat",
    "the cat sat on the mat and the dog sat on the cat",
    "Photosynthesis is how green plants make sugar",
    "<s> looks special",
    "Rivers carry sand 😀 to the sea",
    "whale",
]
PARTS = [
    ("tied", {}),
    ("tied", {"pooling": "weighted-mean", "attention": "bidirectional"}),
    ("tied", {"pooling": "mean", "pool_over": "text", "document_prompt": "say: {text}.", "query_prompt": "{text}?"}),
    ("opt", {"document_prompt": '"{text}" is:"'}),
    ("gptneo", {"pooling": "mean"}),
]


@pytest.mark.parametrize(("kind", "parts"), PARTS)
def test_before_the_first_step_it_embeds_as_the_embedder_does(tiny_embedder, kind, parts):
    import torch

    embedder = tiny_embedder(kind, **parts)
    encoder = TrainedEncoder(embedder, SHORT)
    for side, length in (("query", 9), ("document", 14)):
        items = encoder.tokenize(TEXTS, side)
        assert max(len(item.ids) for item in items) == length
        with torch.no_grad():
            found = encoder.embed_all(items).numpy()
        cut = type(embedder)(dataclasses.replace(embedder.spec, max_length=length))
        np.testing.assert_allclose(found, cut.encode(TEXTS, side), atol=1e-5)


def test_a_text_is_cut_at_the_embedders_and_the_models_own_limit(tiny_embedder):
    long = Recipe(rank=2, query_length=20, document_length=5000)
    items = TrainedEncoder(tiny_embedder(max_length=12), long).tokenize(["cat " * 900], "document")
    assert len(items[0].ids) == 12
    encoder = TrainedEncoder(tiny_embedder("opt"), long)
    (item,) = encoder.tokenize(["cat " * 900], "document")
    assert len(item.ids) == 128
    assert encoder.embed([item]).shape == (1, 32)


def test_a_prompt_that_leaves_no_room_is_one_line(tiny_embedder):
    encoder = TrainedEncoder(tiny_embedder(document_prompt="Photosynthesis " * 9 + "{text}"), SHORT)
    with pytest.raises(EmbedderError, match="leaves no room for text within a max length of 14"):
        encoder.tokenize(["cat"], "document")


def perturbed(embedder, recipe):
    """Return an encoder whose LoRA matrices are random: at the start half of the gradients are 0."""
    import torch

    encoder = TrainedEncoder(embedder, recipe)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in encoder.parameters.values():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 8)
    return encoder


def gradients(encoder, order):
    """Return the loss of twelve pairs, given to the encoder in some order, and its gradients."""
    import torch

    rng = random.Random(1)
    words = ["cat", "dog", "whale", "milk", "air", "green", "sugar", "sea", "sand"]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 9))) for _ in range(24)]
    items = encoder.tokenize(texts, "document")
    back = np.argsort(order)
    calls = []

    def loss_of(vectors):
        calls.append(len(vectors))
        vectors = torch.nn.functional.normalize(vectors[torch.from_numpy(back)], dim=1)
        return contrast(vectors[:12] @ vectors[12:].T / 0.1)

    for parameter in encoder.parameters.values():
        parameter.grad = None
    loss = encoder.backward([items[place] for place in order], loss_of)
    assert calls == [24]  # once, over the whole batch
    return loss, {name: parameter.grad.clone() for name, parameter in encoder.parameters.items()}


def assert_same(found, expected, tolerance):
    assert found[0] == pytest.approx(expected[0], rel=tolerance)
    for name, gradient in expected[1].items():
        assert gradient.abs().max() > 0
        difference = (found[1][name] - gradient).norm() / gradient.norm()
        assert difference < tolerance, name


# GPT-Neo attends in float32 whatever its weights are.
@pytest.mark.parametrize(("kind", "tolerance"), [("tied", 1e-6), ("gptneo", 1e-5)])
def test_gradient_caching_gives_the_gradients_of_the_whole(tiny_embedder, monkeypatch, kind, tolerance):
    embedder = tiny_embedder(kind)
    whole = perturbed(embedder, SHORT)
    for parameter in whole.model.parameters():
        parameter.data = parameter.data.double()  # so that only the order of sums can differ, and hardly does
    as_they_are = np.arange(24)
    expected = gradients(whole, as_they_are)
    for part_tokens, cached in ((2048, 1), (40, 1), (1, 1), (40, 100_000), (40, 200)):
        monkeypatch.setattr("sparseembed.training.encoder.PART_TOKENS", part_tokens)
        whole._recipe = SHORT.with_changes(cached_tokens=cached)
        assert_same(gradients(whole, as_they_are), expected, tolerance)


def test_in_float32_they_differ_by_rounding_alone(tiny_embedder, monkeypatch):
    encoder = perturbed(tiny_embedder(), SHORT)
    expected = gradients(encoder, np.arange(24))
    monkeypatch.setattr("sparseembed.training.encoder.PART_TOKENS", 64)
    encoder._recipe = SHORT.with_changes(cached_tokens=1)
    assert_same(gradients(encoder, np.arange(24)), expected, 1e-5)


@pytest.mark.parametrize(("cached", "parts"), [(100_000, 1), (1, 24)])
def test_a_gpu_takes_as_much_at_once_as_may_be_held(tiny_embedder, cached, parts):
    encoder = TrainedEncoder(tiny_embedder(), SHORT.with_changes(cached_tokens=cached))
    items = encoder.tokenize(TEXTS * (24 // len(TEXTS) + 1), "document")[:24]
    encoder.device = "cuda"
    assert len(encoder._plan(items)) == parts


@pytest.mark.parametrize("cached", [1, 100_000])
def test_the_order_of_texts_does_not_matter(tiny_embedder, monkeypatch, cached):
    monkeypatch.setattr("sparseembed.training.encoder.PART_TOKENS", 64)
    encoder = perturbed(tiny_embedder(), SHORT.with_changes(cached_tokens=cached))
    expected = gradients(encoder, np.arange(24))
    assert_same(gradients(encoder, np.random.default_rng(0).permutation(24)), expected, 1e-5)


def test_the_embedders_own_weights_get_no_gradient_and_do_not_change(tiny_embedder):
    embedder = tiny_embedder()
    before = embedder.encode(TEXTS)
    encoder = TrainedEncoder(embedder, SHORT)
    gradients(encoder, np.arange(24))
    with_gradient = {name for name, each in encoder.model.named_parameters() if each.grad is not None}
    assert with_gradient == set(encoder.parameters)
    assert all(".lora_" in name for name in with_gradient)
    np.testing.assert_array_equal(embedder.encode(TEXTS), before)
