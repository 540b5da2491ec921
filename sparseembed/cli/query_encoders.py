"""`sparseembed query-encoders`: what each query encoder of an index brings, and what it costs on this machine."""

import argparse
import json
import sys

from sparseembed.cli.options import add_naming_options, named_embedder

DESCRIPTION = """\
Show what may read the queries of an index: none, which leaves them words; static, vectors of their tokens, for which no
layer of the model is run; small, the first layers of the index's embedder; full, the whole of it. For each: how well it
finds the documents that some of the collection's own sentences were taken out of, with feedback, measured when the
index was fitted; and how long a query takes on this machine, measured now. The last line is what `--encoder auto`
takes. No judgement is behind these figures: they compare encoders, and say nothing of your users' queries.
"""
EPILOG = """\
examples:
  sparseembed query-encoders indexes/mine
  sparseembed query-encoders indexes/mine --budget 20      what auto takes within 20 milliseconds a query
  sparseembed query-encoders indexes/mine --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("index", metavar="INDEX", help="an index folder")
    parser.add_argument(
        "--budget", type=float, metavar="MS", help="milliseconds that encoding a query may take, for auto"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object in place of a table")
    add_naming_options(parser)


def run(options: argparse.Namespace) -> None:
    """Measure the encoders, and tell what auto takes."""
    from functools import cache
    from pathlib import Path

    from sparseembed.index.snapshot import open_snapshot
    from sparseembed.retrieval.choosing import choose_encoder, measured_encoders
    from sparseembed.retrieval.embedder import matching_embedder

    snapshot = open_snapshot(Path(options.index))
    embedder = cache(lambda: matching_embedder(snapshot.manifest, named_embedder(options)))
    encoders = measured_encoders(snapshot, embedder)
    choice = choose_encoder(snapshot, embedder, options.budget, {each.encoder: each.milliseconds for each in encoders})
    if options.json:
        rows = [each._asdict() for each in encoders]
        sys.stdout.write(json.dumps({"encoders": rows, "auto": choice.encoder, "why": choice.why}) + "\n")
        return
    lines = [f"{'query encoder':<15}{'nDCG@10 on sentences':>20}{'ms a query':>12}"]
    for each in encoders:
        found = "unknown" if each.found is None else f"{each.found:.3f}"
        told = f"  refused as a default, for {each.refused}" if each.refused else ""
        lines.append(f"{each.encoder:<15}{found:>20}{each.milliseconds:>12.2f}{told}")
    lines.append(f"auto takes {choice.encoder}: {choice.why}")
    sys.stdout.write("\n".join(lines) + "\n")
