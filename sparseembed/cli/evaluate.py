"""`sparseembed eval`: the table that compares sparse retrieval with BM25, dense and fusions."""

import argparse
import sys
from pathlib import Path

from sparseembed.cli.options import (
    add_corpus_argument,
    add_embedder_options,
    add_language_options,
    add_prompts_option,
    chosen_embedder,
    chosen_fields,
)
from sparseembed.outputs import check_output_folder, check_writable

DESCRIPTION = """\
Encode a collection, build an index for each system, run its queries, and print one row a system: effectiveness,
significance against BM25 and dense, median latency of one query at a time, bytes, and model calls a query. The report
goes to benchmarks/results/NAME.json; that and --runs are checked before the first text is encoded, and the table is
printed whatever becomes of the files.
"""
EPILOG = """\
examples:
  sparseembed eval pydocs
  sparseembed eval ./scifact --split test --runs benchmarks/runs
  sparseembed eval ./scifact --embedder owner/model --out results/scifact-model.json
  sparseembed eval ./scifact --systems one-index      this one and the baselines only
  sparseembed eval ./artikel --language de            BM25 is Anserini's for German, the index has the same words
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_corpus_argument(parser, judged=True)
    parser.add_argument("--split", help="split to report (default: test, or the only one)")
    parser.add_argument("--out", metavar="FILE", help="the report (default: benchmarks/results/NAME.json)")
    parser.add_argument("--runs", metavar="DIR", help="write a TREC run file a system, and qrels.txt, into this folder")
    parser.add_argument("--systems", metavar="S", nargs="+", default=(), help="only these systems or variants")
    parser.add_argument(
        "--indexes", metavar="DIR", default="indexes/eval", help="folder of the indexes (default: indexes/eval)"
    )
    parser.add_argument("--reencode", action="store_true", help="encode anew a corpus or queries that have changed")
    add_language_options(parser)
    add_prompts_option(parser)
    add_embedder_options(parser)


def run(options: argparse.Namespace) -> None:
    """Evaluate."""
    from sparseembed.data.resolve import open_collection
    from sparseembed.evaluation.harness import run_evaluation
    from sparseembed.extras import need

    need(("faiss", "ir_measures", "ir_datasets"), "eval", "sparseembed eval")
    collection = open_collection(options.dataset, chosen_fields(options))
    out = Path(options.out or f"benchmarks/results/{collection.corpus.name}.json")
    runs = Path(options.runs) if options.runs else None
    check_writable(out)
    if runs is not None:
        check_output_folder(runs)
    report = run_evaluation(
        collection,
        options.split,
        chosen_embedder(options),
        systems=options.systems,
        indexes=Path(options.indexes),
        reencode=options.reencode,
        language=options.language,
        analyzer=options.analyzer,
    )
    # First of all the table: it took hours, and a file that cannot be written is no reason to lose it.
    sys.stdout.write(report.table + "\n")
    sys.stdout.flush()
    try:
        report.write(out)
    finally:
        if runs is not None:
            report.write_runs(runs)
