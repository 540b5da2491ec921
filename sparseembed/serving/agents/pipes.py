"""Standard input and output, where also what is no message of the protocol is answered: the SDK alone drops it, and
whoever has sent a request that cannot be read would wait for ever."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

from sparseembed.text import one_line


@asynccontextmanager
async def answering_pipes() -> AsyncIterator[tuple["AnsweringStream", Any]]:
    """Give the two streams of a server that talks through standard input and output."""
    async with stdio_server() as (asked, answers):
        yield AnsweringStream(asked, answers), answers


class AnsweringStream:
    """A stream of messages. What could not be read as one is answered here, and not given on."""

    def __init__(self, asked: Any, answers: Any) -> None:
        """Take the SDK's streams of what comes and of what goes."""
        self._asked, self._answers = asked, answers

    @property
    def last_context(self) -> Any:
        """The context of the last message's sender."""
        return self._asked.last_context

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message.

        :raises anyio.EndOfStream: There is none.
        """
        while True:
            item: SessionMessage | Exception = await self._asked.receive()
            if not isinstance(item, ValidationError):
                return item
            refusal = refusal_of(item)
            if refusal is not None:
                await self._answers.send(SessionMessage(refusal))

    async def aclose(self) -> None:
        """Take nothing more."""
        await self._asked.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


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
