"""`sparseembed serve`: indexes over HTTP."""

import argparse
import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sparseembed.cli.options import (
    add_engine_option,
    add_naming_options,
    add_rescoring_options,
    named_embedder,
    positive,
    rescoring_options,
)
from sparseembed.errors import ConfigError
from sparseembed.retrieval.query import DEFAULT_EXPANSION_WEIGHT

if TYPE_CHECKING:
    from sparseembed.serving.settings import Searching, Settings

TOKEN = "SPARSEEMBED_TOKEN"
DESCRIPTION = f"""\
Serve indexes over HTTP: a page at /, and for programs /search, /explain, /documents/ID, /indexes, /health, /metrics
(Prometheus) and /openapi.json. A request names an index by its folder's name; the first is the default. A new commit
of an index, whoever makes it, is answered from within a second; requests at that moment end on the commit that they
began on. SIGTERM ends the server once the requests in hand are answered. Only this machine can reach it, unless --host
says otherwise. It needs pip install "sparseembed[serve]", and --mcp needs "sparseembed[mcp]".

Models are chosen here, not by requests: --encoder, --expand and --feedback are what a request gets that says nothing,
and a request may do without them. With --writable, who has the token may add and delete documents; the token stands in
the file of --token-file or in the environment variable {TOKEN}, at least 16 characters.
"""
EPILOG = """\
examples:
  sparseembed serve indexes/pydocs
  curl 'http://127.0.0.1:8080/search?query=pick+a+random+element+from+a+list&k=3'
  curl http://127.0.0.1:8080/search -H 'content-type: application/json' \\
       -d '{"query": "how do tides come about", "filter": ["year>=2019"], "fields": ["text", "metadata.year"]}'

  sparseembed serve indexes/pydocs indexes/mine --port 9000 --workers 4
  sparseembed serve indexes/pydocs --encoder small --feedback

  sparseembed serve indexes/pydocs --mcp                     as an agent's program starts it
  sparseembed serve indexes/pydocs --mcp=http --inspect      http://127.0.0.1:8080/ and /mcp

  openssl rand -hex 32 > token
  sparseembed serve indexes/mine --writable --token-file token
  curl http://127.0.0.1:8080/documents -H "Authorization: Bearer $(cat token)" -H 'content-type: application/json' \\
       -d '{"documents": [{"id": "tides", "title": "Tides", "text": "The moon draws the water."}]}'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("indexes", metavar="INDEX", nargs="+", help="index folders; the first is the default")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, this machine)")
    parser.add_argument("--port", type=int, default=8080, help="port, 0 for a free one (default: 8080)")
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="further name that requests may call a server of this machine by, such as one that a proxy passes on; "
        "again for more",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that serve (default: 1)")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="searches at the same time in one process (default: its cores)"
    )
    parser.add_argument("--writable", action="store_true", help="let documents be added and deleted; needs a token")
    parser.add_argument("--token-file", metavar="FILE", help=f"a file that holds the token (else ${TOKEN})")
    parser.add_argument("--log-queries", action="store_true", help="write the texts of queries into the log")
    parser.add_argument(
        "--mcp",
        nargs="?",
        const="stdio",
        choices=("stdio", "http"),
        help="offer tools to agents by the Model Context Protocol: through standard input and output, and no HTTP; or "
        "with --mcp=http at /mcp, beside everything else",
    )
    parser.add_argument(
        "--inspect", action="store_true", help="let the page load an index's embedder, to show what it sees in a text"
    )
    _add_limits(parser)
    add_engine_option(parser)
    parser.add_argument(
        "--expand", type=int, default=0, metavar="M", help="aligned terms added to each query (default: 0, no model)"
    )
    parser.add_argument(
        "--expansion-weight",
        type=float,
        default=DEFAULT_EXPANSION_WEIGHT,
        metavar="W",
        help=f"weight of the best of them, a literal term's being 1 (default: {DEFAULT_EXPANSION_WEIGHT})",
    )
    add_rescoring_options(parser)
    add_naming_options(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits", "A request over one of them is refused, with a JSON problem.")
    group.add_argument("--max-query", type=int, default=2000, metavar="N", help="characters of a query (default: 2000)")
    group.add_argument("--max-k", type=int, default=1000, metavar="N", help="hits of a request (default: 1000)")
    group.add_argument("--max-body", type=int, default=8, metavar="MB", help="megabytes of a body (default: 8)")
    group.add_argument(
        "--seconds", type=float, default=10, metavar="S", help="seconds for a body, and for an answer (default: 10)"
    )
    group.add_argument(
        "--max-waiting", type=int, default=512, metavar="N", help="requests in hand, in one process (default: 512)"
    )


def run(options: argparse.Namespace) -> None:
    """Serve."""
    from sparseembed.extras import extra
    from sparseembed.serving.settings import Searching

    positive(options.workers, "--workers")
    settings = _settings(options)
    if options.mcp is not None:
        extra("mcp", "mcp", "serve --mcp")
    searching = Searching(
        expand=options.expand,
        expansion_weight=options.expansion_weight,
        **rescoring_options(options),
        embedder=named_embedder(options),
        engine=options.engine,
    )
    if options.mcp == "stdio":
        _serve_stdio(options.indexes, searching, settings)
        return
    for module in ("fastapi", "uvicorn", "jinja2", "prometheus_client"):
        extra(module, "serve", "serve")
    from sparseembed.serving.run import serve

    serve(options.indexes, searching, settings, options.host, options.port, options.workers, options.quiet)


def _serve_stdio(folders: list[str], searching: "Searching", settings: "Settings") -> None:
    from sparseembed.serving.agents.transports import serve_stdio
    from sparseembed.serving.indexes import ServedIndexes

    with ServedIndexes(folders, searching) as indexes:
        serve_stdio(indexes, settings)


def _settings(options: argparse.Namespace) -> "Settings":
    from sparseembed.serving.settings import Settings

    for name in ("max_query", "max_k", "max_body", "max_waiting"):
        positive(getattr(options, name), "--" + name.replace("_", "-"))
    if options.threads is not None:
        positive(options.threads, "--threads")
    return Settings(
        max_query=options.max_query,
        max_k=options.max_k,
        max_body=options.max_body << 20,
        seconds=options.seconds,
        threads=options.threads or max(2, len(os.sched_getaffinity(0)) // options.workers),
        max_waiting=options.max_waiting,
        writable=options.writable,
        token=_token(options.token_file),
        log_queries=options.log_queries,
        hosts=_hosts(options.host, options.allow_host),
        inspect=options.inspect,
        agents=options.mcp == "http",
    )


def _token(file: str | None) -> str | None:
    """Return the token: never an option's own value, which every user of the machine could read."""
    if file is None:
        return os.environ.get(TOKEN, "").strip() or None
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise ConfigError(f"{file}: the token cannot be read ({reason}): check --token-file") from None
    if not token:
        raise ConfigError(f"{file} holds no token: write one, with openssl rand -hex 32 > {file}")
    return token


def _hosts(host: str, further: list[str]) -> tuple[str, ...] | None:
    """Return the names that requests may call the server by: any, where other machines may reach it."""
    try:
        alone = ipaddress.ip_address(host).is_loopback
    except ValueError:
        alone = host == "localhost"
    if not alone and not further:
        return None
    own = ("localhost", "127.0.0.1", "::1", host) if alone else (host,)
    return tuple(dict.fromkeys(name.lower() for name in (*own, *further)))
