"""Bundles swapped, servers ended and workers killed, all under load."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from faults.closed_loop import Clients
from faults.requests import TEXTS, grpc_request, http_request, tiny_bundle
from faults.row import Row
from faults.server import Server, serving
from faults.tally import Tally, quantile

BEGUN = 50  # answers before a server is ended
BATCH = 40  # texts of the requests that take several runs
ANSWERED_S = 1.0  # a request whose worker is killed
PATIENCE_S = 60
VERSION = re.compile(rb'(?:"version":"|\x0c)([0-9a-f]{12})\b')  # in JSON, in a gRPC message
GOOD = ("200", "OK", "429", "RESOURCE_EXHAUSTED")


def clients(server: Server, check: Callable[[bytes], str | None] = lambda _: None) -> Clients:
    """Six REST and two gRPC clients; half of them send batches that take several runs."""
    many = [TEXTS[number % len(TEXTS)] for number in range(BATCH)]
    return Clients(
        server,
        [http_request(server.model, [TEXTS[0]]), http_request(server.model, many)],
        [grpc_request(server.model, [TEXTS[1]]), grpc_request(server.model, many)],
        rest_clients=6,
        grpc_clients=2,
        check=check,
    )


def swaps(number: int, folder: Path) -> list[Row]:
    """A bundle replaced ``number`` times by renaming; every label tells which bundle it is of."""
    shown: dict[str, str] = {}  # version: mark
    models = folder / "models"
    tiny_bundle(models / "tiny", "~0~")
    with serving(models) as server:
        load = clients(server, partial(mixed, shown=shown))
        with load.running() as tally:
            for turn in range(1, number + 1):
                made = tiny_bundle(folder / "next", f"~{turn}~", f"2026-01-01T00:00:{turn:06d}Z")
                os.rename(models / "tiny", folder / "old")
                os.rename(made, models / "tiny")
                shutil.rmtree(folder / "old")
                wait_for(partial(serves, server, f"~{turn}~"))
        end = server.stop()
    other = tally.other_than(*GOOD)
    told = ", ".join(f"{n} {what}" for what, n in tally.outcomes.most_common())
    part = "swaps"
    return [
        Row(
            part,
            f"{number} bundles swapped under load",
            told,
            "200 or 429",
            other == 0,
            tally.notes,
        ),
        Row(
            part,
            "versions that answered",
            str(len(shown)),
            f"{number + 1}",
            len(shown) == number + 1,
        ),
        Row(
            part,
            "answers of two versions",
            str(tally.outcomes["wrong"]),
            "0",
            not tally.outcomes["wrong"],
        ),
        Row(part, "exit code", str(end), "0", end == 0),
    ]


def mixed(body: bytes, shown: dict[str, str]) -> str | None:
    """What is wrong with an answer: labels of two bundles, or not of the version it names."""
    marks = {each.decode() for each in re.findall(rb"~\d+~", body)}
    versions = {each.decode() for each in VERSION.findall(body)}
    if len(marks) != 1 or len(versions) != 1:
        return f"bundles {marks}, versions {versions}"
    (mark,), (version,) = marks, versions
    if shown.setdefault(version, mark) != mark:
        return f"version {version} answers {mark} and {shown[version]}"
    return None


def serves(server: Server, mark: str) -> bool:
    """Whether the newest bundle is the one with this mark in its labels."""
    return mark.encode() in server.call("GET", f"/v1/models/{server.model}")[1]


def kills(number: int, bundle: Path, workers: int) -> list[Row]:
    """A worker killed ``number`` times, each time after the last one was replaced."""
    with serving(bundle, "--workers", str(workers)) as server:
        load = clients(server)
        with load.running() as tally:
            for _ in range(number):
                before = server.workers
                time.sleep(random.uniform(0.05, 0.3))
                os.kill(random.choice(before), signal.SIGKILL)
                wait_for(partial(replaced, server, before))
        ready = server.call("GET", "/readyz")[0]
        respawned = server.metric("takeroot_workers_respawned_total")
        end = server.stop()
    other, slowest = tally.other_than(*GOOD), max(tally.ok_ms, default=0.0)
    told = ", ".join(f"{n} {what}" for what, n in tally.outcomes.most_common())
    part = "kills"
    return [
        Row(part, f"{number} workers killed of {workers}", told, "200", other == 0, tally.notes),
        Row(
            part,
            f"slowest answer with {workers} workers",
            f"{slowest:.0f} ms (p50 {quantile(tally.ok_ms, 0.5):.1f} ms)",
            f"{1000 * ANSWERED_S:.0f} ms",
            slowest <= 1000 * ANSWERED_S,
        ),
        Row(
            part,
            "replaced, ready, exit code",
            f"{respawned}, {ready}, {end}",
            f"{number}, 200, 0",
            (respawned, ready, end) == (number, 200, 0),
        ),
    ]


def replaced(server: Server, before: list[int]) -> bool:
    """Whether a new worker stands in for the killed one and is ready for work."""
    return server.metric("takeroot_workers") == len(before) and server.workers != before


def ends(number: int, bundle: Path) -> list[Row]:
    """``number`` servers ended by SIGTERM under load."""
    total, codes, seconds = Tally(), [], []
    for _ in range(number):
        with serving(bundle) as server:
            load = clients(server)
            with load.running() as tally:
                wait_for(partial(has_begun, tally))
                time.sleep(random.uniform(0, 0.2))
                start = time.perf_counter()
                codes.append(server.stop())
                seconds.append(time.perf_counter() - start)
            if codes[-1]:
                tally.note(server.said()[-300:])
        total += tally
    told = ", ".join(f"{n} {what}" for what, n in total.outcomes.most_common())
    lost = total.other_than(*GOOD, "refused", "asked again")
    clean = codes.count(0)
    part = "ends"
    return [
        Row(part, f"{number} servers ended under load", told, "", True),
        Row(part, "accepted requests lost", str(lost), "0", lost == 0, total.notes[:10]),
        Row(part, "exit code 0", str(clean), str(number), clean == number, total.notes[:10]),
        Row(part, "slowest end", f"{max(seconds):.2f} s", "30 s", max(seconds) < 30),
    ]


def has_begun(tally: Tally) -> bool:
    """Whether the load is there."""
    return tally.outcomes["200"] > BEGUN


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: If it does not come to hold.
    """
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(0.02)
