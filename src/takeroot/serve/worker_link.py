"""The server's end of a worker: its process, the socket between, and what it is doing."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, cast

import msgspec

from takeroot.errors import BundleError
from takeroot.serve.queue import Piece
from takeroot.serve.wire import Frames, FromWorker, Load, Loaded, ToWorker, Unload, frame

if TYPE_CHECKING:
    from takeroot.serve.writing import Batch

LEAN = {  # of a worker's environment: it starts sooner, and what it freed goes back at once
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # or it looks for some in every package there is
    "MALLOC_MMAP_THRESHOLD_": "131072",  # glibc: or the place of a freed model file is kept
}
STOP_S = 5.0  # a worker gets to end by itself

_decoder = msgspec.msgpack.Decoder(FromWorker)


class Interrupted(BundleError):
    """A worker ended before it had opened a bundle; another try may go well."""


class Worker(asyncio.Protocol):
    """One process and what it is doing.

    Args:
        process: It.
        heard: Called with everything it says.
        lost: Called when it has ended.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        heard: Callable[[Worker, FromWorker], None],
        lost: Callable[[Worker], None],
    ) -> None:
        self.process, self._heard, self._lost = process, heard, lost
        self.transport: asyncio.WriteTransport | None = None
        self.frames = Frames()
        self.runs: dict[int, tuple[list[Piece], float]] = {}
        self.writing: dict[int, Batch] = {}
        self.loading: dict[str, asyncio.Future[Loaded]] = {}
        self.open: dict[str, Loaded] = {}

    @classmethod
    async def spawn(
        cls, heard: Callable[[Worker, FromWorker], None], lost: Callable[[Worker], None]
    ) -> Self:
        """A new process, connected."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "takeroot.serve.worker", str(theirs.fileno())]
        process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            env=os.environ | LEAN,
        )
        theirs.close()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            _, worker = await loop.connect_accepted_socket(lambda: cls(process, heard, lost), ours)
        except BaseException:  # cancelled while it starts: nobody else knows the process
            ours.close()
            process.kill()
            process.wait()
            raise
        return worker

    def end(self) -> None:
        """Wait for the process, whose socket is closed, and kill it if it lingers."""
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process can be written to."""
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Pass on what it says."""
        for body in self.frames.feed(data):
            self._heard(self, _decoder.decode(body))

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._lost(self)

    def send(self, message: ToWorker) -> None:
        """Write it a message."""
        assert self.transport is not None
        self.transport.write(frame(message))

    def load(self, key: str, path: str) -> asyncio.Future[Loaded]:
        """Ask for a model; the future gives what the worker says."""
        waiting = self.loading[key] = asyncio.get_running_loop().create_future()
        if self.transport is None or self.transport.is_closing():
            waiting.set_exception(Interrupted("a worker ended before it opened the bundle"))
        else:
            self.send(Load(key, path))
        return waiting

    def forget(self, key: str) -> None:
        """Drop a model."""
        if self.open.pop(key, None) is not None:
            self.send(Unload(key))
