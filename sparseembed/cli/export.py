"""`sparseembed export`: an index's documents and impacts for other programs and other engines."""

import argparse

DESCRIPTION = """\
Bring the documents of an index with their impacts into files that other programs read, or into another engine: a
database in a folder (--out), or one that runs (--url). A run that was stopped goes on where it was; documents that
stand there already are not sent twice.
"""
EPILOG = """\
examples:
  sparseembed export indexes/mine --to jsonl --out vectors --gzip
  sparseembed export indexes/mine --to qdrant --url http://localhost:6333 --name mine
  sparseembed export indexes/mine --to opensearch --url https://localhost:9200 --name mine
  sparseembed export indexes/mine --to elasticsearch --out bulk --gzip
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from sparseembed.exports.registry import SINKS
    from sparseembed.exports.sink import Target

    width = max(map(len, SINKS)) + 2
    forms = "".join(f"\n  {name:{width}}{form.help}" for name, form in SINKS.items())
    users: dict[str, list[str]] = {}
    for name, form in SINKS.items():
        if form.key:
            users.setdefault(form.key, []).append(name)
    broad = max(map(len, users)) + 2
    keys = "".join(f"\n  {key:{broad}}key for {' and '.join(names)}" for key, names in users.items())
    parser.description = f"{DESCRIPTION}\nformats:{forms}\n" + (f"\nenvironment:{keys}\n" if keys else "")
    parser.add_argument("index", metavar="INDEX", help="an index folder")
    parser.add_argument("--to", metavar="FORMAT", choices=tuple(SINKS), default="jsonl", help="default: jsonl")
    parser.add_argument("--out", metavar="DIR", help="the folder to write: an empty or a new one")
    parser.add_argument("--url", metavar="URL", help="a running engine to send the documents to")
    parser.add_argument(
        "--name", metavar="NAME", help="name of the collection, table or index there (default: the index folder's name)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an export that stands there already")
    parser.add_argument(
        "--batch", type=int, metavar="N", default=Target.batch, help=f"documents sent at once (default: {Target.batch})"
    )
    parser.add_argument("--gzip", action="store_true", help="compress the files, for jsonl and bulk files")


def run(options: argparse.Namespace) -> None:
    """Export the index."""
    from sparseembed.exports.registry import export_index

    export_index(
        options.index,
        options.to,
        options.out,
        url=options.url,
        name=options.name,
        overwrite=options.overwrite,
        batch=options.batch,
        gzip=options.gzip,
    )
