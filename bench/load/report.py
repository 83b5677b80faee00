"""What is printed: one table of medians, and the figures aimed at."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

Turn = dict[str, Any]

HEAD = (
    "server",
    "requests/s at 1 / 8 / 32",
    "of the engine at 8 / 32",
    "p50 / p99 ms at 1",
    "at 8",
    "at 32",
    "CPU ms a request at 1 / 8 / 32 (engine)",
    "70 % load p50 / p99 ms",
    "texts/s in batches at 1 / 4",
    "start s",
    "resident / PSS MB",
    "installed MB",
    "refused / lost",
    "same labels",
)
LEVELS = ("1", "8", "32")
STEADY = 0.15  # the engine's rate may move by so much


def table(turns: Sequence[Turn]) -> str:
    """A row a server and protocol, in Markdown."""
    names = dict.fromkeys(turn["server"] for turn in turns)
    rows = [HEAD, ("---",) * len(HEAD), *(row(_of(turns, name)) for name in names)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def row(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Medians of one server."""

    def level(key: str, number: str) -> float:
        return middle(turns, lambda turn: turn["levels"][number][key])

    rates = [level("rate", each) for each in LEVELS]
    shares = [middle(turns, partial(share, at=each)) for each in LEVELS[1:]]
    times = [f"{level('p50_ms', each):.1f} / {level('p99_ms', each):.1f}" for each in LEVELS]
    cpu = [level("server_cpu_ms", each) for each in LEVELS]
    engine = middle(turns, lambda turn: turn["engine"]["cpu_ms"])
    late = [middle(turns, lambda turn, key=key: turn["open"][key]) for key in ("p50_ms", "p99_ms")]
    batches = [
        _joined([middle(turns, lambda turn, at=each: turn["batches"][at]) for each in ("1", "4")])
        if turns[0]["batches"]
        else "-"
    ]
    memory = [
        middle(turns, lambda turn, key=key: turn["memory"][key])
        for key in ("resident", "proportional")
    ]
    return (
        turns[0]["server"],
        _joined(rates),
        _joined(shares, ".0%"),
        *times,
        f"{_joined(cpu, '.2f')} ({engine:.2f})",
        _joined(late, ".1f"),
        *batches,
        f"{middle(turns, lambda turn: turn['start_s']):.2f}",
        _joined(memory),
        "-" if turns[0]["installed_mb"] is None else f"{turns[0]['installed_mb']:.0f}",
        _joined([sum(_not_answered(turn, key) for turn in turns) for key in ("refused", "broken")]),
        turns[0]["same"],
    )


def figures(turns: Sequence[Turn]) -> list[tuple[str, str, str, bool]]:
    """What is aimed at: what it is, the figure, the aim, and whether it is reached."""
    rest, grpc = _of(turns, "takeroot REST"), _of(turns, "takeroot gRPC")
    if not rest:
        return []
    found = []

    def aim(what: str, value: float, wanted: float, *, most: bool = False) -> None:
        good = value <= wanted if most else value >= wanted
        found.append((what, f"{value:.2f}", f"{'<=' if most else '>='} {wanted:g}", good))

    for at in LEVELS[1:]:
        part, cost = middle(rest, partial(share, at=at)), middle(rest, partial(_cost, at=at))
        aim(f"{at} connections, of the engine's rate", part, 0.75)
        aim(f"{at} connections, CPU of the engine's", cost, 1.35, most=True)
        peers = [_rate(_of(turns, name), at) for name in _peers(turns)]
        if peers:
            aim(f"{at} connections, of the best peer's rate", _rate(rest, at) / max(peers), 1.5)
            middle_peer = statistics.median(peers)
            aim(f"{at} connections, of the median peer's rate", _rate(rest, at) / middle_peer, 2.4)
        if grpc:
            aim(f"{at} connections, gRPC of REST", _rate(grpc, at) / _rate(rest, at), 0.9)
    over = middle(rest, lambda turn: turn["levels"]["1"]["p50_ms"] - turn["alone_ms"])
    aim("p50 at one connection less the engine's, ms", over, 0.6, most=True)
    own = middle(rest, lambda turn: turn["levels"]["1"]["p50_ms"])
    for name in _peers(turns):
        theirs = middle(_of(turns, name), lambda turn: turn["levels"]["1"]["p50_ms"])
        aim(f"p50 at one connection, ms, below {name}'s", own, round(theirs, 2), most=True)
    aim("p99 at 70 % load, ms", middle(rest, lambda turn: turn["open"]["p99_ms"]), 20, most=True)
    aim("batches of 64, of the engine's rate", middle(rest, _batch_share), 0.9)
    aim("start to first answer, s", middle(rest, lambda turn: turn["start_s"]), 1.5, most=True)
    held = middle(rest, lambda turn: turn["memory"]["resident"])
    aim("resident memory, MB", held, 300, most=True)
    return found


def steadiness(turns: Sequence[Turn]) -> str:
    """How far the machine can be trusted: whether the engine was as fast after as before."""
    moved = [turn["engine"]["moved"] for turn in turns]
    above = sum(share(turn, LEVELS[-1]) > 1 for turn in turns)
    if not moved:
        return "Nothing was measured."
    if statistics.median(moved) <= STEADY and not above:
        return "The engine's rate held while servers were measured."
    return (
        f"NOT STEADY: between before and after a server the engine's rate moved by "
        f"{statistics.median(moved):.0%} (median), and {above} of {len(turns)} turns were faster "
        "than the engine beside them. Measure again on a quiet machine."
    )


def middle(turns: Sequence[Turn], value: Callable[..., float]) -> float:
    """The median over turns."""
    return statistics.median(value(turn) for turn in turns)


def share(turn: Turn, at: str) -> float:
    """The rate at so many connections, of the engine's beside it."""
    return float(turn["levels"][at]["rate"] / turn["engine"]["rate"])


def _not_answered(turn: Turn, key: str) -> int:
    """Requests that were refused, or whose connection broke, in closed loops and the open one."""
    return sum(load[key] for load in (*turn["levels"].values(), turn["open"]))


def _cost(turn: Turn, at: str) -> float:
    """The server's CPU time a request, of the engine's a text."""
    return float(turn["levels"][at]["server_cpu_ms"] / turn["engine"]["cpu_ms"])


def _batch_share(turn: Turn) -> float:
    """The better of the rates in batches, of the engine's beside it."""
    return float(max(turn["batches"].values()) / turn["engine"]["rate"])


def _rate(turns: Sequence[Turn], at: str) -> float:
    return middle(turns, lambda turn: turn["levels"][at]["rate"])


def _of(turns: Sequence[Turn], name: str) -> list[Turn]:
    return [turn for turn in turns if turn["server"] == name]


def _peers(turns: Sequence[Turn]) -> list[str]:
    names = dict.fromkeys(turn["server"] for turn in turns)
    return [name for name in names if not name.startswith("takeroot")]


def _joined(values: Sequence[float], form: str = ".0f") -> str:
    return " / ".join(format(value, form) for value in values)
