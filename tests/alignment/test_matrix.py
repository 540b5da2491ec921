"""The decoding matrix, from every form of checkpoint."""

import json
import subprocess
import sys

import numpy as np
import pytest

from sparseembed.alignment.head import check_head
from sparseembed.alignment.matrix import decoding_matrix, read_matrix
from sparseembed.alignment.tensor_file import read_header, read_tensor
from sparseembed.errors import EmbedderError


def loaded_head(folder):
    """Return the output matrix as transformers itself sees it."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.get_output_embeddings().weight.detach().numpy()


def state_of(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def error_of(folder, call=read_matrix):
    with pytest.raises(EmbedderError) as caught:
        call(folder)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("kind", ["tied", "untied", "gpt2", "neox", "gptneo", "opt", "mistral", "qwen3", "gemma3"])
def test_is_the_output_matrix(tiny_model, tiny_embedder, kind):
    matrix = decoding_matrix(tiny_embedder(kind))
    np.testing.assert_array_equal(matrix, loaded_head(tiny_model(kind)))
    assert matrix.dtype == np.float32
    check_head(tiny_embedder(kind))


def test_of_an_untied_model_it_is_not_the_input_matrix(tiny_model):
    inputs = state_of(tiny_model("untied"))["model.embed_tokens.weight"].numpy()
    assert not np.array_equal(read_matrix(tiny_model("untied")), inputs)


def test_decoding_the_last_state_gives_the_models_logits(tiny_model, tiny_embedder):
    import torch
    from transformers import AutoModelForCausalLM

    for kind in ("tied", "untied", "gpt2", "neox"):
        embedder = tiny_embedder(kind)
        model = AutoModelForCausalLM.from_pretrained(tiny_model(kind), dtype=torch.float32).eval()
        with torch.inference_mode():
            ids = torch.tensor([embedder.tokenizer.encode("the cat sat").ids])
            logits = model(input_ids=ids).logits[0, -1].numpy()
        scores = embedder.encode(["the cat sat"])[0] @ decoding_matrix(embedder).T
        np.testing.assert_allclose(scores, logits, atol=1e-4)


@pytest.mark.parametrize("kind", ["tied", "untied"])
def test_sharded_safetensors(tiny_model, tiny_embedder, tmp_path, kind):
    import torch
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(tiny_model(kind), dtype=torch.float32).save_pretrained(
        tmp_path, max_shard_size="20KB"
    )
    (tmp_path / "tokenizer.json").write_bytes((tiny_model(kind) / "tokenizer.json").read_bytes())
    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    np.testing.assert_array_equal(decoding_matrix(tiny_embedder(tmp_path)), read_matrix(tiny_model(kind)))
    sharded, whole = tiny_embedder(tmp_path).encode(["cat"]), tiny_embedder(kind).encode(["cat"])
    np.testing.assert_array_equal(sharded, whole)


@pytest.mark.parametrize("kind", ["tied", "untied"])
@pytest.mark.parametrize("new_format", [True, False])
def test_pytorch_bin(tiny_model, model_copy, tiny_embedder, kind, new_format):
    import torch

    folder = model_copy(kind)
    state = state_of(folder)
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=new_format)
    torch.save({"optimizer": object()}, folder / "training_args.bin")
    np.testing.assert_array_equal(decoding_matrix(tiny_embedder(folder)), read_matrix(tiny_model(kind)))


def test_half_precision_weights(tiny_model, model_copy):
    import torch
    from safetensors.torch import save_file

    folder = model_copy("tied")
    halved = {name: tensor.to(torch.bfloat16) for name, tensor in state_of(folder).items()}
    save_file(halved, folder / "model.safetensors", metadata={"format": "pt"})
    matrix = read_matrix(folder)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix, read_matrix(tiny_model("tied")), rtol=0.005)


def write_sparse(file, tensors, stored):
    """Write a safetensors file: the bytes given, and holes for what has only a size."""
    header, place = {}, 0
    for name, (shape, contents) in tensors.items():
        size = len(contents) if isinstance(contents, bytes) else contents
        header[name] = {"dtype": stored, "shape": shape, "data_offsets": [place, place + size]}
        place += size
    encoded = json.dumps(header).encode()
    with file.open("wb") as handle:
        handle.write(len(encoded).to_bytes(8, "little") + encoded)
        for _, contents in tensors.values():
            if isinstance(contents, bytes):
                handle.write(contents)
            else:
                handle.seek(contents, 1)
        handle.truncate(8 + len(encoded) + place)


# The peak is the process's own (VmHWM): getrusage's, ru_maxrss, begins at that of the process that started it.
MEASURE = """
import re, sys, zlib
from pathlib import Path
from sparseembed.alignment.matrix import read_matrix
def number(file, field):
    return int(re.search(field + r":\\s+(\\d+)", Path("/proc/self", file).read_text())[1])
resident, read = number("status", "VmRSS"), number("io", "rchar")
matrix = read_matrix(Path(sys.argv[1]))
peak, read = number("status", "VmHWM") - resident, number("io", "rchar") - read
sys.stdout.write(f"{peak * 1024} {read} {zlib.crc32(matrix)} {'torch' in sys.modules}")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is measured through /proc")
@pytest.mark.parametrize("stored", ["F32", "BF16", "F16"])
@pytest.mark.parametrize("tied", [True, False])
def test_of_a_sharded_checkpoint_one_tensor_is_read_and_memory_is_its_own_size(tmp_path, stored, tied):
    import zlib

    rows, width, other = 16_384, 1_024, 160 << 20
    upper = np.random.default_rng(1).integers(0, 0x4000, (rows, width), dtype=np.uint16)  # finite in all three types
    expected = {
        "F32": lambda: upper.astype(np.float32),
        "BF16": lambda: (upper.astype(np.uint32) << 16).view(np.float32),
        "F16": lambda: upper.view(np.float16).astype(np.float32),
    }[stored]()
    contents = expected.tobytes() if stored == "F32" else upper.tobytes()
    name = "model.embed_tokens.weight" if tied else "lm_head.weight"
    itemsize = 4 if stored == "F32" else 2
    body = {f"model.layers.{layer}.mlp.up_proj.weight": ([other // itemsize], other) for layer in range(2)}
    first, second = body.items()
    write_sparse(tmp_path / "model-00001-of-00002.safetensors", dict([first]), stored)
    write_sparse(
        tmp_path / "model-00002-of-00002.safetensors", {second[0]: second[1], name: ([rows, width], contents)}, stored
    )
    (tmp_path / "config.json").write_text(json.dumps({"tie_word_embeddings": tied}))
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    peak, read, digest, torch_loaded = output.split()
    assert int(digest) == zlib.crc32(expected)
    assert int(read) < len(contents) + (1 << 20)
    assert int(peak) < 1.2 * expected.nbytes
    assert torch_loaded == "False"


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_every_stored_type_is_read_as_the_library_reads_it(tmp_path, dtype):
    import torch
    from safetensors.torch import save_file

    values = torch.cat([torch.randn(500) * 10.0 ** torch.arange(-4, 4).repeat(63)[:500], torch.tensor([0.0, -0.0])])
    tensors = {"a": torch.ones(3), "m": values.to(getattr(torch, dtype)).reshape(2, 251), "z": torch.ones(2)}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    np.testing.assert_array_equal(read_tensor(tmp_path / "x.safetensors", "m"), tensors["m"].float().numpy())
    assert set(read_header(tmp_path / "x.safetensors")) == {"a", "m", "z"}


def test_a_quantised_matrix_is_one_line(model_copy):
    import torch
    from safetensors.torch import save_file

    folder = model_copy("untied")
    state = state_of(folder)
    state["lm_head.weight"] = torch.ones(4, 4, dtype=torch.int8)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    assert "is stored as I8, not as F64, F32, F16, BF16" in error_of(folder)


def test_a_body_without_its_head_is_an_error_before_any_encoding(model_copy, tiny_embedder):
    from safetensors.torch import save_file

    folder = model_copy("untied")
    state = state_of(folder)
    del state["lm_head.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    embedder = tiny_embedder(folder)
    with pytest.raises(EmbedderError, match=r"has no LM head .*--decoding") as caught:
        check_head(embedder)
    assert str(folder) in str(caught.value)
    assert embedder.model_calls == 0
    assert embedder.encode(["cat"]).any()


def test_an_encoder_has_no_head(tiny_model):
    # Its config calls its embeddings tied, but there are layers between its states and them.
    assert json.loads((tiny_model("bert") / "config.json").read_text()).get("tie_word_embeddings", True)
    assert "has no LM head" in error_of(tiny_model("bert"))


def test_a_bare_body_of_a_tied_model_has_one(tiny_model, tmp_path):
    import torch
    from transformers import AutoModel

    for kind in ("tied", "gpt2"):
        AutoModel.from_pretrained(tiny_model(kind), dtype=torch.float32).save_pretrained(tmp_path / kind)
        np.testing.assert_array_equal(read_matrix(tmp_path / kind), read_matrix(tiny_model(kind)))


def test_a_config_that_does_not_say_follows_its_architecture(model_copy, tiny_model):
    for kind, tied in (("gpt2", True), ("untied", False)):
        folder = model_copy(kind)
        config = json.loads((folder / "config.json").read_text())
        config.pop("tie_word_embeddings", None)
        (folder / "config.json").write_text(json.dumps(config))
        if tied:
            np.testing.assert_array_equal(read_matrix(folder), read_matrix(tiny_model(kind)))
        else:
            state = state_of(folder)
            del state["lm_head.weight"]
            from safetensors.torch import save_file

            save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
            assert "has no LM head" in error_of(folder)


def test_another_backbones_matrix(tiny_model, tiny_embedder):
    matrix = decoding_matrix(tiny_embedder("untied", decoding=str(tiny_model("tied"))))
    np.testing.assert_array_equal(matrix, read_matrix(tiny_model("tied")))


def test_a_matrix_of_another_width_is_an_error(tiny_tokenizer, tiny_embedder, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    size = tiny_tokenizer.get_vocab_size()
    config = LlamaConfig(
        vocab_size=size, hidden_size=16, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(EmbedderError, match="has rows of 16, the embeddings have 32 numbers"):
        decoding_matrix(tiny_embedder("tied", decoding=str(tmp_path)))


def test_damaged_checkpoints_are_one_line(model_copy):
    folder = model_copy("tied")
    weights = (folder / "model.safetensors").read_bytes()
    for contents in (b"", b"garbage", weights[: len(weights) // 2], weights[:4]):
        (folder / "model.safetensors").write_bytes(contents)
        assert "model.safetensors is damaged" in error_of(folder)
    (folder / "model.safetensors").unlink()
    assert "holds no weights" in error_of(folder)
    for contents in (b"", b"garbage", b"PK\x03\x04 no zip"):
        (folder / "pytorch_model.bin").write_bytes(contents)
        assert "pytorch_model.bin cannot be read as PyTorch weights" in error_of(folder)


@pytest.mark.parametrize("config", ["{", "[]", '{"model_type": "no-such-model"}'])
def test_a_damaged_config_is_one_line(model_copy, config):
    folder = model_copy("tied")
    (folder / "config.json").write_text(config)
    assert "config.json" in error_of(folder)


def test_nan_in_the_matrix_is_one_line(model_copy):
    from safetensors.torch import save_file

    folder = model_copy("untied")
    state = state_of(folder)
    state["lm_head.weight"][3, 3] = float("nan")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    assert "lm_head.weight" in error_of(folder)
    assert "holds NaN or infinity" in error_of(folder)
