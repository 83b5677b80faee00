"""Thousands of requests that no client would send: refused as the client's fault, every one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

from faults import mutate
from faults.row import Row
from faults.server import Server, serving
from faults.tally import Tally
from takeroot.serve.faults import FAULTS
from takeroot.serve.v2.messages import message as message_class

HANG_S = 5.0
SILENT_S = 0.3  # then a request that may not be whole is ended by the client
SIDE_BY_SIDE = 16
SHARES = {  # of all requests
    "native": 0.2,
    "V2 REST": 0.2,
    "raw HTTP": 0.2,
    "gRPC": 0.3,
    "gRPC stream": 0.05,
    "raw HTTP/2": 0.05,
}
BY_DESIGN = {"501", "503", "504", "UNIMPLEMENTED", "DEADLINE_EXCEEDED"}
FAILED = {"500", "502", "505", "INTERNAL", "UNKNOWN", "UNAVAILABLE", "hang", "wrong"}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
StreamResponse = message_class("inference.ModelStreamInferResponse")

Ask = Callable[[Random], Awaitable[str]]


class Fuzzer:
    """Sends requests of every kind to a server.

    Args:
        server: To be hurt.
        seed: Of the random numbers.
    """

    def __init__(self, server: Server, seed: int) -> None:
        self.server, self.seed = server, seed
        self.tallies = {kind: Tally() for kind in SHARES}
        self._channel: Any = None

    async def run(self, total: int) -> None:
        """Send ``total`` requests."""
        import grpc

        options = [("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 1 << 20)]
        asks: dict[str, Ask] = {
            "native": self._native,
            "V2 REST": self._protocol,
            "raw HTTP": self._raw,
            "gRPC": self._grpc,
            "gRPC stream": self._stream,
            "raw HTTP/2": self._raw_grpc,
        }
        async with grpc.aio.insecure_channel(self.server.grpc, options) as self._channel:
            for kind, ask in asks.items():
                numbers = iter(range(round(total * SHARES[kind])))
                await asyncio.gather(*(self._work(kind, ask, numbers) for _ in range(SIDE_BY_SIDE)))

    async def _work(self, kind: str, ask: Ask, numbers: Any) -> None:
        """Send requests of a kind, one after the other."""
        tally = self.tallies[kind]
        for number in numbers:
            rng = Random(f"{self.seed} {kind} {number}")
            start = time.perf_counter()
            outcome = await ask(rng)
            took = time.perf_counter() - start
            outcome = "hang" if took > HANG_S else outcome
            tally.add(outcome.partition(":")[0], 1000 * took)
            if outcome.partition(":")[0] in FAILED:
                tally.note(f"{kind} {number} after {took:.1f} s: {outcome}")

    async def _native(self, rng: Random) -> str:
        path = "/v1/models/{model}/predict"
        return await self._http(mutate.http(rng, self.server.model, mutate.native(rng), path))

    async def _protocol(self, rng: Random) -> str:
        path = rng.choice(
            ["/v2/models/{model}/infer"] * 6
            + ["/v2/models/{model}/versions/1/infer", "/v2/repository/index"]
            + ["/v2/repository/models/{model}/load", "/v2/models/{model}/generate"]
        )
        return await self._http(mutate.http(rng, self.server.model, mutate.protocol(rng), path))

    async def _raw(self, rng: Random) -> str:
        return await self._http(mutate.raw_http(rng, self.server.model))

    async def _http(self, data: bytes) -> str:
        """What bytes are answered with over a connection of their own."""
        reader, writer = await asyncio.open_connection(*self.server.rest)
        try:
            writer.write(data)
            patience = HANG_S if is_whole(data) else SILENT_S
            try:
                async with asyncio.timeout(patience):
                    return await _answer(reader, bodiless=data.startswith(b"HEAD"))
            except TimeoutError:
                if patience == HANG_S:
                    return "hang"
            writer.write_eof()
            async with asyncio.timeout(HANG_S):
                return await _answer(reader, bodiless=data.startswith(b"HEAD"))
        except TimeoutError:
            return "hang"
        except OSError:
            return "closed"
        finally:
            writer.close()

    async def _grpc(self, rng: Random) -> str:
        import grpc

        method = rng.choice([each for each in mutate.CALLS if not each.streams[0]])
        call = self._channel.unary_unary(f"/inference.GRPCInferenceService/{method.name}")
        data = mutate.message(rng, method, self.server.model)
        packed = grpc.Compression.Gzip if rng.random() < 0.1 else None
        try:
            await call(data, timeout=HANG_S + 1, compression=packed)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {method.name} {error.details()}"
        return "OK"

    async def _stream(self, rng: Random) -> str:
        import grpc

        (method,) = [each for each in mutate.CALLS if each.streams[0]]
        sent = [mutate.message(rng, method, self.server.model) for _ in range(rng.randrange(1, 6))]
        call = self._channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
        got = 0
        try:
            async for data in call(iter(sent), timeout=HANG_S + 1):
                got += 1
                if StreamResponse.FromString(data).error_message == FAULTS["internal"].message:
                    return "INTERNAL: in a stream"
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return "OK" if got == len(sent) else f"wrong: {got} answers to {len(sent)}"

    async def _raw_grpc(self, rng: Random) -> str:
        host, port = self.server.grpc.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(rng.choice([b"", PREFACE, PREFACE]) + rng.randbytes(rng.randrange(400)))
            writer.write_eof()
            async with asyncio.timeout(HANG_S):
                await reader.read()
        except TimeoutError:
            return "hang"
        except OSError:
            pass
        finally:
            writer.close()
        return "closed"


def is_whole(data: bytes) -> bool:
    """Whether a server should be able to tell where the request ends."""
    head, mark, body = data.partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")[1:]]
    lengths = [line for line in lines if line.startswith(b"content-length")]
    framed = any(line.startswith((b"transfer-enc", b"expect", b"upgrade")) for line in lines)
    return bool(mark) and not framed and lengths == [b"content-length: %d" % len(body)]


async def _answer(reader: asyncio.StreamReader, *, bodiless: bool) -> str:
    """The status of a response, or ``wrong`` with what is not as the catalogue has it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (EOFError, ValueError):
        return "closed"
    status = head[9:12].decode("latin-1")
    size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    body = await reader.read(int(size or 0)) if status >= "400" and not bodiless else b""
    if status >= "500":
        return f"{status}: {body[:200]!r}"
    if body and not in_catalogue(body):
        return f"wrong: {status} {body[:200]!r}"
    return status


def in_catalogue(body: bytes) -> bool:
    """Whether an error is written as the catalogue has it."""
    try:
        error = json.loads(body)["error"]
        said = error if isinstance(error, str) else error["message"]
    except (ValueError, KeyError, TypeError):
        return False
    return any(said.startswith(fault.message) for fault in FAULTS.values())


def fuzz(total: int, bundle: Path, seed: int = 0) -> list[Row]:
    """The rows of the part."""
    with serving(bundle) as server:
        fuzzer = Fuzzer(server, seed)
        workers = server.workers
        asyncio.run(fuzzer.run(total))
        status, took = server.predict()
        alive = (server.process.poll() is None, status, server.workers == workers)
        code = server.stop()
        quiet = "Traceback" not in server.said()
    rows = []
    for kind, tally in fuzzer.tallies.items():
        told = ", ".join(f"{n} {what}" for what, n in tally.outcomes.most_common())
        bad = sum(n for what, n in tally.outcomes.items() if what in FAILED)
        design = sum(n for what, n in tally.outcomes.items() if what in BY_DESIGN)
        what = f"{sum(tally.outcomes.values())} of {kind} ({design} refused by design)"
        rows.append(Row("fuzz", what, f"{bad} failed; {told}", "0", bad == 0, tally.notes))
    told = f"alive {alive[0]}, {status} in {took:.2f} s, same workers {alive[2]}, exit code {code}"
    fine = alive == (True, 200, True) and code == 0
    rows.append(Row("fuzz", "afterwards", told, "", fine))
    rows.append(Row("fuzz", "no traceback in the log", str(quiet), "True", quiet))
    return rows
