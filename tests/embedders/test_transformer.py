"""The embedder against a naive one: text by text, without padding, in float32."""

import random
import shutil

import numpy as np
import pytest

from sparseembed.embedders.attention import model_mask
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.loading import load_body
from sparseembed.embedders.presets import DEFAULT
from sparseembed.errors import ConfigError, EmbedderError

TOLERANCE = 1e-5  # of states of length about 6: float32 sums in another order
TEXTS = [
    "cat",
    "the cat sat on the mat",
    "green plants make sugar from light, water and carbon dioxide; rivers carry water to the sea",
    "A whale",
    "Rivers carry sand 😀",
]
POOLINGS = ["last", "mean", "weighted-mean", "token:0", "token:2", "token:-2"]
KINDS = ("gptneo", "opt", "mistral", "qwen3", "gemma3", "gemma3-bi", "mpnet")
# Encoders cannot be causal; GPT-Neo's causal mask is built in, OPT counts positions by a 2-D mask.
REFUSED = [
    ("bert", "causal"),
    ("mpnet", "causal"),
    ("gemma3-bi", "causal"),
    ("gptneo", "bidirectional"),
    ("opt", "bidirectional"),
]
MODELS = [
    (model, attention)
    for model in ("tied", "untied", "gpt2", "neox", "bert", *KINDS)
    for attention in ("causal", "bidirectional")
    if (model, attention) not in REFUSED
]


def naive_states(folder, rows, attention):
    """Run a model the long way: each text in a forward pass of its own."""
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    if attention == "bidirectional":
        model.config.use_bidirectional_attention = True  # Gemma 3, which always builds a mask for its windows
        for module in model.modules():
            if hasattr(module, "is_causal"):
                module.is_causal = False  # with this and no mask, everything sees everything
    with torch.inference_mode():
        return [model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0].numpy() for ids in rows]


def naive_pool(states, pooling, start=0):
    """Pool one text's states in numpy."""
    states = states[start:]
    n = len(states)
    if pooling == "mean":
        return states.sum(axis=0) / n
    if pooling == "weighted-mean":
        return sum((i + 1) * states[i] for i in range(n)) / (n * (n + 1) / 2)
    wanted = {"last": n - 1, "token:0": 0, "token:2": min(2, n - 1), "token:-2": max(n - 2, 0)}
    return states[wanted[pooling]]


@pytest.mark.parametrize(("model", "attention"), MODELS)
def test_equals_the_naive_embedder(tiny_model, tiny_embedder, model, attention):
    rows = [encoding.ids for encoding in tiny_embedder(model).tokenizer.encode_batch(TEXTS)]
    states = naive_states(tiny_model(model), rows, attention)
    for pooling in POOLINGS:
        embedder = tiny_embedder(model, pooling=pooling, attention=attention)
        expected = [naive_pool(each, pooling) for each in states]
        np.testing.assert_allclose(embedder.encode(TEXTS), expected, atol=TOLERANCE, err_msg=pooling)


@pytest.mark.parametrize(("model", "attention"), MODELS)
def test_neither_order_nor_company_matters(tiny_embedder, model, attention, monkeypatch):
    embedder = tiny_embedder(model, pooling="mean", attention=attention)
    together = embedder.encode(TEXTS)
    order = random.Random(1).sample(range(len(TEXTS)), len(TEXTS))
    np.testing.assert_allclose(embedder.encode([TEXTS[row] for row in order]), together[order], atol=TOLERANCE)
    alone = np.concatenate([embedder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=TOLERANCE)
    monkeypatch.setattr(embedder._load(), "budget", 1)
    before = embedder.model_calls
    np.testing.assert_allclose(embedder.encode(TEXTS), together, atol=TOLERANCE)
    assert embedder.model_calls - before == len(TEXTS)


@pytest.mark.parametrize(("model", "attention"), MODELS)
def test_only_bidirectional_tokens_see_later_ones(tiny_embedder, model, attention):
    embedder = tiny_embedder(model, pooling="token:0", attention=attention)
    first = embedder.encode(["the cat sat on the mat", "the cat sat on the cat", "x"])
    changed = float(np.abs(first[0] - first[1]).max())
    if attention == "causal":
        assert changed < TOLERANCE
    else:
        assert changed > 100 * TOLERANCE


@pytest.mark.parametrize(("model", "attention"), REFUSED)
def test_attention_that_a_model_cannot_have_is_one_line(tiny_embedder, model, attention):
    if attention == "causal":
        message = rf"{model} is no causal model.*--attention bidirectional"
    else:
        message = rf"{model} (takes no bidirectional mask: pass|does not run .*try) --attention causal"
    with pytest.raises(EmbedderError, match=message) as caught:
        tiny_embedder(model, attention=attention).encode(["cat"])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("model", "attention"), [("mistral", "bidirectional"), ("gptneo", "causal"), ("gemma3-bi", "bidirectional")]
)
@pytest.mark.parametrize("prompt", ["about rivers: {text}", "say again: {text} so: {text} !"])
def test_pooling_over_the_text_leaves_the_instruction_out(tiny_model, tiny_embedder, model, attention, prompt):
    plain = tiny_embedder(model).tokenizer
    before = prompt[: prompt.rindex("{text}")]
    whole = [plain.encode(prompt.replace("{text}", text)) for text in TEXTS]
    starts = [
        next(place for place, (_, end) in enumerate(encoding.offsets) if end > len(before.replace("{text}", text)))
        for text, encoding in zip(TEXTS, whole, strict=True)
    ]
    assert min(starts) > 1
    states = naive_states(tiny_model(model), [encoding.ids for encoding in whole], attention)
    for pooling in POOLINGS:
        parts = {"pooling": pooling, "attention": attention, "document_prompt": prompt}
        embedder = tiny_embedder(model, pool_over="text", **parts)
        expected = [naive_pool(each, pooling, start) for each, start in zip(states, starts, strict=True)]
        vectors = embedder.encode(TEXTS)
        np.testing.assert_allclose(vectors, expected, atol=TOLERANCE, err_msg=pooling)
        if pooling in ("mean", "weighted-mean", "token:0"):
            assert np.abs(vectors - tiny_embedder(model, **parts).encode(TEXTS)).max() > 100 * TOLERANCE
        alone = np.concatenate([embedder.encode([text]) for text in reversed(TEXTS)])[::-1]
        np.testing.assert_allclose(alone, vectors, atol=TOLERANCE)


def test_the_task_is_part_of_the_prompt_and_of_the_identity(tiny_embedder):
    prompt = "{task}: {text}"
    told = tiny_embedder("tied", task="find whales", query_prompt=prompt)
    written = tiny_embedder("tied", query_prompt="find whales: {text}")
    np.testing.assert_array_equal(told.encode(["cat"], "query"), written.encode(["cat"], "query"))
    assert told.identity() == written.identity()
    assert told.identity() != tiny_embedder("tied", task="find cats", query_prompt=prompt).identity()


def test_a_model_whose_positions_begin_late_takes_fewer_tokens(tiny_embedder):
    # Of MPNet's 128 positions two lie before the text's first: of the padding token and of what is below it.
    encoded = tiny_embedder("mpnet", attention="bidirectional", pooling="mean").encode_counted(["cat " * 300])
    assert (encoded.tokens, encoded.cut) == (126, 1)
    assert encoded.vectors.any()


def test_half_precision_is_near(tiny_embedder):
    exact = tiny_embedder("tied").encode(TEXTS)
    near = tiny_embedder("tied", dtype="bfloat16").encode(TEXTS)
    assert near.dtype == np.float32
    cosines = (exact * near).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(near, axis=1)
    assert cosines.min() > 0.99
    assert not np.array_equal(exact, near)


def test_no_row_of_a_mask_hides_everything(tiny_embedder):
    # In half precision such a row of padding can overflow to NaN, and NaN times no weight is NaN.
    import torch

    embedder = tiny_embedder("gemma3", attention="bidirectional")
    model = load_body(embedder.folder, (), embedder.spec, "float32", "cpu")
    masks = model_mask(model, torch.tensor([1, 12]), 12, "bidirectional")
    assert set(masks) == {"sliding_attention", "full_attention"}
    for mask in masks.values():
        assert (mask == 0).any(dim=-1).all()
    seen = masks["sliding_attention"][1, 0] == 0
    assert [place for place in range(12) if seen[5, place]] == [2, 3, 4, 5, 6, 7, 8]  # a window of four, either way


def test_blank_texts_have_zero_rows_and_cost_nothing(tiny_embedder):
    embedder = tiny_embedder("tied", pooling="mean")
    encoded = embedder.encode_counted(["", "cat", " \t\n\u2003"])
    assert encoded.vectors.shape == (3, 32)
    assert not encoded.vectors[[0, 2]].any()
    assert encoded.vectors[1].any()
    assert encoded.tokens == len(embedder.tokenizer.encode("cat").ids)
    before = embedder.model_calls
    assert not embedder.encode(["", " "]).any()
    assert embedder.model_calls == before


def test_no_texts_give_no_rows(tiny_embedder):
    assert tiny_embedder("tied").encode([]).shape == (0, 32)


def test_a_text_that_the_tokenizer_drops_whole_counts_as_blank(model_copy, tiny_embedder):
    from tokenizers import Regex, Tokenizer, normalizers, processors

    folder = model_copy("tied")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Replace(Regex("[\u0000\u200b]"), "")
    tokenizer.post_processor = processors.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    for pooling in ("last", "mean"):
        vectors = tiny_embedder(folder, pooling=pooling).encode(["\u200b\u0000", "cat"])
        assert not vectors[0].any()
        assert vectors[1].any()


def test_control_characters_surrogates_and_emoji_are_no_errors(tiny_embedder):
    vectors = tiny_embedder("tied").encode(["\x00", "a\ud800b", "a\ufffdb", "😀\u202e"])
    assert np.isfinite(vectors).all()
    assert vectors.any(axis=1).all()
    np.testing.assert_array_equal(vectors[1], vectors[2])


def test_sides_have_their_own_prompts(tiny_embedder):
    embedder = tiny_embedder("tied", document_prompt="plants: {text}", query_prompt="{text} whales")
    plain = tiny_embedder("tied")
    np.testing.assert_allclose(embedder.encode(["cat"]), plain.encode(["plants: cat"]), atol=TOLERANCE)
    np.testing.assert_allclose(embedder.encode(["cat"], "query"), plain.encode(["cat whales"]), atol=TOLERANCE)


def test_over_long_texts_are_cut_and_counted(tiny_embedder):
    embedder = tiny_embedder("tied", max_length=16)
    encoded = embedder.encode_counted(["cat", "cat " * 100, "dog " * 100])
    assert encoded.cut == 2
    assert encoded.tokens == len(embedder.tokenizer.encode("cat").ids) + 32


def test_the_model_sets_a_limit_of_its_own(tiny_embedder):
    # The tiny models have 128 positions, fewer than the 512 asked for.
    encoded = tiny_embedder("gpt2").encode_counted(["cat " * 300])
    assert (encoded.tokens, encoded.cut) == (128, 1)


def break_weights(folder, value):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_names_the_text(model_copy, tiny_embedder, value, attention):
    folder = model_copy("tied")
    break_weights(folder, value)
    embedder = tiny_embedder(folder, attention=attention)
    with pytest.raises(EmbedderError, match="NaN or infinity for document d7 ") as caught:
        embedder.encode_counted(["", "cat", ""], "document", ["d5", "d7", "d9"])
    assert "\n" not in str(caught.value)
    with pytest.raises(EmbedderError, match="for query number 2 "):
        embedder.encode(["", "cat"], "query")


def test_only_the_text_at_fault_is_named(model_copy, tiny_embedder):
    from safetensors.torch import load_file, save_file

    folder = model_copy("untied")
    embedder = tiny_embedder(folder)
    [piece] = embedder.tokenizer.encode("w", add_special_tokens=False).ids
    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"][piece] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EmbedderError, match="for document c "):
        embedder.encode_counted(["the cat", "the dog", "w"], names=["a", "b", "c"])
    with pytest.raises(EmbedderError, match="NaN or infinity for query number 3 "):
        embedder.early(["the cat", "the dog", "w"], 1)
    assert np.isfinite(embedder.early(["the cat", "the dog"], 1)).all()


def test_a_device_that_is_not_there_is_one_line(tiny_embedder):
    embedder = tiny_embedder("tied", device="nonsense")
    with pytest.raises(EmbedderError, match="cannot put the model on device 'nonsense'") as caught:
        embedder.encode(["cat"])
    assert "\n" not in str(caught.value)


def test_a_dtype_that_is_none_is_an_error(tiny_embedder):
    with pytest.raises(ConfigError, match="dtype must be one of auto, int8, float32, bfloat16, float16, not 'int4'"):
        tiny_embedder("tied", dtype="int4")


def test_auto_settles_dtype_and_device(tiny_embedder):
    embedder = tiny_embedder("tied", dtype="auto", device="auto")
    assert embedder.device in ("cpu", "cuda")
    assert embedder.dtype in ("float32", "bfloat16")
    assert embedder.identity()["dtype"] == embedder.dtype


def test_identity_holds_what_decides_the_vectors_and_no_more(tiny_embedder, tmp_path):
    base = tiny_embedder("tied")
    moved = tiny_embedder(shutil.copytree(base.folder, tmp_path / "elsewhere"))
    assert moved.identity() == base.identity()
    assert tiny_embedder("tied", device="nonsense").identity() == base.identity()
    for part, value in [
        ("pooling", "mean"),
        ("attention", "bidirectional"),
        ("max_length", 99),
        ("dtype", "bfloat16"),
        ("document_prompt", "x {text}"),
        ("query_prompt", "x {text}"),
    ]:
        assert tiny_embedder("tied", **{part: value}).identity() != base.identity(), part
    assert tiny_embedder("untied").identity() != base.identity()


def test_the_identity_of_the_usual_parts_has_the_same_fields_as_ever(tiny_embedder):
    # Stores and indexes on disk hold them: another field would make all of them another embedder's.
    parts = ["pooling", "attention", "max_length", "dtype", "weights_fingerprint"]
    embedder = tiny_embedder("tied", query_prompt="find: {text}")
    assert list(embedder.identity()) == ["document_prompt", "query_prompt", *parts]
    assert list(embedder.identity("document")) == ["document_prompt", *parts]
    assert list(embedder.identity("query")) == ["query_prompt", *parts]
    assert embedder.identity("query")["query_prompt"] == "find: {text}"
    other = tiny_embedder("tied", query_prompt="find: {text}", pool_over="text").identity("query")
    assert other == {**embedder.identity("query"), "pool_over": "text"}


def broken(folder, how):
    if how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "no config":
        (folder / "config.json").unlink()
    elif how == "damaged config":
        (folder / "config.json").write_text('{"model_type": ')
    elif how == "unknown architecture":
        (folder / "config.json").write_text('{"model_type": "no-such-model"}')
    elif how == "truncated weights":
        weights = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    elif how == "empty weights":
        (folder / "model.safetensors").write_bytes(b"")
    elif how == "damaged tokenizer":
        (folder / "tokenizer.json").write_text("{")
    elif how == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    else:
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        del weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no weights", "cannot load the model in"),
        ("no config", "is no model folder: it has no config.json"),
        ("damaged config", "cannot load the model in"),
        ("unknown architecture", "cannot load the model in"),
        ("truncated weights", "cannot load the model in"),
        ("empty weights", "cannot load the model in"),
        ("damaged tokenizer", "tokenizer.json is damaged"),
        ("no tokenizer", "cannot load a fast tokenizer from"),
        ("missing weight", "lacks 1 of its weights (the first is layers.1.mlp.up_proj.weight)"),
    ],
)
def test_a_broken_model_folder_is_one_line(model_copy, tiny_embedder, how, message):
    folder = broken(model_copy("tied"), how)
    with pytest.raises(EmbedderError) as caught:
        tiny_embedder(folder).encode(["cat"])
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_model_that_needs_more_than_token_ids_is_one_line(tmp_path, tiny_tokenizer, tiny_embedder):
    from transformers import T5Config, T5Model

    config = T5Config(
        vocab_size=tiny_tokenizer.get_vocab_size(), d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2
    )
    T5Model(config).save_pretrained(tmp_path / "t5")
    tiny_tokenizer.save(str(tmp_path / "t5" / "tokenizer.json"))
    with pytest.raises(EmbedderError, match="is a t5, an encoder with a decoder beside it: give a causal LM") as caught:
        tiny_embedder(tmp_path / "t5").encode(["cat"])
    assert str(caught.value).isprintable()


def test_the_default_is_loaded_by_name_and_once(tiny_model):
    folder = str(tiny_model("tied"))
    embedder = load_embedder(folder, dtype="float32", pooling=None)
    assert load_embedder(folder, dtype="float32") is embedder
    assert load_embedder(embedder) is embedder
    assert load_embedder(embedder.spec) is embedder
    assert load_embedder(folder, dtype="float32", pooling="mean").spec.pooling == "mean"
    assert embedder.spec.pooling == "last"
    assert load_embedder().spec.name == DEFAULT == "smollm2-135m-aligned"
