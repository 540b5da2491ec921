"""`sparseembed explain`: why a document was found."""

import argparse
import json
import sys

from sparseembed.cli.options import (
    add_engine_option,
    add_naming_options,
    add_rescore_option,
    named_embedder,
    start_java_quickly,
)
from sparseembed.cli.text import columns, snippet, visible

NAME = "explain"
HELP = "show why a document has its score"
DESCRIPTION = """\
List the terms that a query and a document share, where each comes from (literal: it stands in the document; expansion:
the embedding brought it), and how they sum, exactly, to the score. With --rescore, what the embedding adds to it.
"""
EPILOG = """\
examples:
  sparseembed explain indexes/pydocs "turn a list upside down" list.reverse
  sparseembed explain indexes/pydocs "turn a list upside down" list.reverse --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("index", metavar="INDEX", help="an index folder")
    parser.add_argument("query", metavar="QUERY", help="the query's text")
    parser.add_argument("document", metavar="DOC_ID", help="the document's id")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--expand", type=int, default=0, metavar="M", help="explain the query expanded by M terms")
    add_rescore_option(parser)
    add_engine_option(parser)
    add_naming_options(parser)


def run(options: argparse.Namespace) -> None:
    """Explain."""
    from sparseembed.retrieval.searcher import Searcher

    start_java_quickly(options.engine)
    with Searcher.open(
        options.index,
        expand=options.expand,
        rescore=options.rescore,
        encoder=options.encoder,
        embedder=named_embedder(options),
        engine=options.engine,
        warm=False,
    ) as searcher:
        explanation = searcher.explain(options.query, options.document)
        text = searcher.text(options.document)
    if options.json:
        value = {**explanation._asdict(), "terms": [term._asdict() for term in explanation.terms]}
        if explanation.rescored is None:
            value.pop("rescored")
        else:
            value["rescored"] = explanation.rescored._asdict()
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    rows: list[tuple[object, ...]] = [
        (visible(term.term), term.origin, term.query_weight, term.impact, term.score) for term in explanation.terms
    ]
    rows.append(("sum", "", "", "", explanation.by_terms))
    table = columns(rows, ("term", "origin", "query", "impact", "score"), right=frozenset({2, 3, 4}))
    sys.stdout.write(f"{visible(explanation.id)}: {snippet(text)}\n\n{table}\n")
    if explanation.rescored is not None:
        found = explanation.rescored
        sys.stdout.write(
            f"\nrescored: {found.from_terms:.4f} from terms + {found.from_embedding:.4f} from the embedding (cosine "
            f"{found.cosine:.3f}) = {found.score:.4f}\n"
        )
    elif options.rescore:
        sys.stdout.write(f"\nnot rescored: it is not among the {options.rescore:,} best hits\n")
    if explanation.unmatched:
        sys.stdout.write(f"\nnot in the document: {', '.join(map(visible, explanation.unmatched))}\n")
