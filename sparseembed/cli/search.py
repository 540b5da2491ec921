"""`sparseembed search`: one query for people, many for a run file."""

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
    positive,
    rescoring_options,
    start_java_quickly,
)
from sparseembed.cli.parser import advanced_group
from sparseembed.cli.text import columns, passage_snippet, visible
from sparseembed.errors import ConfigError
from sparseembed.progress import note
from sparseembed.retrieval.query import DEFAULT_EXPANSION_WEIGHT

if TYPE_CHECKING:
    from sparseembed.engines.base import Hit, Run
    from sparseembed.retrieval.searcher import Searcher

DESCRIPTION = """\
Search an index with a query, or with a file of queries. With --filter, the hits are the best of the documents whose
metadata meets the conditions. No model is loaded, unless --encoder or --rescore asks for the best hits to be compared
with the query's embedding, or --expand for the query's own aligned terms. Of a document of several passages the one
that carried it is shown, as [its number/how many there are]. The parts that `sparseembed index --shard` has made are
searched as one, with the hits and scores of one index, where INDEX is the folder that all of them stand in. On a
terminal each hit has the part of its text that says most for it, with the words marked that made it match; elsewhere it
is one line.
"""
EPILOG = """\
examples:
  sparseembed search indexes/pydocs "pick a random element from a list"
  sparseembed search indexes/pydocs "pick a random element from a list" -k 3 --json
  sparseembed search indexes/mine "how do tides come about" --filter 'year>=2019' --filter 'lang=de|fr'
  sparseembed search indexes/pydocs "pick a random element from a list" --feedback
  sparseembed search indexes/pydocs "turn a list upside down" --encoder full --feedback
  sparseembed search indexes/pydocs "turn a list upside down" --encoder auto --budget 20
  sparseembed search indexes/scifact --queries scifact/queries.jsonl --run scifact.trec -k 1000 --threads 2
  sparseembed search indexes/big-parts "statin benefits"
      all the parts in that folder, as one index; they may be links to folders on other disks
  sparseembed search indexes/scifact.folded "statin benefits" --expand 10
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("index", metavar="INDEX", help="an index folder, or a folder that holds all parts of one")
    parser.add_argument("query", metavar="QUERY", nargs="?", help="the query's text")
    parser.add_argument("-k", type=int, default=10, help="hits wanted (default: 10)")
    parser.add_argument("--json", action="store_true", help="one JSON object a hit, text and metadata included")
    parser.add_argument(
        "--queries",
        metavar="FILE",
        help='many queries, {"_id", "text"} or id, tab and text a line; - reads standard input',
    )
    parser.add_argument("--run", dest="run_file", metavar="OUT.trec", help="TREC run file for --queries")
    parser.add_argument(
        "--keep-self",
        action="store_true",
        help="keep hits whose id is the query's own in the run file; without it they are left out, as eval does",
    )
    add_filter_option(parser)
    parser.add_argument("--threads", type=int, default=1, help="queries searched at the same time (default: 1)")
    add_rescoring_options(parser)
    add_naming_options(parser)
    group = advanced_group(parser, "for those who know the method")
    add_engine_option(group)
    group.add_argument(
        "--expand", type=int, default=0, metavar="M", help="aligned terms added to each query (default: 0, no model)"
    )
    group.add_argument(
        "--expansion-weight",
        type=float,
        default=DEFAULT_EXPANSION_WEIGHT,
        metavar="W",
        help=f"weight of the best of them, a literal term's being 1 (default: {DEFAULT_EXPANSION_WEIGHT})",
    )


def run(options: argparse.Namespace) -> None:
    """Search."""
    from sparseembed.retrieval.searcher import Searcher

    positive(options.k, "-k, the hits wanted,")
    positive(options.threads, "--threads")
    if (options.query is None) == (options.queries is None):
        raise ConfigError("give one QUERY, or --queries FILE with --run OUT.trec")
    if (options.queries is None) != (options.run_file is None):
        raise ConfigError("--queries FILE and --run OUT.trec go together: the hits of many queries go into a run file")
    if options.run_file is not None:
        from sparseembed.outputs import check_writable

        check_writable(options.run_file)
    if options.query is not None:
        start_java_quickly(options.engine)
    with Searcher.open(
        options.index,
        expand=options.expand,
        expansion_weight=options.expansion_weight,
        **rescoring_options(options),
        embedder=named_embedder(options),
        engine=options.engine,
        warm=False,
    ) as searcher:
        if options.queries is not None:
            _search_many(searcher, options)
        else:
            _search_one(searcher, options)


def _search_one(searcher: "Searcher", options: argparse.Namespace) -> None:
    if not options.json:
        show(searcher, options.query, options.k, options.filters)
        return
    for hit in searcher.search(options.query, options.k, options.filters):
        record = {"rank": hit.rank, "id": hit.id, "score": _score(searcher, hit), "text": searcher.text(hit.id)}
        if hit.metadata:
            record["metadata"] = hit.metadata
        if hit.passage is not None:
            record["passage"] = hit.passage._asdict()
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


def show(searcher: "Searcher", query: str, k: int, filters: list[str] | None = None) -> None:
    """Search, and write the hits: with what made them match on a terminal, one line each elsewhere.

    :param searcher: The index.
    :param query: The query.
    :param k: Hits wanted.
    :param filters: As in `Searcher.search`.
    :raises SparseEmbedError: As `Searcher.search`.
    """
    if sys.stdout.isatty():
        from sparseembed.cli.terminal import show_hits
        from sparseembed.serving.found import find

        found = find(searcher, query, k, filters)
        show_hits(found, searcher.rescorer is not None)
        if not found:
            note(_no_hits(filters))
        return
    hits = searcher.search(query, k, filters)
    if not hits:
        note(_no_hits(filters))
        return
    rows = [
        (hit.rank, _score(searcher, hit), visible(hit.id), passage_snippet(searcher.text(hit.id), hit.passage))
        for hit in hits
    ]
    sys.stdout.write(columns(rows, ("rank", "score", "id", "text"), right=frozenset({0, 1})) + "\n")


def _score(searcher: "Searcher", hit: "Hit") -> float:
    return round(hit.score, 4) if searcher.rescorer is not None else int(hit.score)


def _no_hits(filters: object) -> str:
    among = " that meets the filter" if filters else ""
    return f"no hits: no document{among} shares a term with the query"


def _search_many(searcher: "Searcher", options: argparse.Namespace) -> None:
    from sparseembed.data.queries import read_queries
    from sparseembed.data.source import open_source
    from sparseembed.evaluation.runs import drop_self, write_trec_run

    queries = read_queries(open_source(options.queries))
    own = 0 if options.keep_self else 1  # one more hit, for the query's own document gives way
    hits = searcher.search_batch(list(queries.values()), options.k + own, options.threads, options.filters)
    run: Run = dict(zip(queries, hits, strict=True))
    if not options.keep_self:
        run = drop_self(run, options.k)
    write_trec_run(options.run_file, run, "sparseembed")
    found = sum(map(len, run.values()))
    note(f"searched {len(queries):,} queries, found {found:,} hits; wrote {options.run_file}")
