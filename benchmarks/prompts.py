"""Several document prompts: what they cost, and what a term's best score under any of them brings.

    python benchmarks/prompts.py pydocs
    python benchmarks/prompts.py path/to/nfcorpus --split dev --documents 600

The documents that the split judges, and an even sample of others, are encoded once under the embedder's own prompt and
the named ones; then each choice of further prompts is indexed. nDCG@10 of aligned words alone and of the one index with
the usual mix, queries without a model, and the mean difference of the one index from that of one prompt, with its
standard error over the queries. What encoding takes is processor time of the same documents, under one prompt, under
all together, and under each alone. The page goes to benchmarks/results/prompts/NAME.md, the figures to NAME.json
beside it.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from apart.sampled import Judged, judged_part
from apart.stored import tuning_split
from apart.tuned import tuning_parser
from passages import COLUMNS, DEPTH, MIX, NDCG, Row
from script import called, publish, status

from sparseembed.arrays import Vectors
from sparseembed.data.passages import OFF
from sparseembed.data.resolve import open_collection
from sparseembed.data.sampling import even_places
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.presets import MORE_PROMPTS
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import Encoded, TransformerEmbedder
from sparseembed.evaluation.measures import evaluate
from sparseembed.files import cache_folder, digest
from sparseembed.indexing.build import build_index
from sparseembed.indexing.encoding import encode_corpus
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.retrieval.searcher import Searcher


class Chosen(TransformerEmbedder):
    """An embedder under some of the prompts that documents were encoded under; it encodes nothing anew.

    Queries are searched by their words, so that no embedding of theirs is asked for: texts like them get zeros.
    """

    def __init__(self, spec: EmbedderSpec, known: Mapping[str, Vectors], columns: Sequence[int]) -> None:
        """Take embeddings.

        :param spec: The embedder's parts, with the prompts that are chosen.
        :param known: Text -> its embeddings under all prompts, shape (P, d).
        :param columns: Which of them are chosen.
        """
        super().__init__(spec)
        self._known, self._columns = known, list(columns)

    def encode_prompts(self, texts: Sequence[str], names: Sequence[str] | None = None) -> Encoded:
        """Return embeddings that are known."""
        return Encoded(np.stack([self._known[text][self._columns].ravel() for text in texts]), 0, 0)

    def encode_counted(
        self, texts: Sequence[str], side: str = "document", names: Sequence[str] | None = None
    ) -> Encoded:
        """Return embeddings that are known; zeros on the queries' side."""
        if side == "query":
            return Encoded(np.zeros((len(texts), self.dimension), dtype=np.float32), 0, 0)
        return self.encode_prompts(texts)

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return int(next(iter(self._known.values())).shape[1])


def seconds(run: Callable[[], object]) -> float:
    """Return the processor time that a call takes, in seconds, the least of two."""
    found = []
    for _ in range(2):
        before = time.process_time()
        run()
        found.append(time.process_time() - before)
    return min(found)


def costs(embedder: TransformerEmbedder, texts: Sequence[str]) -> dict[str, float]:
    """Return what encoding texts takes, in seconds: under one prompt, under all together, under each alone."""
    alone = [embedder.with_prompts(document_prompt=prompt) for prompt in embedder.spec.document_prompts]
    alone[0].encode(texts[:8])
    return {
        "one prompt": seconds(lambda: alone[0].encode(texts)),
        "all, together": seconds(lambda: embedder.encode_prompts(texts)),
        "all, each alone": seconds(lambda: [each.encode(texts) for each in alone]),
    }


def rows_of(judged: Judged, embedder: TransformerEmbedder, names: Sequence[str]) -> list[Row]:
    """Measure the embedder's own prompt alone, and with each choice of the others."""
    identity = digest([judged.corpus.identity, embedder.identity("document")])
    kept = cache_folder("prompts", f"{judged.corpus.name}-{identity[:16]}")
    store = encode_corpus(judged.corpus, embedder, kept, passages=OFF).documents
    wide = store.wide(np.arange(len(store))).reshape(len(store), len(names) + 1, -1)
    known = dict(zip(judged.corpus.contents, wide, strict=True))
    choices = [each for size in range(len(names) + 1) for each in combinations(range(len(names)), size)]
    rows = []
    for chosen in choices:
        prompts = tuple(embedder.spec.more_prompts[number] for number in chosen)
        part = Chosen(embedder.spec.with_changes(more_prompts=prompts), known, [0, *(n + 1 for n in chosen)])
        row = Row(" + ".join(["its own", *(names[number] for number in chosen)]), 0, 1.0, _measured(judged, part))
        note(f"{row.way}: " + ", ".join(f"{column} {row.mean(column):.4f}" for column in row.ndcg))
        rows.append(row)
    return rows


def _measured(judged: Judged, embedder: TransformerEmbedder) -> dict[str, dict[str, float]]:
    found = {}
    for column, choices in COLUMNS.items():
        with tempfile.TemporaryDirectory() as folder:
            kept, index = Path(folder) / "embeddings", Path(folder) / "index"
            build_index(judged.corpus, index, embedder, embeddings=kept, passages=OFF, carried=False, **choices)
            with Searcher.open(index) as searcher:
                run = {query: searcher.search(text, DEPTH) for query, text in judged.queries.items()}
        found[column] = evaluate(run, judged.qrels, [NDCG]).per_query[NDCG]
    return found


def table(rows: Sequence[Row], cost: Mapping[str, float], texts: int, title: str, command: str, about: str) -> str:
    """Return the Markdown page."""
    columns = list(rows[0].ndcg)
    lines = [f"# {title}", "", f"    {command}", "", about, ""]
    lines.append("| prompts of documents | " + " | ".join(columns) + " | one index less one prompt |")
    lines.append("| --- |" + " ---: |" * (len(columns) + 1))
    for row in rows:
        mean, error = row.gain(rows[0], "one index")
        gain = "" if row is rows[0] else f"{mean:+.4f} ± {error:.4f}"
        lines.append(f"| {row.way} | " + " | ".join(f"{row.mean(column):.4f}" for column in columns) + f" | {gain} |")
    lines += ["", f"| encoding {texts} documents | processor seconds | of one prompt |", "| --- | ---: | ---: |"]
    for name, taken in cost.items():
        lines.append(f"| {name} | {taken:.1f} | {taken / cost['one prompt']:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and write the table.

    :return: 0, or 2 for a user's mistake.
    """
    return status("prompts", run)


def run() -> None:
    """Read the arguments, measure, and write table and figures.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = tuning_parser(__doc__, "prompts")
    parser.add_argument("--documents", type=int, default=1000, help="documents searched, at most (default: 1000)")
    parser.add_argument("--timed", type=int, default=200, metavar="N", help="documents that are timed (default: 200)")
    parser.add_argument("--prompts", nargs="+", default=list(MORE_PROMPTS), help="further prompts, by name or as texts")
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    collection = open_collection(options.collection)
    split = tuning_split(collection, options.split)
    judged = judged_part(collection, split, options.documents)
    more: dict[str, Any] = {"more_prompts": tuple(MORE_PROMPTS.get(each, each) for each in options.prompts)}
    embedder = load_embedder(options.embedder, **more)
    rows = rows_of(judged, embedder, options.prompts)
    texts = [document.contents for document in judged.corpus if document.contents]
    timed = [texts[place] for place in even_places(len(texts), options.timed)]
    cost = costs(embedder, timed)
    about = (
        f"nDCG@10 on {len(judged.queries):,} queries of the split {split}, among {len(judged.corpus):,} documents: "
        f"those it judges and an even sample of others. Embedder {embedder.spec.name} ({embedder.dtype}). One index "
        f"with mix {MIX}; queries need no model. The last column: mean difference ± its standard error over queries."
    )
    command = called("prompts.py")
    publish(
        options.out / judged.corpus.name,
        table(rows, cost, len(timed), f"Several document prompts: {judged.corpus.name}", command, about),
        {"command": command, "rows": [row._asdict() for row in rows], "seconds": cost},
    )


if __name__ == "__main__":
    sys.exit(main())
