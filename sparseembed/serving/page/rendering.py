"""Templates to responses: everything is escaped, and nothing but the page's own style and script may load or run."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment
from markupsafe import Markup
from starlette.responses import Response

from sparseembed.pages import templates
from sparseembed.retrieval.association import Mark

HERE = Path(__file__).parent
ASSETS = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Piece(NamedTuple):
    """A piece of a passage: plain where it has no kind, else a word that made it match."""

    text: str
    kind: str = ""
    term: str = ""


def page(name: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """Render a template.

    :param name: The template.
    :param values: What it shows.
    :param status: The status of the response.
    """
    content = _environment().get_template(name).render(values)
    headers = {**HEADERS, "Cache-Control": "no-store"}  # pages hold what was asked
    return Response(content, status, headers, "text/html; charset=utf-8")


def asset(name: str) -> Response | None:
    """Return the style, the script or the icon; None where there is none of that name."""
    if name not in ASSETS:
        return None
    headers = {**HEADERS, "Cache-Control": "public, max-age=86400"}  # addresses hold a fingerprint
    return Response((HERE / "assets" / name).read_bytes(), 200, headers, ASSETS[name] + "; charset=utf-8")


def pieces(text: str, marks: Sequence[Mark]) -> list[Piece]:
    """Take a text apart at its marks.

    :param text: The text.
    :param marks: Its marks, in order.
    """

    def each() -> Iterator[Piece]:
        end = 0
        for mark in marks:
            if mark.start >= end:
                yield Piece(text[end : mark.start])
                yield Piece(text[mark.start : mark.end], mark.kind, mark.term)
                end = mark.end
        yield Piece(text[end:])

    return [piece for piece in each() if piece.text]


@cache
def _environment() -> Environment:
    environment = templates(HERE / "templates")
    environment.filters["number"] = _number
    environment.filters["percent"] = lambda share: f"{100 * share:.2f}%"
    environment.filters["breakable"] = _breakable
    environment.globals["version"] = _fingerprint()
    return environment


def _number(value: float) -> str:
    """Write a count with separators, and a score of rescored hits with three places."""
    return f"{value:,.0f}" if value == int(value) else f"{value:.3f}"


def _breakable(title: str) -> Markup:
    """Let a long name break behind its dots and underscores, and before its capitals, rather than anywhere."""
    return Markup("<wbr>").join(filter(None, re.split(r"(?<=[._/])|(?<=[a-z])(?=[A-Z])", title)))


def _fingerprint() -> str:
    contents = b"".join((HERE / "assets" / name).read_bytes() for name in ASSETS)
    return sha256(contents).hexdigest()[:12]
