"""Start everything, run until a signal, and end without losing a request.

The end: readiness off, a delay in which balancers notice, listeners closed, what was accepted
answered, workers ended, usage saved, exit code 0. A second signal ends at once.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takeroot.errors import RecipeError, TakerootError, require
from takeroot.serve.caller import Gate
from takeroot.serve.failure import place
from takeroot.serve.pool import Pool
from takeroot.serve.service import Service
from takeroot.serve.settings import Settings
from takeroot.serve.telemetry import Telemetry

if TYPE_CHECKING:
    from takeroot.serve.records import Recorder
    from takeroot.serve.traces import Traces

MOST_STREAMS = 256  # calls of one connection at a time; beyond, they wait at the client
MOST_RPCS = 2000  # at a time, health watchers among them; beyond, RESOURCE_EXHAUSTED
KEEP_ALIVE_S = 75  # longer than balancers keep theirs, so that they never write into a closed one
# gRPC would cancel what waits beyond, in number and in seconds: we answer it.
MOST_PENDING, MOST_PENDING_S = 1 << 20, 1 << 20
HELD_S = 0.2  # before gRPC stops, until every client is held back; after, until it knows
STARTED_S = 0.005  # between two looks whether it listens
DRAINED_S = 0.02  # between two looks whether all is answered

REST_LIBRARIES = (
    "uvicorn.protocols.http.httptools_impl",
    "takeroot.serve.http",
    "takeroot.serve.rest",
)
GRPC_LIBRARIES = ("grpc", "takeroot.serve.v2.grpc")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Addresses:
    """Where a server listens.

    Args:
        rest: URL of REST and the page.
        grpc: Host and port of gRPC, or None.
    """

    rest: str
    grpc: str | None


def run(folder: Path, settings: Settings, started: Callable[[Service, Addresses], None]) -> None:
    """Serve until SIGTERM or Ctrl-C, and return when everything accepted is answered.

    Args:
        folder: A bundle, or a folder of bundles.
        settings: How.
        started: Called when requests are answered.

    Raises:
        TakerootError: If the folder, a file of the settings, or an address cannot be used.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(folder, settings, started))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed; None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(
    folder: Path, settings: Settings, started: Callable[[Service, Addresses], None]
) -> None:
    """What a server keeps and tells, from its start to its end."""
    with ExitStack() as ends:
        traces = _traces(settings)
        if traces is not None:
            ends.callback(traces.close)
        recorder = _recorder(settings)
        if recorder is not None:
            ends.callback(recorder.close)
        gate = Gate(settings.tokens, settings.usage)
        ends.callback(gate.close)
        telemetry = Telemetry(traces)
        pool = Pool(settings.processes, telemetry.observe_run)
        service = Service(folder, settings, pool, gate, telemetry.observe_request, recorder)
        await _live(service, telemetry, started)


async def _live(
    service: Service, telemetry: Telemetry, started: Callable[[Service, Addresses], None]
) -> None:
    """One server's life."""
    pool, settings = service.pool, service.settings
    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(_unforeseen)
    signals_away = _on_signal(service, stop)
    opening = asyncio.create_task(service.start())
    try:
        # The workers are started and given bundles meanwhile.
        await asyncio.to_thread(_import_libraries, settings)
        listeners = await _listeners(service, service.gate, settings, telemetry)
        await opening
        await service.ready()
        await listeners.open(settings)
        watching = asyncio.create_task(service.watch())
        started(service, listeners.addresses(settings))
        await stop.wait()
        log.info("stopping")
        watching.cancel()
        await listeners.close(service, settings)
        while pool.busy:
            await asyncio.sleep(DRAINED_S)
    finally:
        signals_away()
        opening.cancel()
        with suppress(asyncio.CancelledError, TakerootError):
            await opening
        await pool.stop()


def _traces(settings: Settings) -> Traces | None:
    """Where spans are sent, if that is wanted.

    Raises:
        MissingExtraError: If what sends them is not installed.
    """
    if settings.traces is None:
        return None
    for module in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        require(module, extra="otel")
    from takeroot.serve.traces import Traces

    return Traces(settings.traces)


def _recorder(settings: Settings) -> Recorder | None:
    """What keeps texts and answers, if that is wanted."""
    if settings.record is None:
        return None
    from takeroot.serve.records import open_recorder  # its patterns take a while to compile

    return open_recorder(settings.record, settings)


@dataclass
class _Listeners:
    """What listens.

    Args:
        rest: uvicorn's server.
        grpc: The gRPC server and its port, or None.
        running: uvicorn's task.
    """

    rest: Any
    grpc: tuple[Any, int] | None
    running: asyncio.Task[None] | None = None

    async def open(self, settings: Settings) -> None:
        """Listen.

        Raises:
            RecipeError: If the port is taken.
        """
        self.running = asyncio.create_task(_uvicorn_serve(self.rest))
        while not self.rest.started and not self.running.done():
            await asyncio.sleep(STARTED_S)
        if self.running.done():
            raise RecipeError(f"port {settings.port} of {settings.host} cannot be listened on")
        if self.grpc is not None:
            await self.grpc[0].start()

    def addresses(self, settings: Settings) -> Addresses:
        """Where they listen, with the ports that were taken."""
        port = self.rest.servers[0].sockets[0].getsockname()[1]
        scheme = "https" if settings.tls else "http"
        grpc = None if self.grpc is None else f"{settings.url_host}:{self.grpc[1]}"
        return Addresses(f"{scheme}://{settings.url_host}:{port}", grpc)

    async def close(self, service: Service, settings: Settings) -> None:
        """Wait while others learn that the end is near, close, and wait for what was accepted."""
        assert self.running is not None
        await asyncio.sleep(settings.drain_delay_s)
        service.closing = asyncio.Event()
        self.rest.should_exit = True
        ends: list[Any] = [self.running]
        if self.grpc is not None:
            ends.append(_end_grpc(self.grpc[0], service, settings.timeout_s))
        await asyncio.gather(*ends)


async def _end_grpc(server: Any, service: Service, grace_s: float) -> None:
    """Stop a gRPC server when what it accepted is answered.

    It would cancel the calls it has read and not handed over, so new ones are held back until it
    has stopped, and then refused: who is held back does not call at that moment.
    """
    assert service.closing is not None
    while service.pool.busy:
        await asyncio.sleep(DRAINED_S)
    await asyncio.sleep(HELD_S)
    stopping = asyncio.create_task(server.stop(grace_s))
    await asyncio.sleep(HELD_S)
    service.closing.set()
    await stopping


def _import_libraries(settings: Settings) -> None:
    """Import what the listeners need, which takes as long as a worker's start."""
    for name in (*REST_LIBRARIES, *(GRPC_LIBRARIES if settings.grpc_port >= 0 else ())):
        import_module(name)


async def _listeners(
    service: Service, gate: Gate, settings: Settings, telemetry: Telemetry
) -> _Listeners:
    """Everything that will listen."""
    import uvicorn

    from takeroot.serve.http import LimitedProtocol, LimitedServer
    from takeroot.serve.rest import App

    app = App(service, gate, settings, telemetry)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=LimitedProtocol,
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks for the client's address
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.timeout_s) + 1,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except OSError as error:
        raise RecipeError(f"tls_cert, tls_key: cannot be used: {error}") from error
    grpc = await _grpc_server(service, gate, settings, telemetry)
    return _Listeners(LimitedServer(config), grpc)


async def _grpc_server(
    service: Service, gate: Gate, settings: Settings, telemetry: Telemetry
) -> tuple[Any, int] | None:
    """A gRPC server that is not started yet, and its port."""
    if settings.grpc_port < 0:
        return None
    import grpc

    from takeroot.serve.v2.grpc import add_to

    limits = [
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", MOST_STREAMS),
        ("grpc.http.overload_protection", 0),  # it would refuse at random, as UNAVAILABLE
        ("grpc.server.max_pending_requests", MOST_PENDING),
        ("grpc.server.max_pending_requests_hard_limit", MOST_PENDING),
        ("grpc.server_max_unrequested_time_in_server", MOST_PENDING_S),
    ]
    server = grpc.aio.server(options=limits, maximum_concurrent_rpcs=MOST_RPCS)
    add_to(server, service, gate, telemetry)
    address = f"{settings.url_host}:{settings.grpc_port}"
    try:
        if settings.tls_cert is not None and settings.tls_key is not None:
            pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
            port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        else:
            port = server.add_insecure_port(address)
    except (RuntimeError, OSError) as error:
        raise RecipeError(f"grpc_port: {address} cannot be listened on") from error
    return server, port


def _unforeseen(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what failed outside of any request; asyncio's own message quotes the texts it held."""
    del loop
    error = context.get("exception")
    log.error("failed outside of a request: %s", "unknown" if error is None else place(error))


async def _uvicorn_serve(server: Any) -> None:
    """Run uvicorn without its signal handlers; it ends the process when a port is taken."""
    with suppress(SystemExit):
        await server._serve()


def _on_signal(service: Service, stop: asyncio.Event) -> Callable[[], None]:
    """Begin to drain, and set ``stop``, at SIGTERM or Ctrl-C; gives what takes the handlers away.

    A second signal ends the process.
    """
    loop = asyncio.get_running_loop()
    kinds = (signal.SIGTERM, signal.SIGINT)

    def heard() -> None:
        if stop.is_set():
            raise SystemExit(1)
        service.draining = True  # at once: what is answered from here on says "connection: close"
        stop.set()

    for kind in kinds:
        loop.add_signal_handler(kind, heard)

    def away() -> None:
        for kind in kinds:
            loop.remove_signal_handler(kind)

    return away
