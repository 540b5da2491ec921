"""When passages pay: documents whole, cut, and in passages of several sizes, on a split that is tuned on.

    python benchmarks/passages.py pydocs
    python benchmarks/passages.py path/to/nfcorpus --split dev --every 4
    python benchmarks/passages.py pydocs --join 20

For each way: nDCG@10 of dense retrieval (each side centred; a document is as near as its nearest passage), of aligned
words alone and of the one index, and how far the one index is from the one of whole texts, with the standard error of
that difference over the queries. BM25 reads whole texts in every way: what is cut or split is what the embedder reads.
`--every N` takes every Nth document and the judgements of these alone; `--join N` makes one document of each N that
follow each other. The page goes to benchmarks/results/passages/NAME.md, the figures to NAME.json beside it. Embeddings
are kept in the user's cache, so a run that was stopped goes on.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from apart.sampled import Judged, embed, units
from apart.stored import tuning_split
from apart.tuned import tuning_parser
from script import called, publish, status

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.arrays import Vectors
from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.passages import OFF, Splitting
from sparseembed.data.resolve import open_collection
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.embedders.transformer import Encoded, TransformerEmbedder
from sparseembed.engines.base import Hit
from sparseembed.errors import DataError
from sparseembed.evaluation.measures import evaluate
from sparseembed.files import cache_folder, digest
from sparseembed.indexing.build import build_index
from sparseembed.indexing.encoding import embeddings_folder, encode_corpus, query_like_texts
from sparseembed.indexing.passages import PassagedStore
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.retrieval.searcher import Searcher

NDCG = "nDCG@10"
DEPTH = 10
MIX = 0.5
COLUMNS: dict[str, dict[str, Any]] = {"words alone": {"literal": False}, "one index": {"mix": MIX}}
WAYS = ("whole", "256/256", "cut 256", "128/128", "cut 128", "64/64", "cut 64", "128/64", "sentences:128")


class Recalling(TransformerEmbedder):
    """An embedder that cuts documents to so many words, and encodes no text of this run twice."""

    known: dict[bytes, Vectors]
    words = 0

    @classmethod
    def of(cls, embedder: TransformerEmbedder) -> "Recalling":
        """Take an embedder's parts."""
        made = cls(embedder.spec)
        made.known = {}
        return made

    def cutting(self, words: int) -> "Recalling":
        """Return it with texts cut to so many words; 0 for none."""
        other = copy(self)
        other.words = words
        return other

    def identity(self, side: str | None = None) -> dict[str, Any]:
        """Return what decides the vectors; the words that documents are cut to, too."""
        cut = {"words": self.words} if self.words and side != "query" else {}
        return {**super().identity(side), **cut}

    def learn(self, texts: Iterable[str], vectors: Vectors) -> None:
        """Take embeddings of documents that are known."""
        self.known.update(zip(map(_key, texts), vectors, strict=True))

    def encode_counted(
        self, texts: Sequence[str], side: str = "document", names: Sequence[str] | None = None
    ) -> Encoded:
        """Embed texts, those of documents from memory where they are there."""
        if side == "query":
            return super().encode_counted(texts, side, names)
        if self.words:
            splitting = Splitting("words", self.words, self.words)
            texts = [text[slice(*splitting.spans(text)[0])] for text in texts]
        keys = [_key(text) for text in texts]
        missing = [row for row, key in enumerate(keys) if key not in self.known]
        encoded = super().encode_counted([texts[row] for row in missing], side)
        self.learn([texts[row] for row in missing], encoded.vectors)
        vectors = np.stack([self.known[key] for key in keys])
        return Encoded(vectors, encoded.tokens, encoded.cut)


def _key(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


class Row(NamedTuple):
    """One way, measured.

    :param split: Documents of several passages.
    :param read: Texts that were encoded for a document, the mean.
    :param ndcg: Column -> query -> nDCG@10.
    """

    way: str
    split: int
    read: float
    ndcg: dict[str, dict[str, float]]

    def mean(self, column: str) -> float:
        """Return the mean over the queries."""
        return float(np.mean(list(self.ndcg[column].values())))

    def gain(self, over: "Row", column: str) -> tuple[float, float]:
        """Return the mean difference from another row, and its standard error."""
        both = [value - over.ndcg[column][query] for query, value in self.ndcg[column].items()]
        return float(np.mean(both)), float(np.std(both, ddof=1) / len(both) ** 0.5)


class Measure:
    """Measures ways to encode on one task."""

    def __init__(self, judged: Judged, embedder: Recalling) -> None:
        """Encode the queries.

        :param judged: Documents and queries.
        :param embedder: The embedder.
        """
        self._judged, self._embedder = judged, embedder
        queries = embed(embedder, judged.corpus.name, list(judged.queries.values()), "query")
        like = embed(embedder, judged.corpus.name, list(query_like_texts(judged.corpus).values()), "query")
        self._queries = units(fit_adjustment("centred", like).apply(queries))

    def row(self, way: str) -> Row:
        """Measure a way: `whole`, `cut WORDS`, or a splitting."""
        corpus = self._judged.corpus
        words = int(way.removeprefix("cut ")) if way.startswith("cut ") else 0
        splitting = OFF if words or way == "whole" else way
        embedder = self._embedder.cutting(words)
        identity = digest([corpus.identity, embedder.identity("document")])
        kept = cache_folder("passages", f"{corpus.name}-{identity[:16]}")
        store = encode_corpus(corpus, embedder, kept, passages=splitting).documents
        found = {"dense": self._ndcg(self._nearest(store))}
        for column, choices in COLUMNS.items():
            found[column] = self._ndcg(self._searched(embedder, kept, splitting, choices))
        read = len(store) + (store.split.offsets[-1] - len(store.split.rows) if len(store.split.rows) else 0)
        row = Row(way, len(store.split.rows), float(read / len(corpus)), found)
        note(f"{way}: " + ", ".join(f"{column} {row.mean(column):.4f}" for column in row.ndcg))
        return row

    def _searched(
        self, embedder: Recalling, kept: Path, splitting: str, choices: Mapping[str, Any]
    ) -> dict[str, list[Hit]]:
        with tempfile.TemporaryDirectory() as folder:
            build_index(
                self._judged.corpus,
                Path(folder) / "index",
                embedder,
                embeddings=kept,
                passages=splitting,
                carried=False,
                **choices,
            )
            with Searcher.open(Path(folder) / "index") as searcher:
                return {query: searcher.search(text, DEPTH) for query, text in self._judged.queries.items()}

    def _nearest(self, store: PassagedStore) -> dict[str, list[Hit]]:
        vectors, starts = [], []
        for row in range(len(store)):
            starts.append(sum(map(len, vectors)))
            several = store.several(row)
            vectors += list(several.blocks()) if several is not None else [store.first(np.asarray([row]))]
        every = np.concatenate(vectors)
        similar = self._queries @ units(fit_adjustment("centred", every).apply(every)).T
        best = np.maximum.reduceat(similar, starts, axis=1)
        ids = self._judged.corpus.ids
        return {
            query: [
                Hit(ids[place], float(scores[place]), rank)
                for rank, place in enumerate(np.argsort(-scores, kind="stable")[:DEPTH].tolist(), 1)
            ]
            for query, scores in zip(self._judged.queries, best, strict=True)
        }

    def _ndcg(self, run: dict[str, list[Hit]]) -> dict[str, float]:
        return evaluate(run, self._judged.qrels, [NDCG]).per_query[NDCG]


def task(collection: Collection, split: str, every: int, join: int) -> Judged:
    """Return what is searched.

    :param collection: The collection.
    :param split: Its queries and judgements.
    :param every: 1, or how many documents there are for each that is taken.
    :param join: 1, or how many documents become one.
    :raises DataError: No query has a relevant document left.
    """
    documents = list(collection.corpus)[::every]
    names = {each.id: documents[place // join * join].id for place, each in enumerate(documents)}
    joined = [
        documents[start]
        if join == 1
        else Document(documents[start].id, "", "\n\n".join(each.contents for each in documents[start : start + join]))
        for start in range(0, len(documents), join)
    ]
    qrels: dict[str, dict[str, int]] = {}
    for query, grades in collection.qrels(split).items():
        for doc_id, grade in grades.items():
            if doc_id in names:
                of = qrels.setdefault(query, {})
                of[names[doc_id]] = max(grade, of.get(names[doc_id], grade))
    qrels = {query: grades for query, grades in qrels.items() if max(grades.values()) > 0}
    if not qrels:
        raise DataError(f"no query of {split} has a relevant document among these {len(joined):,}")
    queries = {query: text for query, text in collection.queries(split).items() if query in qrels}
    corpus = Corpus(joined, collection.corpus.name, f"{collection.corpus.identity}, every {every}, joined {join}")
    return Judged(corpus, queries, qrels)


def whole_embeddings(corpus: Corpus, embedder: TransformerEmbedder) -> Iterator[tuple[list[str], Vectors]]:
    """Yield texts and embeddings of a collection that the cache has already; nothing is encoded."""
    try:
        store = EmbeddingStore(embeddings_folder(corpus, embedder) / "documents")
    except DataError:
        return
    if store.about["fingerprint"] != corpus.fingerprint:
        return
    row = 0
    for documents in corpus.batches(512):
        yield [each.contents for each in documents], store.rows(row, row + len(documents))
        row += len(documents)


def table(rows: Sequence[Row], title: str, command: str, about: str) -> str:
    """Return the Markdown page."""
    columns = list(rows[0].ndcg)
    lines = [f"# {title}", "", f"    {command}", "", about, ""]
    lines.append("| texts | split | read a document | " + " | ".join(columns) + " | one index less whole |")
    lines.append("| --- | ---: | ---: |" + " ---: |" * (len(columns) + 1))
    for row in rows:
        mean, error = row.gain(rows[0], "one index")
        gain = "" if row is rows[0] else f"{mean:+.4f} ± {error:.4f}"
        figures = " | ".join(f"{row.mean(column):.4f}" for column in columns)
        lines.append(f"| {row.way} | {row.split:,} | {row.read:.2f} | {figures} | {gain} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure the ways and write their table.

    :return: 0, or 2 for a user's mistake.
    """
    return status("passages", run)


def run() -> None:
    """Read the arguments, measure, and write table and figures.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = tuning_parser(__doc__, "passages")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth document (default: 1, all)")
    parser.add_argument("--join", type=int, default=1, metavar="N", help="make one document of N (default: 1)")
    parser.add_argument(
        "--ways", nargs="+", default=list(WAYS), help=f"of these: {', '.join(WAYS)}; the first is whole"
    )
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    collection = open_collection(options.collection)
    split = tuning_split(collection, options.split)
    judged = task(collection, split, options.every, options.join)
    embedder = Recalling.of(load_embedder(options.embedder))
    if options.embedder is None:
        for texts, vectors in whole_embeddings(collection.corpus, embedder):
            embedder.learn(texts, vectors)
    measure = Measure(judged, embedder)
    rows = [measure.row(way) for way in options.ways]
    words = [len(document.contents.split()) for document in judged.corpus]
    name = judged.corpus.name + (f"-every-{options.every}" if options.every > 1 else "")
    name += f"-joined-{options.join}" if options.join > 1 else ""
    about = (
        f"nDCG@10 on {len(judged.queries):,} queries of the split {split}, among {len(judged.corpus):,} documents of "
        f"{np.median(words):.0f} words (median; 95% have at most {np.percentile(words, 95):.0f}). Embedder "
        f"{embedder.spec.name} ({embedder.dtype}). BM25 reads whole texts throughout. One index with mix {MIX}; "
        "queries need no model. The last column: mean difference ± its standard error over the queries."
    )
    command = called("passages.py")
    publish(
        options.out / name,
        table(rows, f"When passages pay: {name}", command, about),
        {"command": command, "rows": [row._asdict() for row in rows]},
    )


if __name__ == "__main__":
    sys.exit(main())
