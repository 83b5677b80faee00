"""Requests at a constant rate, whether or not the ones before are answered.

A request is timed from the moment it was due, so that a generator held up by a slow server counts
that against the server. Each generator is a process of its own.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from faults.tally import Tally

TICK_S = 0.002
PATIENCE_S = 40  # after the last request; a server may take 30 s for one
MOST_CONNECTIONS = 3000
CHANNELS = 4


@dataclass(frozen=True)
class Load:
    """What to send.

    Args:
        rest: Host and port.
        grpc: Host and port, or None to use REST.
        sent: The bytes of a request: of HTTP with its head, or of a gRPC message.
        rate: Requests a second.
        seconds: How long.
    """

    rest: tuple[str, int]
    grpc: str | None
    sent: bytes
    rate: float
    seconds: float


def drive(load: Load, results: Connection) -> None:
    """Run a load and send its tally; the whole of a process."""
    import uvloop

    work = _rest(load) if load.grpc is None else _grpc(load)
    results.send(uvloop.run(work))
    results.close()


class _Line(asyncio.Protocol):
    """A connection, and the request on it."""

    def __init__(self, idle: list[_Line], tally: Tally) -> None:
        self.idle, self.tally = idle, tally
        self.due = 0.0
        self.held = b""
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, data: bytes, due: float) -> None:
        """Send a request that was due at a time."""
        self.due = due
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.held += data
        head, mark, body = self.held.partition(b"\r\n\r\n")
        if not mark:
            return
        head = head.lower()
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < size:
            return
        status = head[9:12].decode()
        self.tally.add(status, 1000 * (time.perf_counter() - self.due))
        if status == "429" and b"retry-after: " not in head:
            self.tally.bare += 1
        if status not in ("200", "429"):
            self.tally.note(self.held.decode())
        self.due, self.held = 0.0, b""
        if b"connection: close" in head:
            self.transport.close()
        else:
            self.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.due:
            self.tally.add("lost")
            self.tally.note(f"lost: {exc!r}")
            self.due = 0.0
        if self in self.idle:
            self.idle.remove(self)


class _Lines:
    """As many connections as it takes."""

    def __init__(self, load: Load) -> None:
        self.load, self.tally = load, Tally()
        self.idle: list[_Line] = []
        self.lines: set[_Line] = set()
        self.connecting: set[asyncio.Task[None]] = set()

    def send(self, due: float) -> None:
        """Send a request over a connection that is free, or over a new one."""
        if self.idle:
            self.idle.pop().ask(self.load.sent, due)
        elif len(self.lines) + len(self.connecting) < MOST_CONNECTIONS:
            task = asyncio.get_running_loop().create_task(self._connect(due))
            self.connecting.add(task)
            task.add_done_callback(self.connecting.discard)
        else:
            self.tally.add("not sent")

    async def _connect(self, due: float) -> None:
        """A new connection, and a request on it."""
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_connection(
                lambda: _Line(self.idle, self.tally), *self.load.rest
            )
        except OSError as error:
            self.tally.add("refused")
            self.tally.note(repr(error))
            return
        self.lines.add(line)
        line.ask(self.load.sent, due)

    async def finish(self) -> None:
        """Wait for the answers that are still to come."""
        end = time.perf_counter() + PATIENCE_S
        while self.connecting or any(line.due for line in self.lines):
            if time.perf_counter() > end:
                break
            await asyncio.sleep(0.02)
        for line in self.lines:
            if line.due:
                self.tally.add("lost")
                self.tally.note("lost: no answer in time")
                line.due = 0.0
            line.transport.close()


async def _rest(load: Load) -> Tally:
    """The load over REST."""
    lines = _Lines(load)
    async for due in _times(load):
        lines.send(due)
    await lines.finish()
    return lines.tally


async def _grpc(load: Load) -> Tally:
    """The load over gRPC."""
    import grpc

    assert load.grpc is not None
    tally, tasks = Tally(), set[asyncio.Task[None]]()
    channels = [
        grpc.aio.insecure_channel(load.grpc, [("grpc.use_local_subchannel_pool", 1)])
        for _ in range(CHANNELS)
    ]
    calls = [each.unary_unary("/inference.GRPCInferenceService/ModelInfer") for each in channels]

    async def ask(call: Any, due: float) -> None:
        try:
            await call(load.sent, timeout=PATIENCE_S)
            tally.add("OK", 1000 * (time.perf_counter() - due))
        except grpc.aio.AioRpcError as error:
            tally.add(error.code().name, 1000 * (time.perf_counter() - due))
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                tally.note(f"{error.code().name} {error.details()}")

    number = 0
    async for due in _times(load):
        task = asyncio.create_task(ask(calls[number % CHANNELS], due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        number += 1
    while tasks:
        await asyncio.wait(tasks)
    for channel in channels:
        await channel.close()
    return tally


async def _times(load: Load) -> Any:
    """The moments requests are due, each given when it has come."""
    start = time.perf_counter()
    number, count = 0, int(load.rate * load.seconds)
    while number < count:
        while number < count and (due := start + number / load.rate) <= time.perf_counter():
            yield due
            number += 1
        await asyncio.sleep(TICK_S)
