"""`sparseembed eval`: the table that compares sparse retrieval with BM25, dense and fusions."""

import argparse
import sys
from pathlib import Path

from sparseembed.cli.options import add_embedder_options, chosen_embedder

NAME = "eval"
HELP = "compare sparse retrieval with BM25, dense and fusions on a collection"
DESCRIPTION = """\
Encode a collection, build an index for each system, run its queries, and print one row a system: effectiveness,
significance against BM25 and dense, median latency of one query at a time, bytes, and model calls a query. The report
goes to benchmarks/results/NAME.json.
"""
EPILOG = """\
examples:
  sparseembed eval pydocs
  sparseembed eval ./scifact --split test --runs benchmarks/runs
  sparseembed eval ./scifact --embedder owner/model --out results/scifact-model.json
  sparseembed eval ./scifact --systems one-index      this one and the baselines only
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "dataset", metavar="DATASET", help="a BEIR folder, a collection's name or an ir_datasets id, with judgements"
    )
    parser.add_argument("--split", help="split to report (default: test, or the only one)")
    parser.add_argument("--out", metavar="FILE", help="the report (default: benchmarks/results/NAME.json)")
    parser.add_argument("--runs", metavar="DIR", help="write a TREC run file a system into this folder")
    parser.add_argument("--systems", metavar="S", nargs="+", default=(), help="only these systems or variants")
    parser.add_argument(
        "--indexes", metavar="DIR", default="indexes/eval", help="folder of the indexes (default: indexes/eval)"
    )
    parser.add_argument("--reencode", action="store_true", help="encode anew a corpus or queries that have changed")
    add_embedder_options(parser)


def run(options: argparse.Namespace) -> None:
    """Evaluate."""
    from sparseembed.data.resolve import open_collection
    from sparseembed.evaluation.harness import run_evaluation

    collection = open_collection(options.dataset)
    report = run_evaluation(
        collection,
        options.split,
        chosen_embedder(options),
        systems=options.systems,
        indexes=Path(options.indexes),
        runs=Path(options.runs) if options.runs else None,
        reencode=options.reencode,
    )
    report.write(Path(options.out or f"benchmarks/results/{collection.corpus.name}.json"))
    sys.stdout.write(report.table + "\n")
