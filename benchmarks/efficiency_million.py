"""A million documents through the stub embedder: memory, disk and time, changes, and queries against a plain reference.

    python benchmarks/efficiency_million.py --work /path/with/30/GB
    python benchmarks/efficiency_million.py --documents 100000 --work DIR

Builds 10,000 documents and then all of them, deletes and adds 10,000, and compares 1,000 queries with sums over all
postings, Lucene's answers with both, and stored impacts with those computed anew. Prints figures as JSON.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from efficiency_rows.child import in_child
from efficiency_rows.made import language, write_corpus
from efficiency_rows.reference import compare, computed_anew
from script import status

from sparseembed.progress import ConsoleReporter, note, set_reporter

SMALL, CHANGED, QUERIES = 10_000, 10_000, 1_000
SAMPLED = 200  # documents whose impacts are computed anew
NICE = 5


def main() -> int:
    """Run the check.

    :return: 0, or 2 for a user's mistake.
    """
    return status("efficiency_million", lambda: run(_options()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="for corpora, embeddings and indexes")
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--embedder", help="a preset, model folder, GGUF file or Hugging Face id")
    parser.add_argument("--keep", action="store_true", help="keep what was written, and use what stands there")
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    """Build, change, compare; print the figures.

    :return: 0 if all answers are those of the reference, 1 if one is not.
    """
    set_reporter(ConsoleReporter())
    work: Path = options.work
    small = _built(work, min(SMALL, options.documents), options)
    large = _built(work, options.documents, options)
    index = work / f"index-{options.documents}"
    figures: dict[str, Any] = {"builds": [small, large]}
    more = large["documents"] - small["documents"]
    if more:
        figures["bytes_of_memory_a_document"] = 1e6 * (large["peak_mb"] - small["peak_mb"]) / more
    figures["index_gb"] = sum(large["bytes"].values()) / 1e9
    figures["embeddings_gb"] = large["store_bytes"] / 1e9
    changed = min(CHANGED, options.documents // 10)
    added = write_corpus(work / f"added-{changed}.jsonl", changed, first=4_000_000, prefix="n")
    deleted = [f"d{number:07d}" for number in range(3, options.documents, options.documents // changed)][:changed]
    figures["change"] = in_child(
        "change", index=str(index), corpus=str(added), deleted=deleted, cache=str(work / "cache"),
        embedder=options.embedder, nice=NICE,
    )  # fmt: skip
    note("comparing queries with a plain reference")
    start = time.perf_counter()
    texts = language().texts(0, options.queries, seed=9)
    figures["compared"] = compare(index, texts, set(deleted))
    made, store = work / f"made-{options.documents}.jsonl", work / f"store-{options.documents}"
    figures["impacts"] = computed_anew(index, made, store, options.embedder, SAMPLED)
    figures["compared"]["seconds"] = time.perf_counter() - start
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    if not options.keep:
        for path in (index, work / f"store-{options.documents}", work / f"index-{SMALL}", work / f"store-{SMALL}"):
            shutil.rmtree(path, ignore_errors=True)
    return 1 if figures["compared"]["differences"] or figures["impacts"]["different"] else 0


def _built(work: Path, documents: int, options: argparse.Namespace) -> dict[str, Any]:
    kept = work / f"built-{documents}.json"
    if options.keep and kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    note(f"building {documents:,} documents")
    built: dict[str, Any] = in_child(
        "build", corpus=str(write_corpus(work / f"made-{documents}.jsonl", documents)), nice=NICE, loud=True,
        index=str(work / f"index-{documents}"), store=str(work / f"store-{documents}"), embedder=options.embedder,
    )  # fmt: skip
    kept.write_text(json.dumps(built))
    return built


if __name__ == "__main__":
    sys.exit(main())
