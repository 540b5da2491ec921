"""Whether queries of a collection stand in files of training pairs.

    python benchmarks/leaks.py pairs/ --against scifact
    python benchmarks/leaks.py a.jsonl b.jsonl --against nfcorpus --split dev

A query is told when it shares a run of 12 words with a query, positive or negative of the files, case and punctuation
folded; a shorter one when the whole of it (five words or more) stands in one, or (fewer) is one. Exits with 1 if any
is.
"""

import argparse
import sys
from pathlib import Path

from script import status

from sparseembed.data.resolve import open_collection
from sparseembed.pseudo.pairs import read_sources
from sparseembed.training.leaks import shared_runs


def main() -> int:
    """Look for leaks and tell them.

    :return: 0 if there is none, 1 if there are some, 2 for a user's mistake.
    """
    return status("leaks", run)


def run() -> int:
    """Read the arguments, look, and print the count and the queries.

    :return: 1 if a query is found, else 0.
    :raises SparseEmbedError: A user's mistake.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="JSONL files of pairs, or folders of them")
    parser.add_argument("--against", metavar="DATASET", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--words", type=int, default=12, help="length of a run (default: 12)")
    options = parser.parse_args()
    queries = open_collection(options.against).queries(options.split)
    sources = read_sources(options.files)
    texts = (text for source in sources for pair in source.pairs for text in pair if text is not None)
    found = shared_runs(texts, queries, options.words)
    pairs = sum(len(source.pairs) for source in sources)
    sys.stdout.write(
        f"{options.against} ({options.split}): {len(found):,} of {len(queries):,} queries stand in {pairs:,} pairs "
        f"of {len(sources):,} files\n"
    )
    for query in found:
        sys.stdout.write(f"{query}\t{' '.join(queries[query].split())}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
