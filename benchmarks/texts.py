"""What is encoded: one embedder under several prompts, and documents whole or in passages.

    python benchmarks/texts.py path/to/scifact

For each: nDCG@10, on a train split, of dense retrieval (each side centred; a document scores as its best passage), of
analysed words alone and of the one index with its usual mix, queries without a model. The documents are those that the
split judges and an even sample of others. The table goes to benchmarks/results/texts/NAME.md, the figures to NAME.json
beside it. Embeddings are kept in the user's cache, so a run that was stopped goes on.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from apart.choices import ONE_INDEX, WORDS_ALONE, Choices
from apart.exact import impact_matrix, query_matrix
from apart.passages import best_of, cut
from apart.sampled import Judged, embed, judged_part, ndcg_of, units
from apart.stored import tuning_split
from apart.tuned import tuning_parser
from script import called, publish, status

from sparseembed.alignment.adjustment import Adjustment, Vectors, fit_adjustment
from sparseembed.alignment.decoding import Aligned, Decoder
from sparseembed.alignment.head import decoding_head
from sparseembed.data.resolve import open_collection
from sparseembed.embedders.catalogue.paper import EOL_PROMPT
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.spec import TEXT
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.indexing.encoding import query_like_texts
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.retrieval.query import InferenceFree
from sparseembed.sparse.spaces import SPACES, Backbone
from sparseembed.sparse.sparsify import Decoded, Sparsifier

PASSAGE_WORDS = (128, 64)
COLUMNS = ("dense", "words alone", "one index")
SCORES = {"words alone": WORDS_ALONE, "one index": ONE_INDEX}


class Way(NamedTuple):
    """One way to encode.

    :param name: What to call it.
    :param prompts: What is changed of the embedder's prompts.
    :param words: Words of a passage; 0 for whole texts.
    """

    name: str
    prompts: dict[str, str]
    words: int = 0


class Row(NamedTuple):
    """One way, measured.

    :param encoded: Texts encoded for a document, the mean.
    :param ndcg: Column -> nDCG@10.
    """

    way: str
    encoded: float
    ndcg: dict[str, float]


def ways(embedder: TransformerEmbedder) -> Iterator[Way]:
    """Yield the ways: whole texts under the embedder's prompts and others, and passages under its own."""
    own = {"document_prompt": embedder.spec.document_prompt, "query_prompt": embedder.spec.query_prompt}
    yield Way("its own prompts, whole texts", own)
    for words in PASSAGE_WORDS:
        yield Way(f"its own prompts, passages of {words} words", own, words)
    yield Way("the document prompt for both", {**own, "query_prompt": own["document_prompt"]})
    yield Way('"means in one word" for both', dict.fromkeys(own, EOL_PROMPT))
    yield Way("no prompt", dict.fromkeys(own, TEXT))


class Measure:
    """Measures ways to encode on one task."""

    def __init__(self, judged: Judged, embedder: TransformerEmbedder) -> None:
        """Analyse the documents, and decode onto their words.

        :param judged: Documents and queries.
        :param embedder: The embedder.
        """
        self._judged, self._embedder = judged, embedder
        self._matrix, self._inputs = decoding_head(embedder)
        contents = [document.contents for document in judged.corpus]
        least = ONE_INDEX.sparse.least if isinstance(ONE_INDEX.sparse.least, int) else None
        space, self._collection, *_ = SPACES["word"]([contents], least, Backbone(embedder.tokenizer, len(self._matrix)))
        self._counts, unknown = space.count(contents)
        self._decoder = Decoder(space.rows(self._matrix, embedder.tokenizer), embedder.device)
        number = {term: place for place, term in enumerate([*space.terms, *unknown])}
        free = InferenceFree(space.literal)
        self._queries = query_matrix(map(free.encode, judged.queries.values()), number)

    def row(self, way: Way) -> Row:
        """Measure a way."""
        corpus = self._judged.corpus
        embedder = self._embedder.with_prompts(**way.prompts)
        passages = cut(corpus, way.words)
        vectors = embed(embedder, corpus.name, passages.texts)
        queries = embed(embedder, corpus.name, list(self._judged.queries.values()), "query")
        like = embed(embedder, corpus.name, list(query_like_texts(corpus).values()), "query")
        similar = units(_centred(queries, like)) @ units(_centred(vectors, vectors)).T
        found = {
            "dense": ndcg_of(np.maximum.reduceat(similar, passages.starts, axis=1).astype(np.float64), self._judged)
        }
        k = ONE_INDEX.sparse.k
        decoded = self._decoder.top(self._adjusted(vectors), k)
        aligned = best_of(decoded, passages.starts, decoded.terms.shape[1])
        found |= {name: ndcg_of(self._scores(choices, aligned), self._judged) for name, choices in SCORES.items()}
        note(f"{way.name}: " + ", ".join(f"{column} {found[column]:.4f}" for column in COLUMNS))
        return Row(way.name, len(passages.texts) / len(corpus), found)

    def _adjusted(self, vectors: Vectors) -> Vectors:
        kind = ONE_INDEX.sparse.adjustment
        return fit_adjustment(kind, self._inputs(vectors), self._matrix).after(self._inputs).apply(vectors)

    def _scores(self, choices: Choices, aligned: Aligned) -> npt.NDArray[np.float64]:
        """Return the exact integer scores of all documents for all queries."""
        none = Adjustment("none", np.zeros(0, dtype=np.float32))
        sparsifier = Sparsifier(choices.sparse, self._collection, self._decoder, none)
        block = sparsifier.weigh(self._counts, Decoded([aligned], {}))
        documents = impact_matrix(block, choices.sparse.bits, self._queries.shape[1])
        scores: npt.NDArray[np.float64] = (self._queries @ documents.T).toarray()
        return scores


def _centred(vectors: Vectors, of: Vectors) -> Vectors:
    return fit_adjustment("centred", of).apply(vectors)


def table(rows: Sequence[Row], command: str, judged: Judged, split: str, embedder: str) -> str:
    """Return the Markdown page."""
    lines = [
        f"# What is encoded: {judged.corpus.name}",
        "",
        f"    {command}",
        "",
        f"nDCG@10 on {len(judged.queries):,} queries of the split {split}, among {len(judged.corpus):,} documents: "
        f"those it judges and an even sample of others. Embedder {embedder}. Dense: each side centred, a document "
        "scores as its best passage. Aligned terms: a term has the score of the document's best passage; queries need "
        f"no model; one index with mix {ONE_INDEX.sparse.mix}.",
        "",
        "| prompts and texts | texts a document | " + " | ".join(COLUMNS) + " |",
        "| --- | ---: |" + " ---: |" * len(COLUMNS),
    ]
    for row in rows:
        lines.append(f"| {row.way} | {row.encoded:.2f} | " + " | ".join(f"{row.ndcg[c]:.4f}" for c in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure the ways and write their table.

    :return: 0, or 2 for a user's mistake.
    """
    return status("texts", run)


def run() -> None:
    """Read the arguments, measure, and write table and figures.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = tuning_parser(__doc__, "texts")
    parser.add_argument("--documents", type=int, default=1000, help="documents searched, at most (default: 1000)")
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    collection = open_collection(options.collection)
    split = tuning_split(collection, options.split)
    judged = judged_part(collection, split, options.documents)
    embedder = load_embedder(options.embedder)
    measure = Measure(judged, embedder)
    rows = [measure.row(way) for way in ways(embedder)]
    command = called("texts.py")
    page = table(rows, command, judged, split, embedder.spec.name)
    publish(options.out / judged.corpus.name, page, {"command": command, "rows": [row._asdict() for row in rows]})


if __name__ == "__main__":
    sys.exit(main())
