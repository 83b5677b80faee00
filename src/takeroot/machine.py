"""What this machine and this installation can do: processor, memory, packages, versions."""

from __future__ import annotations

import os
import platform
import re
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from takeroot.bundle.cores import usable_cores

# Flag names of Linux's /proc/cpuinfo, x86 and Arm, by what they speed up.
FLAGS = {
    "avx2": ("avx2",),
    "avx512": ("avx512f",),
    "vnni": ("avx512_vnni", "avx_vnni", "asimddp"),
    "bf16": ("avx512_bf16", "amx_bf16", "bf16"),
    "amx": ("amx_int8", "amx_bf16"),
}
MEMORY_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
_NO_LIMIT = 2**60  # what version 1 control groups write for "no limit" is near 2**63


def torchrun_rank() -> int | None:
    """This process's number among those that torchrun has started; None where it is alone."""
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return int(os.environ["RANK"]) if several and "RANK" in os.environ else None


@dataclass(frozen=True)
class Requirement:
    """A package that takeroot needs.

    Args:
        package: Its name on the package index.
        extra: The extra that asks for it; empty for the base installation.
        bounds: The versions that will do, such as ``>=2.0,<3``.
        version: The version that is installed, or None.
    """

    package: str
    extra: str
    bounds: str
    version: str | None

    @property
    def fault(self) -> str:
        """What is wrong with it, or nothing."""
        if self.version is None:
            return f"{self.package} is not installed"
        if not within(self.version, self.bounds):
            return f"{self.package} {self.version} is not {self.bounds}"
        return ""


def processor() -> str:
    """The processor's name."""
    for line in _cpuinfo():
        if line.lower().startswith(("model name", "hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_flags() -> dict[str, bool]:
    """Which instructions that matter for speed the processor has; empty where it cannot be told."""
    lines = (line for line in _cpuinfo() if line.lower().startswith(("flags", "features")))
    words = set(next(lines, "").partition(":")[2].split())
    return {name: bool(words & set(flags)) for name, flags in FLAGS.items()} if words else {}


def memory_mb() -> dict[str, int | None]:
    """Memory of the machine, what is free of it, and what this process may use, in MiB."""
    sizes = {name: int(amount) // 1024 for name, amount in _meminfo()}
    return {
        "total": sizes.get("MemTotal"),
        "available": sizes.get("MemAvailable"),
        "limit": _memory_limit_mb(),
    }


def environment() -> dict[str, Any]:
    """What the figures were measured with."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": versions(),
        "processor": processor(),
        "cpu_flags": cpu_flags(),
        "cores": usable_cores(),
        "memory_mb": memory_mb(),
    }


def peak_rss_mb() -> int:
    """The most memory this process has held, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def requirements() -> list[Requirement]:
    """Every package that takeroot or one of its extras needs, as its metadata tells."""
    return [_requirement(line) for line in metadata.requires("takeroot") or []]


def versions() -> dict[str, str]:
    """Python's and takeroot's versions, and those of the packages it stands on."""
    base = {"python": platform.python_version(), "takeroot": metadata.version("takeroot")}
    needed = (item for item in requirements() if item.extra in ("", "train", "generate"))
    return base | {item.package: item.version for item in needed if item.version}


def within(version: str, bounds: str) -> bool:
    """Whether the numbers of ``version`` satisfy clauses such as ``>=2.0,<3``."""
    found = _numbers(version)
    tests = {">=": found.__ge__, "<": found.__lt__, "==": found.__eq__}
    clauses = re.findall(r"(>=|<|==)\s*([\d.]+)", bounds)
    return all(tests[sign](_numbers(bound)) for sign, bound in clauses)


def _requirement(line: str) -> Requirement:
    """The requirement in a line of metadata: ``torch<2.15,>=2.6; extra == "train"``."""
    wanted, _, marker = line.partition(";")
    name = re.match(r"[\w.-]+", wanted.strip())
    package = name.group() if name else wanted
    extra = re.search(r"extra == ['\"]([\w-]+)", marker)
    bounds = ",".join(sorted(wanted.strip()[len(package) :].strip("() ").split(","), reverse=True))
    try:
        version: str | None = metadata.version(package)
    except metadata.PackageNotFoundError:
        version = None
    return Requirement(package, extra.group(1) if extra else "", bounds, version)


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, without trailing zeros."""
    lead = re.match(r"[\d.]*", version)
    numbers = [int(part) for part in (lead.group() if lead else "").split(".") if part]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


@cache
def _cpuinfo() -> tuple[str, ...]:
    """Lines of the first processor in /proc/cpuinfo; none where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(text.split("\n\n")[0].splitlines())


def _meminfo() -> Iterator[tuple[str, str]]:
    """Names and KiB of /proc/meminfo, or what the operating system tells."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        yield "MemTotal", str(pages // 1024)
    else:
        yield from re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)


def _memory_limit_mb() -> int | None:
    """The control group's limit in MiB, or None."""
    for name in MEMORY_LIMITS:
        try:
            text = Path(name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < _NO_LIMIT:
            return int(text) // 2**20
    return None
