"""Embeddings that are known already, by document id."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from sparseembed.embedders.store import EmbeddingStore
from sparseembed.embedders.transformer import Encoded, TransformerEmbedder
from sparseembed.errors import DataError, SparseEmbedError
from sparseembed.index.manifest import Manifest
from sparseembed.indexing.stores import open_store
from sparseembed.progress import note


class Recalling:
    """An embedder that looks documents up in stores, and encodes those that are in none."""

    def __init__(self, embedder: TransformerEmbedder, stores: Sequence[EmbeddingStore]) -> None:
        """Take the stores.

        :param embedder: The embedder that made them.
        :param stores: Embeddings of documents; of those with one id the last counts.
        """
        self._embedder, self._stores = embedder, stores
        self._place = {
            doc_id: (number, row) for number, store in enumerate(stores) for row, doc_id in enumerate(store.ids)
        }

    @classmethod
    def of(cls, manifest: Manifest, embedder: TransformerEmbedder) -> Any:
        """Open the stores that a manifest names; those that are gone are told of.

        :param manifest: The index's manifest.
        :param embedder: Its embedder.
        """
        stores = []
        for name in manifest.embeddings:
            try:
                store = open_store(name)
                if store.about.get("embedder") != embedder.identity("document"):
                    raise DataError(f"{store.folder} holds another embedder's embeddings")
                stores.append(store)
            except SparseEmbedError as error:
                note(f"encoding again what was kept there: {error}")
        return cls(embedder, stores)

    def known(self, ids: Iterable[str]) -> int:
        """Return how many documents are in a store.

        :param ids: The documents' ids.
        """
        return sum(each in self._place for each in ids)

    def encode_counted(
        self, texts: Sequence[str], side: str = "document", names: Sequence[str] | None = None
    ) -> Encoded:
        """Return embeddings of documents, as `TransformerEmbedder.encode_counted` does.

        :param names: The documents' ids.
        """
        return self._recalled(texts, names, lambda some, ids: self._embedder.encode_counted(some, side, ids), 1)

    def encode_prompts(self, texts: Sequence[str], names: Sequence[str] | None = None) -> Encoded:
        """Return embeddings of documents, as `TransformerEmbedder.encode_prompts` does.

        :param names: The documents' ids.
        """
        prompts = len(self._embedder.spec.document_prompts)
        return self._recalled(texts, names, self._embedder.encode_prompts, prompts)

    def _recalled(
        self,
        texts: Sequence[str],
        given: Sequence[str] | None,
        encode: Callable[[Sequence[str], Sequence[str]], Encoded],
        prompts: int,
    ) -> Encoded:
        names = list(given or [])
        missing = [row for row, name in enumerate(names) if name not in self._place]
        cut = 0
        vectors = np.zeros((len(texts), prompts * self._embedder.dimension), dtype=np.float32)
        for number, store in enumerate(self._stores):
            rows = [row for row, name in enumerate(names) if self._place.get(name, (-1,))[0] == number]
            if rows:
                vectors[rows] = store.take(np.asarray([self._place[names[row]][1] for row in rows], dtype=np.int64))
                if store.about["cut"]:
                    cut += sum(taken is not None for taken in self._embedder.reach([texts[row] for row in rows]))
        if not missing:
            return Encoded(vectors, 0, cut)
        encoded = encode([texts[row] for row in missing], [names[row] for row in missing])
        vectors[missing] = encoded.vectors
        return Encoded(vectors, encoded.tokens, encoded.cut + cut)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)
