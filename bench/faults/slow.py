"""Clients that say nothing, say it slowly, or leave: others do not feel it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from faults.closed_loop import Clients
from faults.requests import TEXTS, grpc_request, http_request
from faults.row import Row
from faults.server import Server, serving
from faults.tally import Tally, quantile

HEAD_S = 10.0  # a server waits that long for a whole request
LEAVERS = 20
WAITING = "takeroot_waiting_texts"
LEAVE_S = 0.1  # in which a client that left frees its place
TEMPO_S = 1.0  # between two bytes of a slow client


def slow(number: int, seconds: float, bundle: Path) -> list[Row]:
    """Half of ``number`` connections silent, half a byte a second, beside ordinary clients."""
    with serving(bundle) as server:
        alone = ordinary(server, seconds)
        held, beside = asyncio.run(_beside(server, number, max(seconds, HEAD_S + 3)))
        one = sorted(asyncio.run(leave(server, 5)) for _ in range(LEAVERS))
        gone = asyncio.run(leave(server, number * 2))
        code = server.stop()
    p99 = [quantile(each.ok_ms, 0.99) for each in (alone, beside)]
    other = beside.other_than("200", "OK")
    part = "slow"
    return [
        Row(
            part,
            f"beside {number} slow and idle connections",
            ", ".join(f"{n} {what}" for what, n in beside.outcomes.most_common()),
            "200",
            other == 0 and bool(beside.ok_ms),
            beside.notes,
        ),
        Row(
            part,
            "p50 and p99 alone, beside them",
            f"{quantile(alone.ok_ms, 0.5):.1f} and {p99[0]:.1f} ms, "
            f"{quantile(beside.ok_ms, 0.5):.1f} and {p99[1]:.1f} ms",
            "2 x",
            p99[1] <= 2 * p99[0],
        ),
        Row(part, "of them still open at the end", str(held), "0", held == 0),
        Row(
            part,
            "places free after clients left, five at once",
            f"p50 {1000 * one[LEAVERS // 2]:.0f} ms, slowest {1000 * one[-1]:.0f} ms",
            f"{1000 * LEAVE_S:.0f} ms",
            one[-1] <= LEAVE_S,
        ),
        Row(part, f"after {number * 2} left at once", f"{1000 * gone:.0f} ms", "", ok=True),
        Row(part, "exit code", str(code), "0", code == 0),
    ]


def ordinary(server: Server, seconds: float) -> Tally:
    """What becomes of the requests of four REST clients and one gRPC client."""
    load = Clients(
        server,
        [http_request(server.model, [TEXTS[0]])],
        [grpc_request(server.model, [TEXTS[0]])],
        rest_clients=4,
        grpc_clients=1,
        think_s=0.005,
    )
    with load.running() as tally:
        time.sleep(seconds)
    return tally


async def _beside(server: Server, number: int, seconds: float) -> tuple[int, Tally]:
    """Slow connections still open at the end, and what became of the others' requests."""
    lines = await asyncio.gather(*(_slow(server, k) for k in range(number)))
    dripping = [asyncio.create_task(_drip(writer)) for _, writer in lines[::2]]
    found = await asyncio.to_thread(ordinary, server, seconds)
    for task in dripping:
        task.cancel()
    opened = [_is_open(reader) for reader, _ in lines]
    held = sum(await asyncio.gather(*opened))
    for _, writer in lines:
        writer.close()
    return held, found


async def _slow(server: Server, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection; of every four one says nothing, one begins a head, one a body, one a word."""
    line = await asyncio.open_connection(*server.rest)
    request = http_request(server.model, [TEXTS[0]])
    line[1].write(request[: (0, 30, len(request) - 20, 3)[number % 4]])
    return line


async def _drip(writer: asyncio.StreamWriter) -> None:
    """Say a letter now and then."""
    while not writer.is_closing():
        writer.write(b"a")
        await asyncio.sleep(TEMPO_S)


async def _is_open(reader: asyncio.StreamReader) -> bool:
    """Whether the server still holds a connection."""
    try:
        async with asyncio.timeout(0.5):
            while await reader.read(1000):
                pass
    except TimeoutError:
        return True
    except OSError:
        pass
    return False


async def leave(server: Server, number: int) -> float:
    """Seconds from the moment ``number`` clients leave until none of their texts waits."""
    request = http_request(server.model, list(TEXTS) * 16)
    lines = [await asyncio.open_connection(*server.rest) for _ in range(number)]
    workers = server.workers
    for pid in workers:  # so that what waits goes on waiting
        os.kill(pid, signal.SIGSTOP)
    try:
        for _, writer in lines:
            writer.write(request)
        while await asyncio.to_thread(server.metric, WAITING) == 0:
            pass
        for _, writer in lines:
            writer.transport.abort()
        start = time.perf_counter()
        while time.perf_counter() - start < 10 and await asyncio.to_thread(server.metric, WAITING):
            pass
        return time.perf_counter() - start
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
