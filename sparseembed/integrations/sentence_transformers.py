"""An index's encoders as a `SparseEncoder` of sentence-transformers.

>>> model = sparse_encoder("indexes/pydocs")
>>> model.similarity(model.encode_query("a random element"), model.encode_document("random.choice picks one"))

The dimensions are the terms of the index. A document's vector holds the impacts that indexing it would store, a
query's the weights of its terms, so that the dot product of the two is the score of a search.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparseembed.embedders.load import EmbedderLike
from sparseembed.embedders.presets import PRESETS
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.extras import needing
from sparseembed.index.snapshot import open_snapshot
from sparseembed.indexing.impacts import ImpactEncoder
from sparseembed.integrations.finding import folder_of
from sparseembed.retrieval.embedder import matching_embedder
from sparseembed.retrieval.searcher import Searcher

with needing("sentence-transformers", "sparseembed.integrations.sentence_transformers"):
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import InputModule

DOCUMENT, QUERY = "document", "query"


class IndexEncoder(InputModule):
    """The one module of a `SparseEncoder` that encodes as an index does.

    `encode_query` gives a query's terms, without a model unless it is expanded, and `encode_document`, like `encode`, a
    document's. A term that the index does not have has no dimension, and is left out.
    """

    config_keys = ("index", "embedder", "expand")
    forward_kwargs = frozenset({"task"})
    max_seq_length = None  # texts over the embedder's limit are split, not cut

    def __init__(self, index: str | Path | Searcher, embedder: EmbedderLike | None = None, expand: int = 0) -> None:
        """Open an index.

        :param index: The index folder, or a searcher that has it open.
        :param embedder: The index's embedder; the one that its manifest names when None, if a preset.
        :param expand: Aligned terms added to each query by one model call; 0 for none.
        :raises IndexFolderError: There is no index, it is damaged, or was made by another embedder.
        """
        super().__init__()
        self.index, self.expand = folder_of(index), expand
        self.embedder = embedder if embedder is None or isinstance(embedder, str) else _name(embedder)
        snapshot = open_snapshot(Path(self.index))
        try:
            statistics = snapshot.statistics()
            chosen = matching_embedder(snapshot.manifest, embedder)
            terms = dict.fromkeys(statistics.space.terms)
            for segment in snapshot.segments:
                terms.update(dict.fromkeys(term for term, _ in segment.terms_iter()))
        finally:
            snapshot.close()
        self._number = {term: number for number, term in enumerate(terms)}
        self._documents = ImpactEncoder(statistics, chosen)
        self._queries = Searcher.open(self.index, expand=expand, embedder=chosen if expand else None, warm=False)
        self.tokenizer = _Labels([self._queries.label(term) for term in terms])

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Return the texts as they are: the embedder has prompts of its own, and one given here goes before them."""
        return {"texts": [f"{prompt or ''}{text}" for text in inputs]}

    def forward(self, features: dict[str, Any], task: str | None = None) -> dict[str, Any]:
        """Encode texts.

        :param features: What `preprocess` returned.
        :param task: `query`, or `document`, which is also what None stands for.
        :return: The same with `sentence_embedding`, shape (n, terms), float32.
        """
        texts = features["texts"]
        if task == QUERY:
            vectors = [self._queries.encode_query(text) for text in texts]
        else:
            vectors = self._documents.encode(texts)
        dense = torch.zeros(len(texts), len(self._number))
        for row, vector in enumerate(vectors):
            for term, weight in vector.items():
                place = self._number.get(term)
                if place is not None:
                    dense[row, place] = weight
        features["sentence_embedding"] = dense
        return features

    def get_embedding_dimension(self) -> int:
        """Return the number of terms."""
        return len(self._number)

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Save where the index is and how it is used: the index itself stays where it is."""
        self.save_config(output_path)

    def get_config_dict(self) -> dict[str, Any]:
        """Return what `save` saves."""
        return {"index": str(Path(self.index).resolve()), "embedder": self.embedder, "expand": self.expand}


class _Labels:
    """What `SparseEncoder.decode` asks of a tokenizer: the names of dimensions."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels)

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return [self._labels[number] for number in ids]


def sparse_encoder(
    index: str | Path | Searcher, embedder: EmbedderLike | None = None, expand: int = 0
) -> "SparseEncoder":
    """Return a `SparseEncoder` that encodes as an index does; its parameters and errors are those of `IndexEncoder`.

    What its `save_pretrained` writes names the index, and `SparseEncoder(folder, trust_remote_code=True)` reads it:
    sentence-transformers asks that for all modules that are not its own.
    """
    return SparseEncoder(modules=[IndexEncoder(index, embedder, expand)], similarity_fn_name="dot", device="cpu")


def _name(embedder: EmbedderSpec | TransformerEmbedder) -> str:
    """Return the name by which an embedder can be had again: a preset's, or that of its weights."""
    spec = embedder.spec if isinstance(embedder, TransformerEmbedder) else embedder
    return spec.name if spec.name in PRESETS else spec.weights
