"""Where memory does not suffice: smaller batches, the same vectors."""

from functools import partial

import numpy as np
import pytest

from sparseembed.errors import EmbedderError

TOLERANCE = 1e-5  # of states of length about 6: float32 sums in another order
TEXTS = ["cat", "the cat sat on the mat", "green plants make sugar from light", "A whale", "Rivers carry sand"]


def starve(embedder, monkeypatch, rows):
    """Let an embedder run out of memory where a batch has more than so many rows."""
    body, sizes = embedder._load(), []

    def limited(run, items, *rest):
        sizes.append(len(items))
        if len(items) > rows:
            raise RuntimeError("CUDA out of memory. Tried to allocate\n 2.00 GiB")
        return run(items, *rest)

    for name in ("embed", "early"):
        monkeypatch.setattr(body, name, partial(limited, getattr(body, name)))
    return sizes


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("layers", [(), (1,)], ids=["all layers", "the first"])
def test_where_memory_does_not_suffice_batches_shrink(tiny_embedder, monkeypatch, rows, layers):
    texts = TEXTS * 3
    embedder = tiny_embedder("mistral", pooling="mean")
    read = embedder.early if layers else embedder.encode
    expected = read(texts, *layers)
    sizes = starve(embedder, monkeypatch, rows)
    np.testing.assert_allclose(read(texts, *layers), expected, atol=TOLERANCE)
    assert sizes[0] == len(texts)
    assert sum(size for size in sizes if size <= rows) == len(texts)
    assert len([size for size in sizes if size > rows]) <= 6  # no batch fails over and over


def test_one_text_too_large_for_memory_is_named(tiny_embedder, monkeypatch):
    embedder = tiny_embedder("mistral")
    starve(embedder, monkeypatch, 0)
    with pytest.raises(
        EmbedderError, match=r"memory does not suffice for query b .*--max-length.*--device cpu"
    ) as caught:
        embedder.encode_counted(["cat", "the cat sat on the mat"], "query", ["a", "b"])
    assert str(caught.value).isprintable()
    with pytest.raises(EmbedderError, match="memory does not suffice for query number 2 "):
        embedder.early(["cat", "the cat sat on the mat"], 1)


def test_another_failure_of_the_forward_pass_is_no_want_of_memory(tiny_embedder, monkeypatch):
    embedder = tiny_embedder("mistral")

    def fail(items):
        raise RuntimeError("expected scalar type Half")

    monkeypatch.setattr(embedder._load(), "embed", fail)
    with pytest.raises(RuntimeError, match="expected scalar type Half"):
        embedder.encode(["cat", "dog"])
