"""The small query encoder: features against the whole model's states, the map against least squares."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from test_adapters import LAYERS, make_adapter

from sparseembed.embedders.early import DEPTH, EarlyEncoder, fit_early_head, measure_fidelity
from sparseembed.embedders.forward import FirstLayers
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.query_head import FILE, general_head, write_general_head
from sparseembed.errors import EmbedderError

TEXTS = ["cat", "the cat sat on the mat", "", "Rivers carry water from the mountains to the sea.", " \n", "A whale"]
POOLINGS = ("last", "mean")
MANY = [f"the cat saw {number} rivers and a whale" for number in range(40)]
random = np.random.default_rng(8)


def floats(*shape):
    return random.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("kind", ["tied", "qwen3"])
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_after_all_layers_the_features_are_the_whole_model_s_states(tiny_embedder, kind, dtype):
    whole = {pooling: tiny_embedder(kind, dtype=dtype, pooling=pooling).encode(TEXTS, "query") for pooling in POOLINGS}
    features = tiny_embedder(kind, dtype=dtype).early(TEXTS, 2)
    norm = tiny_embedder(kind, dtype="int8")._load()._weights.norm
    np.testing.assert_allclose(features[:, :32] * norm, whole["last"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features[:, 32:] * norm, whole["mean"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(tiny_embedder(kind, dtype=dtype).early(TEXTS, 99), features)
    assert not features[[2, 4]].any()
    assert np.abs(tiny_embedder(kind, dtype=dtype).early(TEXTS, 1) - features).max() > 0.1


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
def test_the_first_layers_are_run_alone_and_texts_do_not_touch_each_other(tiny_embedder, attention):
    embedder = tiny_embedder("qwen3", attention=attention, dtype="float32")
    together = embedder.early(TEXTS, 1)
    runs = []
    model = embedder._load()._model
    for number, layer in enumerate(model.layers):
        layer.register_forward_hook(lambda *_, number=number: runs.append(number))
    alone = np.concatenate([embedder.early([text], 1) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    assert set(runs) <= {0}
    embedder.encode(["a cat"])
    assert 1 in runs


@pytest.mark.parametrize("threads", [1, 3])
def test_texts_run_in_several_threads_are_what_they_are_alone(tiny_embedder, threads):
    import torch

    embedder, before = tiny_embedder("qwen3", dtype="int8"), torch.get_num_threads()
    texts = [f"{text} {number}" for number in range(400) for text in ("The cat sat on the mat,", "Rivers")]
    torch.set_num_threads(threads)
    try:
        found = embedder.early(texts, 1)
    finally:
        torch.set_num_threads(before)
    alone = np.concatenate([embedder.early([text], 1) for text in texts[::97]])
    np.testing.assert_allclose(found[::97], alone, atol=1e-5)


def test_threads_may_read_with_some_layers_and_with_all_at_once(tiny_embedder):
    embedder = tiny_embedder(dtype="float32")
    early, whole = embedder.early(TEXTS, 1), embedder.encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        some = [pool.submit(embedder.early, TEXTS, 1) for _ in range(20)]
        every = [pool.submit(embedder.encode, TEXTS) for _ in range(20)]
        for found in some:
            np.testing.assert_allclose(found.result(), early, atol=1e-6)
        for found in every:
            np.testing.assert_allclose(found.result(), whole, atol=1e-6)


def test_a_model_without_a_list_of_layers_is_told():
    class Odd:
        config = type("Config", (), {"num_hidden_layers": 3})

        def modules(self):
            return []

    with pytest.raises(EmbedderError, match="a Odd has no list of layers that could be run in part"):
        FirstLayers(Odd())


def test_the_map_is_ridge_regression_on_standardised_features():
    features, wanted = floats(50, 6) * np.float32(3) + np.float32(1), floats(50, 4)
    head = fit_early_head(features, wanted, 3, strength=7.0)
    inputs = (features - features.mean(axis=0)) / features.std(axis=0)
    # Ridge regression is least squares with sqrt(strength) times the identity as further rows.
    rows = np.concatenate([inputs, np.sqrt(7.0) * np.eye(6)])
    solved = np.linalg.lstsq(rows, np.concatenate([wanted - wanted.mean(axis=0), np.zeros((6, 4))]), rcond=None)[0]
    np.testing.assert_allclose(head.weights, solved, atol=1e-4)
    np.testing.assert_allclose(head.apply(features), inputs @ solved + wanted.mean(axis=0), atol=1e-4)
    assert head.depth == 3


def test_fidelity_is_that_of_texts_the_map_was_not_fitted_to():
    features, noise = floats(400, 6), floats(400, 4)
    known = features @ floats(6, 4)
    assert measure_fidelity(features, known, 1).texts == 50
    assert measure_fidelity(features, known, 1).cosine > 0.9  # the regularisation alone keeps it from 1
    assert abs(measure_fidelity(features, noise, 1).cosine) < 0.3
    assert measure_fidelity(features[:3], known[:3], 1).texts == 0


def test_a_blank_query_has_no_embedding(tiny_embedder):
    embedder = tiny_embedder(dtype="int8")
    head = fit_early_head(embedder.early(TEXTS, 1), floats(6, 32), 1)
    found = EarlyEncoder(embedder, head).encode(TEXTS)
    assert found.shape == (6, 32)
    assert found.dtype == np.float32
    assert not found[[2, 4]].any()
    assert found[[0, 1, 3, 5]].any(axis=1).all()


@pytest.mark.model
def test_four_layers_of_the_default_embedder_say_something_of_the_whole():
    subjects = ["a list", "a file", "the clock", "a thread", "an e-mail", "a big number", "a picture", "the network"]
    verbs = ["open", "copy", "sort", "delete", "count", "print", "compare", "wait for"]
    texts = [f"{verb} {subject}" for verb in verbs for subject in subjects]
    embedder = load_embedder("smollm2-135m-aligned", dtype="int8")
    fidelity = measure_fidelity(embedder.early(texts, 4), embedder.encode(texts, "query"), 4)
    assert fidelity.texts == 8
    assert fidelity.cosine > 0.25  # without any relation it is near 0


def test_a_head_beside_a_general_one_is_the_regression_of_what_that_leaves():
    features, wanted = floats(90, 6), floats(90, 4)
    general = fit_early_head(floats(50, 6) * 3 + 1, floats(50, 4), 2)
    for strength in (0.5, 1000.0):
        both = fit_early_head(features, wanted, 2, strength, general)
        left = fit_early_head(features, wanted - general.apply(features), 2, strength)
        others = floats(7, 6)
        np.testing.assert_allclose(both.apply(others), general.apply(others) + left.apply(others), rtol=1e-3, atol=1e-4)
    # The stronger the regularisation, the nearer to the general head but for a constant.
    apart = fit_early_head(features, wanted, 2, 1e12, general).apply(others) - general.apply(others)
    np.testing.assert_allclose(apart, np.tile(apart[0], (7, 1)), atol=1e-4)


def test_a_general_head_helps_where_texts_are_few():
    truth, noise = floats(20, 5), 0.3
    many, few = floats(3000, 20), floats(40, 20)
    general = fit_early_head(many, many @ truth, 2)
    wanted = few @ (truth + noise * floats(20, 5))
    alone, beside = measure_fidelity(few, wanted, 2).cosine, measure_fidelity(few, wanted, 2, general).cosine
    assert beside > alone + 0.1


def test_a_general_head_comes_back_where_it_fits_alone(tiny_model, tiny_embedder, tmp_path):
    adapter = make_adapter(tmp_path / "adapter", tiny_model("tied"), LAYERS["tied"][:1])
    embedder = tiny_embedder(adapters=(str(adapter),))
    assert general_head(embedder, 1) is None  # the adapter has none
    head = fit_early_head(embedder.early(MANY, 1), embedder.encode(MANY, "query"), 1)
    write_general_head(adapter, head, embedder)
    found = general_head(embedder, 1)
    for one, other in zip(found, head, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-3)
    assert general_head(embedder, 2) is None
    assert general_head(tiny_embedder(adapters=(str(adapter),), pooling="mean"), 1) is None
    assert general_head(tiny_embedder(adapters=(str(adapter),), query_prompt="ask: {text}"), 1) is None
    assert general_head(tiny_embedder(), 1) is None
    for damage in (b"", b"x" * 40, (adapter / FILE).read_bytes()[:-9]):
        (adapter / FILE).write_bytes(damage)
        assert general_head(embedder, 1) is None


def test_the_default_embedder_has_a_general_head():
    head = general_head(load_embedder(), DEPTH)
    assert head is not None
    assert head.weights.shape == (1152, 576)
