"""uvicorn's HTTP protocol with the limits it lacks.

A connection that does not finish sending its request in time is closed, headers are bounded, and a
client that leaves cancels what it asked for at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 16 << 10
MAX_HEADERS = 100
REQUEST_S = 10.0  # to send a whole request in
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: application/json\r\ncontent-length: 97\r\nconnection: close\r\n\r\n"
    b'{"error":{"code":"headers_too_large",'
    b'"message":"the headers are too large; at most 16384 bytes"}}'
)


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._task: asyncio.Task[None] | None = None
        self._late: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._refused = False

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

    def on_message_complete(self) -> None:
        """Stop the clock."""
        self._in_time()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, once."""
        if not self._refused:
            super().send_400_response(msg)

    def _count(self, size: int) -> None:
        """Refuse headers that are too large, before they are kept."""
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
            self._refused = True
            self.transport.write(_TOO_LARGE)
            self.transport.close()
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
