"""The static query encoder: rows, idf and sums against plain loops, and what it does without."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sparseembed.alignment.checkpoint import Checkpoint, WholeRows
from sparseembed.alignment.head import decoding_head
from sparseembed.alignment.static import StaticEncoder, static_features, token_idf, token_rows, tokens_of
from sparseembed.alignment.tensor_file import TensorRows
from sparseembed.embedders.early import EarlyHead, StaticHead
from sparseembed.embedders.load import load_embedder
from sparseembed.errors import EmbedderError

TEXTS = [
    "cat",
    "the cat sat on the mat",
    "",
    "Rivers carry water from the mountains to the sea.",
    " \n",
    "\ud800 whale",
]
random = np.random.default_rng(4)


@pytest.mark.parametrize("kind", ["tied", "untied", "qwen3"])
def test_rows_are_those_of_the_decoding_matrix(tiny_model, kind):
    embedder = load_embedder(str(tiny_model(kind)), pooling="mean")
    rows, matrix = token_rows(embedder), decoding_head(embedder).matrix
    numbers = np.array([5, 0, len(matrix) - 1, 5])
    assert isinstance(rows, TensorRows)
    assert rows.shape[0] == len(matrix)
    np.testing.assert_array_equal(rows.take(numbers), matrix[numbers, : rows.shape[1]])
    assert rows.take(numbers[:0]).shape == (0, rows.shape[1])


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", "distilbert"])
def test_rows_are_those_of_an_mlm_head_s_matrix_without_its_bias(masked_model, kind):
    embedder = load_embedder(str(masked_model(kind)), pooling="mean", attention="bidirectional")
    rows, matrix = token_rows(embedder), decoding_head(embedder).matrix
    assert rows.shape == (len(matrix), matrix.shape[1] - 1)
    np.testing.assert_array_equal(rows.take(np.array([4, 9])), matrix[[4, 9], :-1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_rows_of_every_type_and_form(tmp_path, dtype):
    matrix = torch.from_numpy(random.normal(size=(7, 5))).to(dtype)
    save_file({"before": torch.zeros(3), "rows": matrix, "flat": torch.zeros(4)}, tmp_path / "a.safetensors")
    numbers = np.array([6, 2, 2])
    found = TensorRows(tmp_path / "a.safetensors", "rows").take(numbers)
    np.testing.assert_array_equal(found, matrix.float().numpy()[numbers])
    np.testing.assert_array_equal(WholeRows(matrix.float().numpy()).take(numbers), found)
    with pytest.raises(EmbedderError, match=r"flat in .* is no matrix"):
        TensorRows(tmp_path / "a.safetensors", "flat")


def test_a_file_that_was_cut_or_removed_is_told(tmp_path):
    file = tmp_path / "a.safetensors"
    save_file({"rows": torch.ones(1000, 64)}, file)
    rows = TensorRows(file, "rows")
    with file.open("r+b") as handle:
        handle.truncate(5000)
    with pytest.raises(EmbedderError, match="it ends early"):
        rows.take(np.array([999]))
    file.unlink()
    with pytest.raises(EmbedderError, match="cannot be read"):
        rows.take(np.array([0]))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_that_are_no_numbers_are_told(tmp_path, value, dtype):
    matrix = torch.ones(9, 4, dtype=dtype)
    matrix[5, 3] = value
    save_file({"rows": matrix}, tmp_path / "a.safetensors")
    rows = TensorRows(tmp_path / "a.safetensors", "rows")
    assert rows.take(np.array([4, 6])).all()
    with pytest.raises(EmbedderError, match=r"rows in .* holds NaN or infinity"):
        rows.take(np.array([4, 5]))


def test_a_checkpoint_of_pytorch_s_own_form_gives_rows_too(tiny_model, tmp_path):
    folder = tiny_model("tied")
    other = tmp_path / "model"
    other.mkdir()
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (other / file.name).write_bytes(file.read_bytes())
    torch.save(load_file(folder / "model.safetensors"), other / "pytorch_model.bin")
    rows = token_rows(load_embedder(str(other)))
    with pytest.raises(EmbedderError, match=r"model.norm.weight in .*pytorch_model.bin is no matrix"):
        Checkpoint(other).rows("model.norm.weight", "the decoding matrix")
    numbers = np.array([3, 1])
    np.testing.assert_array_equal(rows.take(numbers), token_rows(load_embedder(str(folder))).take(numbers))


def test_sums_and_idf_are_those_of_plain_loops(tiny_embedder):
    tokenizer = tiny_embedder().tokenizer
    tokens = [tokenizer.encode(f" {text}".replace("\ud800", "\ufffd"), add_special_tokens=False).ids for text in TEXTS]
    tokens[2] = tokens[4] = []
    assert tokens_of(tokenizer, [text.strip() for text in TEXTS]) == tokens_of(tokenizer, TEXTS) == tokens
    size = tokenizer.get_vocab_size() - 1  # the matrix may have fewer rows than there are tokens
    idf = token_idf(tokenizer, TEXTS, size)
    for token in range(size):
        plain = np.log(1 + len(TEXTS) / (1 + sum(token in given for given in tokens)))
        assert idf[token] == pytest.approx(plain, rel=1e-3)
    matrix = random.normal(size=(size, 6)).astype(np.float32)
    asked = [*tokens, [1, 1, 1, 2], [size, size + 5]]
    found = static_features(asked, WholeRows(matrix), idf)
    for given, sums in zip(asked, found, strict=True):
        plain, total = np.zeros(6), 0.0
        for token in given:
            if token < size:
                plain += float(idf[token]) * matrix[token].astype(np.float64)
                total += float(idf[token])
        np.testing.assert_allclose(sums, plain / np.sqrt(total or 1), rtol=1e-5, atol=1e-6)


def head_for(rows, dimension):
    size, width = rows.shape
    floats = [random.normal(size=shape).astype(np.float32) for shape in ((width,), (width, dimension), (dimension,))]
    return StaticHead(np.ones(size, dtype=np.float32), EarlyHead(0, floats[0], np.ones_like(floats[0]), *floats[1:]))


def test_texts_without_tokens_get_zeros_and_a_batch_changes_nothing(tiny_embedder):
    embedder = tiny_embedder()
    encoder = StaticEncoder(embedder, head_for(token_rows(embedder), 32))
    together = encoder.encode(TEXTS)
    assert not together[[2, 4]].any()
    assert together[[0, 1, 3, 5]].any(axis=1).all()
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert encoder.encode([]).shape == (0, 32)


def test_a_head_of_another_matrix_is_refused(tiny_embedder):
    embedder = tiny_embedder()
    head = head_for(token_rows(embedder), 32)
    encoder = StaticEncoder(embedder, head._replace(idf=head.idf[1:]))
    for _ in range(2):
        with pytest.raises(EmbedderError, match=r"fitted to .* fit it anew with sparseembed fit-query-encoder"):
            encoder.encode(["cat"])


def test_neither_torch_nor_transformers_is_loaded(tiny_model):
    script = f"""
import sys
import numpy as np
from sparseembed.alignment.static import StaticEncoder, token_rows
from sparseembed.embedders.early import EarlyHead, StaticHead
from sparseembed.embedders.load import load_embedder

embedder = load_embedder({str(tiny_model("tied"))!r}, dtype="float32")
size, width = token_rows(embedder).shape
head = EarlyHead(0, np.zeros(width), np.ones(width), np.eye(width, dtype=np.float32), np.zeros(width))
assert StaticEncoder(embedder, StaticHead(np.ones(size, dtype=np.float32), head)).encode(["a cat"]).any()
assert not {{"torch", "transformers", "jnius"}} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
