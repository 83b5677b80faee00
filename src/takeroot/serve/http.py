"""uvicorn's HTTP protocol with the limits it lacks.

A connection that does not finish sending its request in time is closed, headers are bounded, what
is no HTTP is refused as everything else is, and a client that leaves cancels what it asked for at
once. At the server's end, who has connected by then is let in and may ask.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from takeroot.serve.faults import ServeError
from takeroot.serve.native import Response, refusal
from takeroot.serve.refusal import Headers
from takeroot.serve.request_id import accepted_id

MAX_HEADER_BYTES = 16 << 10
MAX_HEADERS = 100
REQUEST_S = 10.0  # to send a whole request in
SO_ATTACH_FILTER, BPF_RETURN = 26, 0x06  # of Linux: a filter of packets that returns 0, none of it
LAST_S = 0.5  # at the end, for a client that has connected to begin its request


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._task: asyncio.Task[None] | None = None
        self._late: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._refused = False
        self._shed: Response | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, not for ever."""
        super().connection_made(transport)
        self._late = self.loop.call_later(REQUEST_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel what the client asked for."""
        self._in_time()
        super().connection_lost(exc)
        if self._task is not None and not self._task.done():
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Take in what came, unless too much has come already."""
        if self._late is None and (self.cycle is None or self.cycle.response_complete):
            self._late = self.loop.call_later(REQUEST_S, self.transport.close)
        if not self._refused:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Count anew."""
        self._header_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the address as a header."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Let the application answer, unless the server is full."""
        self._shed = None
        if (self.cycle is None or self.cycle.response_complete) and not self.expect_100_continue:
            method = self.parser.get_method()
            self._shed = self.app.too_much(method, self.url, self.headers)
        if self._shed is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take in a part of the body, if anybody reads it."""
        if self._shed is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock."""
        self._in_time()
        if self._shed is None:
            super().on_message_complete()
        else:
            self._turn_away(self._shed)

    def _turn_away(self, response: Response) -> None:
        """Answer in the application's stead, and go on, if the client reads its answers.

        Its next request is read when those of others who were refused have been.
        """
        if self.flow.write_paused:
            self.transport.abort()
            return
        own = response.headers or []
        stays = self.parser.should_keep_alive()
        if not stays:
            own = [*own, (b"connection", b"close")]
        self.transport.write(_written(response.status, own, response.body))
        if not stays:
            self.transport.close()
            return
        self.on_response_complete()
        self.flow.pause_reading()
        self.app.turns.wait(self._read_again)

    def _read_again(self) -> None:
        """Its turn has come."""
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, once."""
        del msg  # uvicorn's own words
        if not self._refused:
            self._refuse(ServeError("invalid_request", reason="it is not HTTP"))

    def shutdown(self) -> None:
        """The server ends: close, but let a request that is on its way come and be answered."""
        if self._late is None and not self.flow.read_paused:
            super().shutdown()
        else:
            self.loop.call_later(LAST_S, super().shutdown)

    def _refuse(self, error: ServeError) -> None:
        """Answer by ourselves, and close."""
        self._refused = True
        self.transport.write(_response(error))
        self.transport.close()

    def _count(self, size: int) -> None:
        """Refuse headers that are too large, before they are kept."""
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
            self._refuse(ServeError("headers_too_large", limit=MAX_HEADER_BYTES))
            raise ValueError("headers too large")  # ends the parser's work

    def _in_time(self) -> None:
        """The request is whole: nothing more is waited for."""
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        self._task = task


class LimitedServer(uvicorn.Server):
    """uvicorn's server, which at its end resets none of the connections that wait to be let in."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listeners, let in who has connected by then, and wait for everybody."""
        listening = [each for server in self.servers for each in server.sockets]
        kept = [socket.socket(fileno=os.dup(each.fileno())) for each in listening]
        for server in self.servers:
            server.close()
        await self._let_in(kept)
        await super().shutdown(sockets)

    async def _let_in(self, kept: Sequence[socket.socket]) -> None:
        """Take the connections that wait at some listeners, and close those."""
        loop = asyncio.get_running_loop()
        coming = []
        for listener in kept:
            with listener:
                listener.setblocking(False)
                _admit_no_more(listener)
                while (accepted := _accept(listener)) is not None:
                    opening = loop.connect_accepted_socket(
                        self._protocol, accepted, ssl=self.config.ssl
                    )
                    coming.append(loop.create_task(opening))
        if coming:
            await asyncio.wait(coming, timeout=LAST_S)

    def _protocol(self) -> LimitedProtocol:
        """What uvicorn makes for a connection."""
        return LimitedProtocol(self.config, self.server_state, self.lifespan.state)


def _admit_no_more(listener: socket.socket) -> None:
    """Have the kernel drop who begins to connect from now on, where it is Linux.

    Who connected between the last look at those who wait and the end of the listener would be
    reset; who is dropped tries again after a second, and is refused.
    """
    rule = ctypes.create_string_buffer(struct.pack("@HBBI", BPF_RETURN, 0, 0, 0))
    program = struct.pack("@HP", 1, ctypes.addressof(rule))
    with suppress(OSError):  # elsewhere, or where filters are forbidden
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _accept(listener: socket.socket) -> socket.socket | None:
    """A connection that waits, if any does."""
    try:
        accepted, _ = listener.accept()
    except BlockingIOError:
        return None
    accepted.setblocking(False)
    return accepted


def _response(error: ServeError) -> bytes:
    """An error before there is a request that the application could answer."""
    response = refusal(error, accepted_id(""))
    headers = [(b"content-type", response.content_type), (b"connection", b"close")]
    return _written(response.status, headers, response.body)


def _written(status: int, headers: Headers, body: bytes) -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])
