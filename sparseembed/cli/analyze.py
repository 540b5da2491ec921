"""`sparseembed analyze`: does an embedder align, and why."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from sparseembed.cli.options import add_embedder_options, add_field_options, chosen_embedder, chosen_fields
from sparseembed.cli.text import columns
from sparseembed.embedders.spec import TEXT
from sparseembed.embedders.transformer import TransformerEmbedder

DESCRIPTION = """\
Embed texts, decode the embeddings with the backbone's LM head, and compare the aligned tokens with the texts' own: the
verdict, Hit@K, local and global alignment rate under each adjustment, the change from backbone to embedder by principal
component, and examples, as a report of one HTML page, JSON and SVG. Texts are cut at 256 tokens (prompt included) where
--max-length says nothing else.
"""
EPILOG = """\
examples:
  sparseembed analyze --out reports/default
  sparseembed analyze --embedder owner/model --texts scifact --out reports/model
  sparseembed analyze --embedder owner/embedder --decoding owner/backbone --against owner/backbone \\
    --texts sentences.txt --out reports/embedder
"""
MAX_LENGTH = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--out", metavar="REPORT", required=True, help="folder of the report")
    parser.add_argument(
        "--texts",
        metavar="T",
        default="pydocs",
        help="a .txt file with one text a line, or documents as index takes them (default: pydocs)",
    )
    add_field_options(parser)
    parser.add_argument(
        "--against",
        metavar="BACKBONE",
        help="what to compare with, by mean pooling of the bare text unless it is a preset (default: the embedder's "
        "own backbone)",
    )
    parser.add_argument("--limit", type=int, default=1000, help="texts, evenly sampled (default: 1000)")
    parser.add_argument(
        "--terms",
        choices=("token", "folded"),
        default="token",
        help="token as in the paper; folded folds case and space",
    )
    parser.add_argument("--json", action="store_true", help="print the verdict and the figures as JSON")
    add_embedder_options(parser)
    parser.set_defaults(max_length=MAX_LENGTH)


def run(options: argparse.Namespace) -> None:
    """Analyse and report."""
    from sparseembed.analysis.run import analyze, open_texts, summary

    embedder = chosen_embedder(options)
    out = Path(options.out)
    texts = open_texts(options.texts, chosen_fields(options))
    report = analyze(embedder, _backbone(options, embedder), texts, out, options.limit, options.terms)
    if options.json:
        sys.stdout.write(json.dumps(summary(report), ensure_ascii=False) + "\n")
        return
    sys.stdout.write(_told(report, out))


def _backbone(options: argparse.Namespace, embedder: TransformerEmbedder) -> TransformerEmbedder:
    from sparseembed.analysis.run import raw_backbone
    from sparseembed.embedders.load import load_embedder
    from sparseembed.embedders.presets import PRESETS

    if options.against is None:
        return load_embedder(raw_backbone(embedder.spec))
    same: dict[str, Any] = {part: getattr(options, part) for part in ("dtype", "device", "max_length")}
    if options.against not in PRESETS:
        same |= {"document_prompt": TEXT, "query_prompt": TEXT, "pooling": "mean"}
    return load_embedder(options.against, trust_remote_code=options.trust_remote_code, **same)


def _told(report: dict[str, Any], out: Path) -> str:
    rows = [
        (
            row["side"],
            row["adjustment"],
            f"{row['hit'][9]:.3f}",
            f"{row['evidence']['hit_chance']:.3f}",
            f"{row['lar']['value']:.3f}",
            f"{row['evidence']['lar_chance']:.3f}",
            f"{row['gar']['value']:.3f}",
        )
        for row in report["measured"]
        if row["adjustment"] in ("none", "pc1", "centred", "bulk", report["verdict"]["adjustment"])
    ]
    heads = ("side", "adjustment", "Hit@10", "chance", "LAR", "chance", "GAR")
    verdict = report["verdict"]
    table = columns(rows, heads, right=frozenset(range(2, 7)))
    return (
        f"{report['about']['embedder']['name']} {verdict['verdict']}: {verdict['reason']}\n"
        f"what to do: {verdict['advice']}\n\n{table}\n\nthe report is {out / 'report.html'}\n"
    )
