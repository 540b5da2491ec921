"""PyTerrier's retriever and indexer over an index; neither starts Terrier.

>>> retriever = SparseEmbedRetriever("indexes/pydocs") % 10
>>> retriever.search("pick a random element from a list")
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.load import EmbedderLike
from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError
from sparseembed.evaluation.runs import falling
from sparseembed.extras import needing
from sparseembed.indexing.build import build_index
from sparseembed.integrations.finding import IndexLike, opened, scores_of

with needing("pyterrier", "sparseembed.integrations.pyterrier"):
    import pandas as pd
    import pyterrier as pt

RESULTS = 1000  # of a query, as PyTerrier's own retrievers have it


class Searches(Protocol):
    """What finds hits for many queries: a `Searcher`, a `Bm25Engine`."""

    def search_batch(self, texts: Sequence[str], k: int, /) -> list[list[Hit]]:
        """Find the k best documents of each query."""


class SearchTransformer(pt.Transformer):
    """Anything that searches texts, as a transformer: queries to results (Q -> R), or results scored anew (R -> R).

    Results that are given keep their documents, as `>>` and `**` want it: each gets the score that a search gives it,
    and 0 where it would not be found.
    """

    def __init__(self, searches: Searches, num_results: int = RESULTS, name: str = "search") -> None:
        """Take what searches.

        :param searches: What searches.
        :param num_results: Results of a query, at most.
        :param name: What it is called in diagrams and tables.
        """
        if num_results < 1:
            raise ConfigError(f"num_results is {num_results}: it must be 1 or more")
        self.searches, self.num_results, self.name = searches, num_results, name

    def transform(self, inp: pd.DataFrame) -> pd.DataFrame:
        """Search each query, or score the documents that are given.

        :param inp: Columns qid and query; of results docno too.
        :return: The columns of the queries with docno, score and rank (from 0); or results as they were, scored anew.
            Where a search has ties, the scores are lowered by the smallest step: PyTerrier's evaluation looks at scores
            alone, and would order them by docno, descending.
        """
        with pt.validate.any(inp) as given:
            given.query_frame(extra_columns=["query"], mode="retrieve")
            given.result_frame(extra_columns=["query"], mode="rescore")
        return self._retrieved(inp) if given.mode == "retrieve" else self._rescored(inp)

    def fuse_rank_cutoff(self, k: int) -> "pt.Transformer":
        """Take a cutoff (`%`) into the search."""
        if k >= self.num_results:
            return self
        fused = copy(self)
        fused.num_results = k
        return fused

    def schematic(self, *, input_columns: list[str] | None = None) -> dict[str, Any]:
        """Say what it is called in diagrams; without an address for help, for which PyTerrier would ask the network."""
        return {"label": self.name, "help_url": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, num_results={self.num_results})"

    def _retrieved(self, inp: pd.DataFrame) -> pd.DataFrame:
        found = self.searches.search_batch([str(text) for text in inp["query"]], self.num_results)
        rows = np.repeat(np.arange(len(inp)), [len(hits) for hits in found])
        hits = [hit for each in found for hit in each]
        return (
            inp.iloc[rows]
            .assign(
                docno=pd.Series([hit.id for hit in hits], dtype=object).array,
                score=np.asarray(
                    [score for each in found for score in falling([hit.score for hit in each])], np.float64
                ),
                rank=np.asarray([hit.rank - 1 for hit in hits], dtype=np.int64),
            )
            .reset_index(drop=True)
        )

    def _rescored(self, inp: pd.DataFrame) -> pd.DataFrame:
        out = inp.drop(columns=["score", "rank"], errors="ignore").reset_index(drop=True)
        scores = np.zeros(len(out))
        for (_, query), group in out.groupby(["qid", "query"], sort=False):
            documents = group["docno"].astype(str)
            found = scores_of(partial(self._hits, str(query)), set(documents))
            scores[group.index.to_numpy()] = [found.get(document, 0.0) for document in documents]
        return pt.model.add_ranks(out.assign(score=scores))

    def _hits(self, query: str, k: int) -> list[Hit]:
        return self.searches.search_batch([query], k)[0]


class SparseEmbedRetriever(SearchTransformer):
    """Finds the documents of an index."""

    def __init__(
        self,
        index: IndexLike,
        num_results: int = RESULTS,
        name: str = "sparseembed",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the index.

        :param index: An index folder, or an open `Searcher`.
        :param num_results: Results of a query, at most.
        :param name: What it is called in diagrams and tables.
        :param options: Further arguments of `Searcher.open`, such as `{"rescore": 100}`.
        :raises IndexFolderError: There is no index, or it is damaged.
        """
        self.searcher = opened(index, options)
        super().__init__(self.searcher, num_results, name)


class SparseEmbedIndexer(pt.Indexer):
    """Indexes documents as PyTerrier gives them: dictionaries with a docno and texts."""

    def __init__(
        self,
        path: str | Path,
        text_attrs: Sequence[str] = ("text",),
        embedder: EmbedderLike | None = None,
        terms: str = "word",
        overwrite: bool = False,
        **choices: Any,
    ) -> None:
        """Say what to make.

        :param path: Folder of the index.
        :param text_attrs: Names of what is indexed, joined by a space; all else but docno is metadata.
        :param embedder: As in `build_index`.
        :param terms: As in `build_index`.
        :param overwrite: As in `build_index`.
        :param choices: As in `build_index`.
        """
        self.path, self.text_attrs, self.overwrite = Path(path), tuple(text_attrs), overwrite
        self.embedder, self.terms, self.choices = embedder, terms, choices

    def index_inputs(self) -> list[list[str]]:
        """Return what a document must have."""
        return [["docno", *self.text_attrs]]

    def index(self, iter: Iterable[Mapping[str, Any]], **kwargs: Any) -> SparseEmbedRetriever:
        """Index documents.

        :param iter: The documents; read once.
        :return: A retriever over the index.
        :raises DataError: A docno occurs twice or cannot be an id, or a document has not all texts.
        :raises IndexFolderError: The folder holds another index, and `overwrite` is not given.
        """
        corpus = Corpus(map(self._document, iter), self.path.name, f"pyterrier:{self.path.resolve()}")
        choices = {"overwrite": self.overwrite, "reencode": self.overwrite, **self.choices}
        built = build_index(corpus, self.path, self.embedder, self.terms, **choices)
        options = {"embedder": self.embedder} if self.embedder is not None else None
        return SparseEmbedRetriever(built.path, options=options)

    def _document(self, given: Mapping[str, Any]) -> Document:
        missing = [name for name in ("docno", *self.text_attrs) if name not in given]
        if missing:
            raise ConfigError(f"a document has no {missing[0]} ({given!r:.80}): name its texts by text_attrs")
        text = " ".join(str(given[name]) for name in self.text_attrs)
        metadata = {name: value for name, value in given.items() if name not in ("docno", *self.text_attrs)}
        return Document(str(given["docno"]), "", text, metadata)
