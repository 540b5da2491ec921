"""An embedder that costs nothing: deterministic random vectors, and a real model's tokenizer and decoding matrix."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import Encoded, TransformerEmbedder
from sparseembed.errors import EmbedderError


class StubEmbedder(TransformerEmbedder):
    """Gives each text a random vector that depends on the text alone; no model is loaded."""

    def __init__(self, spec: EmbedderSpec, dimension: int) -> None:
        """Take a model folder's parts, and its width."""
        super().__init__(spec)
        self._width = dimension

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return self._width

    def identity(self, side: str | None = None) -> dict[str, Any]:
        """Return the model's identity, marked, so that its embeddings are never taken for the model's own."""
        return {**super().identity(side), "stub": True}

    def encode_counted(
        self, texts: Sequence[str], side: str = "document", names: Sequence[str] | None = None
    ) -> Encoded:
        """Return random vectors, shape (n, d): zeros for blank texts."""
        vectors = np.zeros((len(texts), self._width), dtype=np.float32)
        for row, text in enumerate(texts):
            if text.strip():
                seed = zlib.crc32(text.encode("utf-8", "replace"))
                vectors[row] = np.random.Generator(np.random.SFC64(seed)).standard_normal(self._width, np.float32)
        return Encoded(vectors, sum(text.count(" ") + 1 for text in texts), 0)

    def early(self, texts: Sequence[str], depth: int, side: str = "query") -> np.ndarray:
        """Refuse, as a model does that has no list of layers.

        :raises EmbedderError: Always.
        """
        raise EmbedderError("a stub has no layers that could be run in part")


def stub_embedder(embedder: str | None = None) -> StubEmbedder:
    """Return a stub of an embedder.

    :param embedder: Its name; the default preset when None.
    """
    from sparseembed.alignment.matrix import decoding_folder, read_matrix

    real = load_embedder(embedder)
    width = read_matrix(decoding_folder(real)).shape[1]
    spec = EmbedderSpec("stub", str(real.folder), dtype="float32", device="cpu")
    return StubEmbedder(spec, int(width))
