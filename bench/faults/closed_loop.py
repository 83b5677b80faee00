"""Clients that ask again as soon as they are answered, until told to stop.

As every HTTP client does, they ask anew over a new connection when a connection that was used
before turns out to be closed without a byte of an answer; only a request that a connection was
opened for, or whose answer is cut off, counts as lost.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from faults.server import Server
from faults.tally import Tally

PATIENCE_S = 40
AGAIN_S = 0.01  # after a refused connection
REFUSED = re.compile(r"onnect|GOAWAY|the server is not ready")

Check = Callable[[bytes], str | None]  # what is wrong with an answer, if anything


@dataclass
class Clients:
    """Clients of a server, and what became of their requests.

    Args:
        server: Asked.
        rest: Bytes of HTTP requests; client k sends request k, modulo their number.
        grpc: Bytes of gRPC messages.
        rest_clients: How many.
        grpc_clients: How many.
        check: Looks at the body of every 200.
        think_s: Between an answer and the next request.
    """

    server: Server
    rest: list[bytes]
    grpc: list[bytes]
    rest_clients: int
    grpc_clients: int
    check: Check = lambda _: None
    think_s: float = 0.0
    tally: Tally = field(default_factory=Tally)
    stopping: bool = False

    @contextmanager
    def running(self) -> Iterator[Tally]:
        """Run them inside the block."""
        thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        thread.start()
        try:
            yield self.tally
        finally:
            self.stopping = True
            thread.join()

    async def _all(self) -> None:
        rest = [self._rest(self.rest[k % len(self.rest)]) for k in range(self.rest_clients)]
        grpc = [self._grpc(self.grpc[k % len(self.grpc)]) for k in range(self.grpc_clients)]
        await asyncio.gather(*rest, *grpc)

    async def _rest(self, sent: bytes) -> None:
        """One REST client."""
        while not self.stopping:
            try:
                line = await asyncio.open_connection(*self.server.rest)
            except OSError:
                self.tally.add("refused")
                await asyncio.sleep(AGAIN_S)
                continue
            fresh = True
            while not self.stopping and await self._ask(line, sent, fresh=fresh):
                fresh = False
                if self.think_s:
                    await asyncio.sleep(self.think_s)
            line[1].close()

    async def _ask(
        self, line: tuple[asyncio.StreamReader, asyncio.StreamWriter], sent: bytes, *, fresh: bool
    ) -> bool:
        """One request; whether the connection can be used again."""
        reader, writer = line
        start = time.perf_counter()
        head = b""
        try:
            writer.write(sent)
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(size)
        except (OSError, EOFError, TimeoutError) as error:
            nothing = not head and not getattr(error, "partial", b"")
            again = nothing and not fresh and not isinstance(error, TimeoutError)
            self.tally.add("asked again" if again else "lost")
            if not again:
                self.tally.note(f"lost ({'fresh' if fresh else 'used'} connection): {error!r}")
            return False
        status = head[9:12].decode()
        self.tally.add(status, 1000 * (time.perf_counter() - start))
        self._look(status, "200", body)
        return b"connection: close" not in head.lower()

    async def _grpc(self, sent: bytes) -> None:
        """One gRPC client with a connection of its own."""
        import grpc

        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(self.server.grpc, options) as channel:
            call: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            while not self.stopping:
                start = time.perf_counter()
                try:
                    body = await call(sent, timeout=PATIENCE_S)
                    self.tally.add("OK", 1000 * (time.perf_counter() - start))
                    self._look("OK", "OK", body)
                except grpc.aio.AioRpcError as error:
                    self._failed(error)
                    await asyncio.sleep(AGAIN_S)
                await asyncio.sleep(self.think_s)

    def _failed(self, error: Any) -> None:
        """Count an error; one that never reached the server is no loss."""
        code = error.code().name
        if code == "UNAVAILABLE" and REFUSED.search(str(error.details())):
            self.tally.add("refused")
            return
        self.tally.add(code)
        if code != "RESOURCE_EXHAUSTED":
            self.tally.note(f"{code} {error.details()}")

    def _look(self, status: str, good: str, body: bytes) -> None:
        """Check an answer."""
        wrong = self.check(body) if status == good else None
        if wrong is not None:
            self.tally.add("wrong")
            self.tally.note(wrong)
        elif status not in (good, "429"):
            self.tally.note(f"{status} {body!r}")
