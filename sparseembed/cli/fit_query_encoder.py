"""`sparseembed fit-query-encoder`: the static and the small query encoder of an index, fitted anew."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparseembed.cli.options import add_naming_options, named_embedder
from sparseembed.errors import DataError

DESCRIPTION = """\
Fit the query encoders of an index that stand for the whole embedder: static (vectors of a query's tokens, no layer is
run) and small (the embedder's first layers), each with a map to what the whole of it makes of a query. They are fitted
to titles and sentences of the index's own texts, and to further queries where there are any; no judgement is needed,
and no document is encoded again. Who opens the index sees the new encoders or the former ones. Words, impacts and the
weights of other encoders stay.

What is told of each: its embeddings' mean cosine with the whole embedder's, on texts that it was not fitted to; how
many of the first ten hits it has in common with the whole embedder, after rescoring, for sentences of the documents;
and how well it finds the documents of these sentences. Where it is too far from the whole embedder, it is refused:
`auto` does not take it, and `--encoder` with its name says so.
"""
EPILOG = """\
examples:
  sparseembed fit-query-encoder indexes/mine
  sparseembed fit-query-encoder indexes/mine --queries asked.txt        one query a line, of a log for example
  sparseembed fit-query-encoder indexes/mine --queries queries.jsonl    in BEIR's form
  sparseembed fit-query-encoder indexes/mine --layers 8                 nearer to the whole, in twice the time
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from sparseembed.embedders.early import DEPTH

    parser.add_argument("index", metavar="INDEX", help="an index folder")
    parser.add_argument(
        "--queries",
        metavar="FILE",
        help="queries to fit them to beside the index's texts: one a line, or BEIR's queries.jsonl; of many an even "
        "sample of 2,048 is taken",
    )
    parser.add_argument(
        "--layers", type=int, default=DEPTH, metavar="N", help=f"layers that small runs (default: {DEPTH})"
    )
    add_naming_options(parser)


def run(options: argparse.Namespace) -> None:
    """Fit the encoders, and say what came of them."""
    from sparseembed.indexing.update import Index
    from sparseembed.retrieval.rescoring import FITTED

    queries = _read(Path(options.queries)) if options.queries else []
    rescoring = Index(options.index, named_embedder(options)).fit_query_encoder(queries, options.layers).rescoring or {}
    for encoder in (each for each in FITTED if each in rescoring):
        sys.stdout.write(f"{encoder}\n")
        sys.stdout.write("".join(f"  {name:<34}{value}\n" for name, value in _told(rescoring, encoder)))


def _told(rescoring: Mapping[str, Any], encoder: str) -> list[tuple[str, str]]:
    own = rescoring[encoder]
    rows = [
        ("layers", str(own["depth"])),
        ("texts that it was fitted to", f"{own['texts']:,}"),
        ("cosine with the whole embedder", f"{own['cosine']:.3f}"),
    ]
    overlap = own.get("overlap")
    if overlap:
        of = f"on {overlap['sentences']:,} sentences"
        shares = f"{10 * overlap[encoder]:.1f} of 10; of words alone {10 * overlap['none']:.1f}"
        rows.append(("first hits in common with it", f"{shares} ({of})"))
    ahead = rescoring["none"]["behind"]
    if encoder in ahead and "full" in ahead:
        gains = ", ".join(
            f"{name} {ahead[name]['by']:+.3f} (± {ahead[name]['error']:.3f})" for name in (encoder, "full")
        )
        rows.append(("nDCG@10 of sentences over words", gains))
    rows.append(("weight beside words", f"{own['weight']:g}"))
    refused = own.get("refused")
    rows.append(("refused as a default", f"yes, for {refused}" if refused else "no"))
    return rows


def _read(file: Path) -> list[str]:
    """Read queries.

    :raises DataError: The file cannot be read, or holds none.
    """
    if ".jsonl" in file.suffixes:
        from sparseembed.data.queries import read_queries
        from sparseembed.data.source import open_source

        return list(read_queries(open_source(str(file))).values())
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise DataError(f"{file} cannot be read ({reason}): give a text file with one query a line") from None
    queries = [line.strip() for line in text.splitlines() if line.strip()]
    if not queries:
        raise DataError(f"{file} holds no query: give a text file with one query a line")
    return queries
