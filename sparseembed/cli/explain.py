"""`sparseembed explain`: why a document was found."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from sparseembed.cli.options import (
    add_engine_option,
    add_filter_option,
    add_naming_options,
    add_rescoring_options,
    named_embedder,
    rescoring_options,
    start_java_quickly,
)
from sparseembed.cli.parser import advanced_group
from sparseembed.cli.text import columns, printable, snippet, visible

if TYPE_CHECKING:
    from sparseembed.engines.base import Passage
    from sparseembed.retrieval.explain import Explanation
    from sparseembed.retrieval.rescoring import Rescored

DESCRIPTION = """\
List the terms that a query and a document share, where each comes from (literal: it stands in the document; expansion:
the embedding brought it), and how they sum, exactly, to the score. With an encoder or feedback, what the query's
embedding adds to it, and what the hits most like it add. Of a document of several passages, the one that carried it.
On a terminal the terms are drawn as bars.
"""
EPILOG = """\
examples:
  sparseembed explain indexes/pydocs "pick a random element from a list" random.choice
  sparseembed explain indexes/pydocs "turn a list upside down" list.reverse --encoder full --feedback
  sparseembed explain indexes/pydocs "pick a random element from a list" random.choice --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("index", metavar="INDEX", help="an index folder, or a folder that holds all parts of one")
    parser.add_argument("query", metavar="QUERY", help="the query's text")
    parser.add_argument("document", metavar="DOC_ID", help="the document's id")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    add_filter_option(parser)
    add_rescoring_options(parser)
    add_naming_options(parser)
    group = advanced_group(parser, "for those who know the method")
    add_engine_option(group)
    group.add_argument("--expand", type=int, default=0, metavar="M", help="explain the query expanded by M terms")


def run(options: argparse.Namespace) -> None:
    """Explain."""
    from sparseembed.retrieval.searcher import Searcher

    start_java_quickly(options.engine)
    with Searcher.open(
        options.index,
        expand=options.expand,
        **rescoring_options(options),
        embedder=named_embedder(options),
        engine=options.engine,
        warm=False,
    ) as searcher:
        drawn = sys.stdout.isatty() and not options.json
        shown = searcher.insight.show(options.query, [options.document], options.filters)[0] if drawn else None
        explanation = (
            shown.explanation
            if shown is not None
            else searcher.explain(options.query, options.document, options.filters)
        )
        text, metadata = searcher.text(options.document), searcher.metadata(options.document)
        candidates = 0 if searcher.rescorer is None else searcher.rescorer.candidates
    if options.json:
        value = {**explanation._asdict(), "terms": [term._asdict() for term in explanation.terms]}
        if explanation.passage is None:
            value.pop("passage")
        else:
            value["passage"] = explanation.passage._asdict()
        if not explanation.filtered:
            value.pop("filtered")
        if explanation.rescored is None:
            value.pop("rescored")
        else:
            near = [each._asdict() for each in explanation.rescored.neighbours]
            value["rescored"] = {**explanation.rescored._asdict(), "neighbours": near}
        if metadata:
            value["metadata"] = metadata
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    about = f"{printable(json.dumps(metadata, ensure_ascii=False))}\n" if metadata else ""
    sys.stdout.write(f"{visible(explanation.id)}: {snippet(text)}\n{about}\n")
    if shown is not None:
        from sparseembed.cli.terminal import show_bars

        show_bars(shown)
    else:
        sys.stdout.write(f"{_terms(explanation)}\n")
    if explanation.filtered:
        sys.stdout.write("\nno hit: it does not meet the filter\n")
    elif explanation.rescored is not None:
        sys.stdout.write(f"\n{_rescored(explanation.rescored)}\n")
    elif candidates:
        among = " that meet the filter" if options.filters else ""
        sys.stdout.write(
            f"\nnot rescored: it is neither among the {candidates:,} best hits{among} nor as near to the query\n"
        )
    if explanation.passage is not None:
        sys.stdout.write(f"\n{_passage(explanation.passage)}\n")
    if explanation.unmatched:
        sys.stdout.write(f"\nnot in the document: {', '.join(map(visible, explanation.unmatched))}\n")


def _terms(explanation: "Explanation") -> str:
    """Return the shared terms and their sum as a table."""
    rows: list[tuple[object, ...]] = [
        (visible(term.term), term.origin, term.query_weight, term.impact, term.score) for term in explanation.terms
    ]
    rows.append(("sum", "", "", "", explanation.by_terms))
    return columns(rows, ("term", "origin", "query", "impact", "score"), right=frozenset({2, 3, 4}))


def _passage(found: "Passage") -> str:
    """Return the passage that carried a document, whole."""
    where = f"passage {found.number} of {found.of}, characters {found.start:,} to {found.end:,}"
    return f"{where}, brings {found.score} of the sum:\n{snippet(found.text, len(found.text))}"


def _rescored(found: "Rescored") -> str:
    """Return what a new score is the sum of."""
    rows: list[tuple[object, ...]] = [("its terms", "", f"{found.from_terms:.4f}")]
    if found.cosine is not None:
        rows.append(("its embedding", f"cosine {found.cosine:.3f} with the query's", f"{found.from_embedding:.4f}"))
    rows += [(f"like {visible(near.id)}", f"weight {near.weight:.3f}", f"{near.adds:.4f}") for near in found.neighbours]
    rows.append(("sum", "", f"{found.score:.4f}"))
    return columns(rows, ("rescored by", "", "adds"), right=frozenset({2}))
