"""What a server's processes cost: CPU time and memory of the whole tree, from /proc."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STOP_S = 8.0  # a server gets to end by itself
PARENT, SESSION, TIMES = 1, 3, slice(11, 15)  # fields of /proc/PID/stat after the command's name


@dataclass(frozen=True)
class Memory:
    """Of all processes of a server, in MB.

    Args:
        resident: Summed; pages that several share are counted in each.
        proportional: Summed, with shared pages shared out (PSS).
    """

    resident: float
    proportional: float


def tree(root: int) -> list[int]:
    """A process, all that descend from it, and all of its session."""
    found = {pid: fields for pid in map(int, _pids()) if (fields := _stat(pid))}
    mine = {root} | {pid for pid, fields in found.items() if int(fields[SESSION]) == root}
    while more := {pid for pid, each in found.items() if int(each[PARENT]) in mine} - mine:
        mine |= more
    return sorted(mine & set(found))


def cpu_s(root: int) -> float:
    """CPU time of a process tree, with that of children that have ended."""
    return sum(sum(map(int, fields[TIMES])) for pid in tree(root) if (fields := _stat(pid))) / TICKS


def memory(root: int) -> Memory:
    """What a process tree holds now."""
    sums = {"Rss:": 0, "Pss:": 0}
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        for line in lines:
            name, *rest = line.split()
            if name in sums:
                sums[name] += int(rest[0])
    return Memory(sums["Rss:"] * 1024 / 1e6, sums["Pss:"] * 1024 / 1e6)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server that leads a session of its own, and whatever it leaves behind."""
    pids = tree(process.pid)
    process.send_signal(signal.SIGTERM)
    end = time.monotonic() + STOP_S
    while time.monotonic() < end and (process.poll() is None or _running(pids)):
        time.sleep(0.02)
    for pid in _running(pids):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def _running(pids: list[int]) -> list[int]:
    """Those that have not ended."""
    return [pid for pid in pids if (fields := _stat(pid)) and fields[0] != "Z"]


def _pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
