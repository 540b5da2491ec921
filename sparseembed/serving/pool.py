"""The threads that search: the event loop never waits for an index."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

_Result = TypeVar("_Result")

GONE = "gone"
"""Key of a request's state: whether its client has closed the connection."""


class Pool:
    """A fixed number of threads.

    A request that gives up waiting leaves its place in the queue; one that is searched already keeps its thread until
    the search ends, so that never more threads run than there are.
    """

    def __init__(self, threads: int) -> None:
        """Take the number of threads, which start when they are needed."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="search")
        # Writes wait for each other anyway, and must not keep searches from their threads.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Do work in a thread, and wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def write(self, work: Callable[[], _Result]) -> _Result:
        """Do work that changes an index, after all such work before it."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._writer.shutdown(wait=True)


async def in_pool(request: Request, work: Callable[[], _Result]) -> _Result:
    """Do work in one of the server's threads: what every route does that touches an index.

    :param request: The request that it is for.
    :param work: The work.
    :raises ClientDisconnect: The client goes before a thread is free, so that nobody waits for the work.
    """
    pool: Pool = request.app.state.pool
    state = request.scope.setdefault("state", {})

    def wanted() -> _Result:
        if state.get(GONE):
            raise ClientDisconnect
        return work()

    return await pool.run(wanted)
