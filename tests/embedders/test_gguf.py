"""GGUF files, by a tiny one that is written here."""

import io
from importlib import import_module

import numpy as np
import pytest

from sparseembed.alignment.matrix import decoding_matrix, read_matrix
from sparseembed.embedders import gguf
from sparseembed.embedders.gguf import convert_gguf, is_gguf
from sparseembed.embedders.presets import find_spec
from sparseembed.embedders.sources import model_folder
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import EmbedderError
from sparseembed.files import cache_folder
from sparseembed.progress import ConsoleReporter, set_reporter

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
HEADS = {"attn_q": 4, "attn_k": 2}


@pytest.fixture(scope="module")
def gguf_file(tiny_model, tiny_tokenizer, tmp_path_factory):
    """Write the tiny tied Llama as llama.cpp does: 32-bit weights, rows of queries and keys in its own order."""
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    path = tmp_path_factory.mktemp("gguf") / "tiny.F32.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(tiny_tokenizer.get_vocab_size())
    add_tokenizer(writer, tiny_tokenizer)
    for name, values in load_file(tiny_model("tied") / "model.safetensors").items():
        writer.add_tensor(*renamed(name, values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_tokenizer(writer, tokenizer):
    import json

    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([tokenizer.id_to_token(piece) for piece in range(tokenizer.get_vocab_size())])
    writer.add_token_types([3, 3] + [1] * (tokenizer.get_vocab_size() - 2))
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)


def renamed(name, values):
    parts = name.removeprefix("model.").removesuffix(".weight")
    if parts in ("embed_tokens", "norm"):
        return {"embed_tokens": "token_embd", "norm": "output_norm"}[parts] + ".weight", values
    _, layer, part = parts.split(".", 2)
    heads = HEADS.get(NAMES[part])
    if heads:
        halves = values.reshape(heads, 2, len(values) // heads // 2, -1)
        values = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))
    return f"blk.{layer}.{NAMES[part]}.weight", values


def test_is_converted_to_the_same_model(gguf_file, tiny_model, tiny_embedder):
    spec = find_spec(str(gguf_file)).with_changes(
        dtype="float32", device="cpu", document_prompt="{text}", pooling="token:-1"
    )
    embedder = TransformerEmbedder(spec)
    assert spec.name == "tiny.F32"
    assert embedder.folder.is_relative_to(cache_folder("models"))
    np.testing.assert_array_equal(decoding_matrix(embedder), read_matrix(tiny_model("tied")))
    original = tiny_embedder("tied")
    for text in ("the cat sat on the mat", "Rivers"):
        pieces = embedder.tokenizer.encode(text, add_special_tokens=False).ids
        assert pieces == original.tokenizer.encode(text, add_special_tokens=False).ids
    # A GGUF file says nothing about what the tokenizer adds.
    texts = [text if embedder.tokenizer.encode("x").ids[0] == 0 else "<s>" + text for text in ("the cat sat", "mat")]
    embedder.tokenizer.encode_special_tokens = False
    np.testing.assert_allclose(embedder.encode(texts), original.encode(["the cat sat", "mat"]), atol=1e-4)


@pytest.mark.parametrize("name", ["weights", "model.bin", "b4fe0c9d"])
def test_is_known_by_its_first_bytes(gguf_file, tmp_path, tiny_embedder, name):
    other = tmp_path / name
    other.symlink_to(gguf_file)  # as in the hub client's cache, where a blob has its hash for a name
    assert is_gguf(other)
    copy = tmp_path / f"copy-{name}"
    copy.write_bytes(gguf_file.read_bytes())
    spec = find_spec(str(copy))
    assert spec.name == copy.name
    assert (model_folder(spec.weights) / "model.safetensors").is_file()


def test_is_converted_once(gguf_file, monkeypatch, capfd):
    stream = io.StringIO()
    before = set_reporter(ConsoleReporter(stream))
    try:
        folder = model_folder(str(gguf_file))
    finally:
        set_reporter(before)
    assert stream.getvalue().startswith("converting tiny.F32.gguf to safetensors, once")
    assert stream.getvalue().endswith(f"wrote {folder}\n")
    assert capfd.readouterr() == ("", "")  # no bar or warning of a library's
    monkeypatch.setattr(gguf, "_convert", lambda path, into: pytest.fail("converted twice"))
    assert convert_gguf(gguf_file) == folder


def test_the_file_is_read_once(gguf_file, monkeypatch):
    library = import_module("gguf")
    plain, read = library.GGUFReader, []
    counting = lambda path, *rest: read.append(path) or plain(path, *rest)  # noqa: E731
    monkeypatch.setattr(library, "GGUFReader", counting)
    convert_gguf(gguf_file)
    assert len(read) == 1
    assert library.GGUFReader is counting  # what was changed for it is put back
    copy = gguf_file.with_name("damaged.gguf")
    copy.write_bytes(gguf_file.read_bytes()[:-100])
    with pytest.raises(EmbedderError):
        convert_gguf(copy)
    assert library.GGUFReader is counting


def test_a_copy_elsewhere_is_the_same_and_other_contents_are_not(gguf_file, tmp_path, monkeypatch):
    monkeypatch.setattr(gguf, "_convert", lambda path, into: (into / "config.json").write_text("{}"))
    copy = tmp_path / gguf_file.name
    copy.write_bytes(gguf_file.read_bytes())
    assert convert_gguf(copy) == convert_gguf(gguf_file)
    copy.write_bytes(gguf_file.read_bytes() + b"\0")
    assert convert_gguf(copy) != convert_gguf(gguf_file)


@pytest.mark.parametrize("kept", [0, 3, 40, 0.3, 0.9])
def test_a_damaged_file_is_one_line_and_leaves_no_folder(gguf_file, tmp_path, kept):
    contents = gguf_file.read_bytes()
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(contents[: kept if isinstance(kept, int) else int(len(contents) * kept)])
    with pytest.raises(EmbedderError, match=r"cannot read .*damaged\.gguf as a GGUF model: ") as caught:
        convert_gguf(damaged)
    assert str(caught.value).isprintable()
    assert list(cache_folder("models").iterdir()) == []
