"""What stands before all routes: limits, the count and the log of requests, and no failure without a JSON problem."""

import asyncio
import re
import time
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sparseembed.serving.logs import log_failure, log_request
from sparseembed.serving.metrics import Metrics
from sparseembed.serving.problems import FAILED, problem
from sparseembed.serving.settings import Settings

UNTIMED = frozenset({("POST", "documents"), ("DELETE", "documents"), ("POST", "reload")})
"""Methods, and first parts of paths, of requests that may take as long as they need."""

LARGE = frozenset({"documents"})
"""First parts of paths that take bodies as large as the settings say: what is asked elsewhere is short."""

TOLD = "told"
"""Key of a request's state: what its route wants in the log (a dict)."""

_DRAINED = 64 << 20  # bytes of a body over the limit that are read, so that its sender comes to read the answer
_SHORT = 1 << 20  # bytes of a body elsewhere, beside its query, at most: to check it takes the time of other requests
_CHARACTER = 12  # bytes of a character of a query in JSON, at most
_CLOSE = {"connection": "close"}
_BODY = frozenset({b"content-length", b"transfer-encoding"})
_HOST = re.compile(r"(?:\[([0-9A-Za-z:.%]+)\]|([^:@\[\]/]+))(?::[0-9]*)?")


class _TooLongError(Exception):
    """A body is over the limit."""


class Guard:
    """Middleware that holds each request to the settings."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        """Stand before an application."""
        self._app, self._settings, self._metrics = app, settings, metrics
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":  # what GET is answered, of which the protocol sends no body
            scope = {**scope, "method": "GET"}
        start, status, size = time.perf_counter(), 0, 0

        async def sent(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        self._running += 1
        self._metrics.began()
        try:
            await self._answer(scope, receive, sent, lambda: bool(status))
        finally:
            self._running -= 1
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", "other")
            # 499: the client went before it was answered.
            self._metrics.ended(route, method, status or 499, seconds)
            told = scope.get("state", {}).get(TOLD, {})
            log_request(_line(scope, method, route, status or 499, size, seconds) | told)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, begun: Any) -> None:
        settings = self._settings
        if not _host_allowed(scope, settings.hosts):
            await problem(421, "This server is not called by that name: see --allow-host.")(scope, receive, send)
            return
        if self._running > settings.max_waiting:
            busy = problem(
                503, "The server has more requests in hand than it may have: try again.", {"retry-after": "1"}
            )
            await busy(scope, receive, send)
            return
        doing = "The request's body did not arrive"
        path = scope["path"].removeprefix(scope.get("root_path", ""))  # the rest, where the server is mounted
        first = path.strip("/").partition("/")[0]
        most = settings.max_body
        if first not in LARGE:
            most = min(most, _SHORT + _CHARACTER * settings.max_query)
        try:
            if _BODY & {name for name, _ in scope["headers"]}:
                async with asyncio.timeout(settings.seconds):
                    receive = await _whole_body(scope, receive, most)
            doing = "The request could not be answered"
            untimed = (scope["method"], first) in UNTIMED
            async with asyncio.timeout(None if untimed else settings.seconds):
                await self._app(scope, receive, send)
        except _TooLongError:
            detail = f"The request's body has more than {most:,} bytes, the most that is taken here."
            await problem(413, detail, _CLOSE)(scope, receive, send)
        except TimeoutError:
            if begun():
                return  # the connection is closed, for the answer is not whole
            await problem(408, f"{doing} within {settings.seconds:g} seconds.", _CLOSE)(scope, receive, send)
        except ClientDisconnect:
            return  # there is nobody to answer
        except Exception as error:
            log_failure("a request failed", error)
            if begun():
                raise
            await problem(500, FAILED)(scope, receive, send)


async def _whole_body(scope: Scope, receive: Receive, most: int) -> Receive:
    """Receive a body.

    :return: What gives it again, and then what comes after it.
    :raises _TooLongError: It has more bytes than `most`.
    :raises ClientDisconnect: The client goes before all of it is there.
    """
    headers = dict(scope["headers"])
    length = int(headers.get(b"content-length", b"0"))
    if length > most + _DRAINED or (length > most and b"expect" in headers):
        raise _TooLongError
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        size += len(message.get("body", b""))
        if size <= most:
            parts.append(message.get("body", b""))
        if size > _DRAINED + most or (size > most and not message.get("more_body")):
            raise _TooLongError
        if not message.get("more_body"):
            message = {"type": "http.request", "body": b"".join(parts), "more_body": False}
            break
    first: list[Message] = [message]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


def _host_allowed(scope: Scope, hosts: tuple[str, ...] | None) -> bool:
    """Whether the name that a request calls the server by is one of its own.

    A page of another site could else have its name lead to the loopback address, and read what is answered.
    """
    if hosts is None:
        return True
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), None)
    if given is None:  # of HTTP/1.0, as health checks speak it; browsers always name it
        return True
    found = _HOST.fullmatch(given)
    return found is not None and (found[1] or found[2]).lower() in hosts


def _line(scope: Scope, method: str, route: str, status: int, size: int, seconds: float) -> dict[str, Any]:
    client = scope.get("client")
    return {
        "method": method,
        "route": route,
        "status": status,
        "bytes": size,
        "ms": round(1000 * seconds, 2),
        "client": client[0] if client else None,
    }
