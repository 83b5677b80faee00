"""``takeroot doctor``: whether this machine and installation are fit for work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from takeroot.cli.output import Result, answering, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from takeroot.machine import Requirement

NOT_FOR_USE = ("", "dev")  # takeroot itself, and what its developers need


@answering
def doctor() -> Result:
    """Tell what this machine and installation can do.

    Ends with 1 where something that is needed is missing.
    """
    from takeroot import machine
    from takeroot.bundle.cores import usable_cores
    from takeroot.models import PACKAGED, locate

    needed = machine.requirements()
    extras = dict.fromkeys(item.extra for item in needed if item.extra not in NOT_FOR_USE)
    problems = [item.fault for item in needed if not item.extra and item.fault]
    found: dict[str, Any] = {
        "ok": not problems,
        "problems": problems,
        "processor": machine.processor(),
        "flags": machine.cpu_flags(),
        "cores": {"machine": os.cpu_count(), "usable": usable_cores()},
        "memory_mb": machine.memory_mb(),
        "models": {name: locate(name) is not None for name in PACKAGED},
        "extras": {extra: _extra(extra, needed) for extra in extras},
        "versions": machine.versions(),
    }
    return Result(found, lambda: _summary(found), exit_code=0 if found["ok"] else 1)


def _extra(name: str, needed: list[Requirement]) -> dict[str, Any]:
    """Whether an extra's packages are all there, and what is wrong with those that are not."""
    faults = [item.fault for item in needed if item.extra == name and item.fault]
    return {"installed": not faults, "missing": faults}


def _lacking(extra: str, state: dict[str, Any]) -> str:
    """What an extra lacks, and how to get it."""
    return f"{'; '.join(state['missing'])}: pip install 'takeroot[{extra}]'"


def _summary(found: dict[str, Any]) -> list[RenderableType]:
    """The findings as a table, then what to do."""
    flags, memory = found["flags"], found["memory_mb"]
    limit = f", limited to {memory['limit']:,} MB" if memory["limit"] else ""
    rows = [
        ["processor", found["processor"]],
        ["speeds up", ", ".join(name for name, there in flags.items() if there) or "not known"],
        ["lacks", ", ".join(name for name, there in flags.items() if not there) or "nothing"],
        ["cores", f"{found['cores']['usable']} usable of {found['cores']['machine']}"],
        ["memory", f"{memory['available'] or 0:,} of {memory['total'] or 0:,} MB free{limit}"],
        *(
            [f"model {name}", "installed" if there else f"takeroot models install {name}"]
            for name, there in found["models"].items()
        ),
        *(
            [f"extra {name}", "installed" if state["installed"] else _lacking(name, state)]
            for name, state in found["extras"].items()
        ),
        ["versions", ", ".join(f"{name} {it}" for name, it in found["versions"].items())],
        ["problems", "; ".join(found["problems"]) or "none"],
    ]
    return [table("", ["", "found"], rows)]
