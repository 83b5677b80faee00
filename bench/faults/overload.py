"""Ten times what the server can do, over REST and gRPC, and what is left of it afterwards."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from faults.closed_loop import Clients
from faults.open_loop import Load, drive
from faults.requests import TEXTS, grpc_request, http_request
from faults.row import Row
from faults.server import Prober, Server, serving
from faults.tally import Tally, quantile

TIMES = 10  # the saturation
GRPC_SHARE = 0.1  # of the requests
SLO_MS = 200.0  # p99 of a request: the alert TakerootSlow
RECOVERY_S = 5.0
RUNS, RUN_S, CLIENTS = 3, 5.0, 16  # that find the saturation


@dataclass(frozen=True)
class Plan:
    """How the overload is made."""

    bundle: Path
    seconds: float
    texts: int  # a request
    rate: float | None  # saturation in requests a second, if known


def overload(plan: Plan, server_options: tuple[str, ...] = ()) -> list[Row]:
    """The rows of the part."""
    with serving(plan.bundle, *server_options) as server:
        saturation = plan.rate or saturate(server, plan.texts)
        drained(server)
        usual = sorted(server.predict()[1] for _ in range(50))
        before = server.memory_mb()
        start = time.perf_counter()
        with Prober(server) as prober:
            rest, grpc = offer(server, TIMES * saturation, plan.seconds, plan.texts)
        spent = time.perf_counter() - start
        recovered = recovery(server, usual[-1])
        time.sleep(2)
        after = server.memory_mb()
        ready = json.loads(server.call("GET", "/readyz")[1] or b"{}")
        alive = server.process.poll() is None and ready.get("status") == "ready"
    found = Tally()
    found += rest
    found += grpc
    found_ok = len(found.ok_ms)
    lost = found.outcomes["lost"] + found.outcomes["refused"]
    other = found.other_than(
        "200", "429", "OK", "RESOURCE_EXHAUSTED", "lost", "not sent", "refused"
    )
    goodput = found_ok / plan.seconds / saturation
    part = "overload"
    told = ", ".join(f"{n} {what}" for what, n in found.outcomes.most_common())
    probes = [status for status in prober.statuses if status != 200]
    peak = max([*prober.memory_mb, after])
    return [
        Row(part, "saturation", f"{saturation:.0f} requests/s of {plan.texts} texts", "", ok=True),
        Row(
            part,
            f"offered {TIMES} x for {plan.seconds:.0f} s ({spent:.0f} s in all)",
            told,
            "",
            True,
        ),
        Row(part, "without an answer", str(lost), "0", lost == 0, found.notes),
        Row(part, "other than 200/429", str(other), "0", other == 0, found.notes),
        Row(part, "429 without Retry-After", str(found.bare), "0", found.bare == 0),
        *(_times(part, name, each) for name, each in (("REST", rest), ("gRPC", grpc))),
        Row(part, "answered, of the saturation", f"{goodput:.0%}", "", ok=True),
        Row(
            part,
            "probes and metrics not answered with 200",
            f"{len(probes)} of {len(prober.statuses)}, slowest {prober.slowest_s:.2f} s",
            "0",
            not probes,
            [str(probes[:10])] if probes else [],
        ),
        Row(
            part,
            "memory before, most, after",
            f"{before:.0f}, {peak:.0f} (+{peak / before - 1:.1%}), {after:.0f} MB",
            "+10%",
            peak <= 1.1 * before,
        ),
        Row(part, "back to normal after", f"{recovered:.2f} s", "5 s", recovered <= RECOVERY_S),
        Row(part, "alive and ready", str(alive), "True", alive),
    ]


def _times(part: str, name: str, tally: Tally) -> Row:
    """How long accepted and refused requests of a protocol took."""
    p50, p99 = (quantile(tally.ok_ms, share) for share in (0.5, 0.99))
    refused = quantile(tally.full_ms, 0.99)
    told = f"{p50:.0f}, {p99:.0f}, {refused:.0f} ms"
    what = f"{name}: p50 and p99 of accepted, p99 of refused"
    return Row(part, what, told, f"p99 {2 * SLO_MS:.0f} ms", p99 <= 2 * SLO_MS)


def offer(server: Server, rate: float, seconds: float, texts: int) -> tuple[Tally, Tally]:
    """What becomes of requests sent at a rate in all, over REST and over gRPC."""
    asked = [TEXTS[number % len(TEXTS)] for number in range(texts)]
    rest = Load(server.rest, None, http_request(server.model, asked), 0.0, seconds)
    grpc = replace(rest, grpc=server.grpc, sent=grpc_request(server.model, asked))
    loads = [
        replace(rest, rate=rate * (1 - GRPC_SHARE)),
        replace(grpc, rate=rate * GRPC_SHARE),
    ]
    context = get_context("spawn")
    found, running = [], []
    for load in loads:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=drive, args=(load, theirs))
        process.start()
        theirs.close()
        running.append((process, ours))
    for process, ours in running:
        found.append(ours.recv())
        process.join()
    return found[0], found[1]


def saturate(server: Server, texts: int) -> float:
    """Requests a second that clients get answered who ask again at once; the best of some runs."""
    asked = [TEXTS[number % len(TEXTS)] for number in range(texts)]
    best = 0.0
    for _ in range(RUNS):
        load = Clients(server, [http_request(server.model, asked)], [], CLIENTS, 0)
        with load.running() as tally:
            time.sleep(RUN_S)
        best = max(best, tally.outcomes["200"] / RUN_S)
    return best


def drained(server: Server) -> None:
    """Wait until nothing waits."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.predict()[1] > 0.1:
        time.sleep(0.1)


def recovery(server: Server, usual_s: float) -> float:
    """Seconds until a request is answered as fast as before (twice the slowest, for the noise)."""
    start = time.perf_counter()
    while time.perf_counter() - start < 10 * RECOVERY_S:
        status, took = server.predict()
        if status == 200 and took <= max(0.05, 2 * usual_s):
            break
    return time.perf_counter() - start
