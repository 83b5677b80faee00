"""How many cores this process may use: its affinity mask and its control group's quota.

``os.cpu_count`` counts the machine's cores; in a container that may use two of 64 it leads to 64
threads that are throttled all the time.
"""

from __future__ import annotations

import os
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Cores in the affinity mask, or whole cores of the smallest quota where that is less.

    Args:
        root: Where ``proc`` and ``sys`` are mounted.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quotas = [quota for folder in _groups(root) if (quota := _quota(folder)) is not None]
    return max(1, int(min([cores, *quotas])))


def _groups(root: Path) -> list[Path]:
    """Folders of this process's control groups and all their parents (a quota binds all below)."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        number, controllers, path = ([*line.split(":", 2), "", ""])[:3]
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("" if number == "0" else "cpu")
        relative = Path(path.lstrip("/"))
        # Inside a container the path may be the host's; then only the mount's root exists.
        folders += [base / part for part in (relative, *relative.parents)]
    return folders


def _quota(folder: Path) -> float | None:
    """Cores per second the group may use, or None where it is not limited."""
    for read in (_quota_v2, _quota_v1):
        try:
            limit, period = read(folder)
            if limit > 0 and period > 0:
                return limit / period
        except (OSError, ValueError):
            continue
    return None


def _quota_v2(folder: Path) -> tuple[int, int]:
    """Microseconds and period from cpu.max; ``max`` is no number, hence no limit."""
    limit, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
    return int(limit), int(period)


def _quota_v1(folder: Path) -> tuple[int, int]:
    """Microseconds and period from the version 1 files; -1 is no limit."""
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    limit, period = (int((folder / name).read_text(encoding="utf-8")) for name in names)
    return limit, period
