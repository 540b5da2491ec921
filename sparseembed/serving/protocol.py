"""HTTP connections that no slow client can keep open for ever."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from sparseembed.serving.pool import GONE
from sparseembed.serving.problems import MEDIA_TYPE, raw_problem

PATIENCE = 15.0
"""Seconds for a request's head to arrive, and for a client to take more of what is sent to it."""

LINGER = 1.0
"""Seconds for a client whose bytes are no HTTP to take the answer."""


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which alone waits for ever for the rest of a head, and for a client that does not read."""

    _deadline: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more, and let a request that is in hand know it."""
        self._relax()
        if self.cycle is not None:
            self.cycle.scope["state"][GONE] = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Expect the rest of a head that is not whole yet; the time for it is that of all of its parts together."""
        if self._refused:
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._relax()
        elif self._deadline is None:
            self._expect()

    def pause_writing(self) -> None:
        """Expect the client to read."""
        super().pause_writing()
        self._expect()

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._relax()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also where the client has not read its last response."""
        super().timeout_keep_alive_handler()
        self._expect()

    def shutdown(self) -> None:
        """Close the connection once its request is answered, also where the client does not read on."""
        super().shutdown()
        if self.transport.is_closing():
            self._expect()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request."""
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=raw_problem(400, msg)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        # To close it now, with something of the client's unread, would take the answer from the client.
        self._refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)

    def _expect(self) -> None:
        self._relax()
        self._deadline = self.loop.call_later(PATIENCE, self.transport.abort)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
