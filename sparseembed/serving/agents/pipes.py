"""Standard input and output, where every request is answered. The SDK alone drops what is no message of the protocol,
and what it has not answered when the input ends: whoever asked would wait for ever, or get nothing through a pipe."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)
from pydantic import ValidationError

from sparseembed.text import one_line

LAST_ANSWERS = 60.0
"""Seconds that a server whose input has ended waits for answers that are still to come."""


@asynccontextmanager
async def answering_pipes() -> AsyncIterator[tuple["AskedStream", "AnswersStream"]]:
    """Give the two streams of a server that talks through standard input and output."""
    async with stdio_server() as (asked, answers):
        answered = AnswersStream(answers)
        yield AskedStream(asked, answered), answered


class _Stream:
    """A stream of the SDK's with something of our own."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class AnswersStream(_Stream):
    """The stream of what goes, which knows the requests that are still to be answered."""

    def __init__(self, stream: Any) -> None:
        """Take the SDK's stream."""
        super().__init__(stream)
        self._open: set[str | int] = set()
        self._done = anyio.Event()

    async def send(self, item: SessionMessage) -> None:
        """Send a message."""
        await self._stream.send(item)
        if isinstance(item.message, JSONRPCResponse | JSONRPCError):
            self._close(item.message.id)

    def expect(self, item: SessionMessage | Exception) -> None:
        """Look at a message that came: a request is to be answered, and one that is cancelled is not."""
        message = item.message if isinstance(item, SessionMessage) else None
        if isinstance(message, JSONRPCRequest):
            self._open.add(message.id)
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self._close((message.params or {}).get("requestId"))

    async def finish(self) -> None:
        """Wait until every request is answered, but not for ever."""
        if self._open:
            self._done = anyio.Event()
            with anyio.move_on_after(LAST_ANSWERS):
                await self._done.wait()

    def _close(self, request: Any) -> None:
        if isinstance(request, str | int):
            self._open.discard(request)
        if not self._open:
            self._done.set()


class AskedStream(_Stream):
    """The stream of what comes. What could not be read as a message is answered here, and not given on."""

    def __init__(self, stream: Any, answers: AnswersStream) -> None:
        """Take the SDK's stream, and that of what goes."""
        super().__init__(stream)
        self._answers = answers

    @property
    def last_context(self) -> Any:
        """The context of the last message's sender."""
        return self._stream.last_context

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message.

        :raises anyio.EndOfStream: There is none, and all were answered.
        """
        while True:
            try:
                item: SessionMessage | Exception = await self._stream.receive()
            except anyio.EndOfStream:
                await self._answers.finish()
                raise
            if not isinstance(item, ValidationError):
                self._answers.expect(item)
                return item
            refusal = refusal_of(item)
            if refusal is not None:
                await self._answers.send(SessionMessage(refusal))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


def refusal_of(error: ValidationError) -> JSONRPCError | None:
    """Return the answer to what is no message, as JSON-RPC 2.0 has it; None where none is due.

    :param error: What the SDK says of it. An empty line and an answer to nothing are answered by nothing.
    """
    faults = error.errors(include_url=False)
    given = faults[0]["input"]
    if faults[0]["type"] == "json_invalid":
        if not given.strip():
            return None
        return _refusal(PARSE_ERROR, f"Parse error: {one_line(faults[0]['msg'])}", _read(given))
    # One of the faults is of the whole message, for each of its kinds lacks something.
    whole = next((each["input"] for each in faults if isinstance(each["input"], dict) and len(each["loc"]) < 3), given)
    if isinstance(whole, dict) and "method" not in whole and whole.keys() & {"result", "error"}:
        return None
    return _refusal(INVALID_REQUEST, "Invalid Request: this is no JSON-RPC 2.0 request", whole)


def _refusal(code: int, told: str, given: Any) -> JSONRPCError:
    asked = given.get("id") if isinstance(given, dict) else None
    known = asked if isinstance(asked, str) or type(asked) is int else None
    return JSONRPCError(jsonrpc="2.0", id=known, error=ErrorData(code=code, message=told))


def _read(text: str) -> Any:
    """Read what strict JSON does not take, such as lone surrogates; None where it is no JSON at all."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
