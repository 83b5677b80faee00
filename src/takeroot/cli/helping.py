"""A command that torchrun starts several times: one process does the work, the others help it."""

from __future__ import annotations

from typing import Annotated

import typer

Processes = Annotated[
    int | None,
    typer.Option(metavar="N", help="Processes of this machine that train together."),
]


def help_if_asked() -> None:
    """In a process that torchrun has started beside the first one, help that one and end.

    Raises:
        typer.Exit: When the first process has ended.
    """
    from takeroot.machine import torchrun_rank  # it imports what --help has no need of

    if torchrun_rank():  # the first is 0
        from takeroot.train.helpers import help_out

        help_out()
        raise typer.Exit
