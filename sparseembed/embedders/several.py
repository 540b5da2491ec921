"""An embedder that gives each document all its embeddings: one for each document prompt, side by side."""

from collections.abc import Sequence
from typing import Any

from sparseembed.embedders.transformer import Encoded, TransformerEmbedder


class SeveralPrompts:
    """What fills a store of documents where there are several document prompts."""

    def __init__(self, embedder: TransformerEmbedder) -> None:
        """Take the embedder.

        :param embedder: One of P document prompts.
        """
        self._embedder = embedder

    @property
    def dimension(self) -> int:
        """Numbers of a document: P times the length of an embedding."""
        return len(self._embedder.spec.document_prompts) * self._embedder.dimension

    def encode_counted(
        self, texts: Sequence[str], side: str = "document", names: Sequence[str] | None = None
    ) -> Encoded:
        """Embed documents under all prompts; see `TransformerEmbedder.encode_prompts`."""
        return self._embedder.encode_prompts(texts, names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)


def every_prompt(embedder: TransformerEmbedder) -> Any:
    """Return what fills a store of documents by an embedder: the embedder itself where it has one document prompt.

    :param embedder: The embedder.
    """
    return SeveralPrompts(embedder) if embedder.spec.more_prompts else embedder
