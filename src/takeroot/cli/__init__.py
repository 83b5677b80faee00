"""The ``takeroot`` command: one file a subcommand, no logic; errors become exit codes here.

Exit codes: 0 done, 1 user error, 2 gate not met, 3 out of disk, 4 out of memory, 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

import takeroot
from takeroot.cli import data, models, recipe, token
from takeroot.cli.demo import demo
from takeroot.cli.doctor import doctor
from takeroot.cli.evaluate import evaluate
from takeroot.cli.fit import fit
from takeroot.cli.init import init
from takeroot.cli.output import note, print_json
from takeroot.cli.predict import predict
from takeroot.cli.pretrain import pretrain
from takeroot.cli.serve import serve
from takeroot.cli.verify import verify
from takeroot.errors import DiskFullError, OutOfMemoryError, TakerootError
from takeroot.files import FULL

app = typer.Typer(
    name="takeroot",
    epilog="Exit codes: 0 done, 1 user error, 2 gate not met, 3 out of disk, 4 out of memory.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes longer to import than --help may take
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (fit, pretrain, predict, evaluate, serve, verify, init, doctor, demo):
    app.command()(command)
GROUPS = {"data": data.app, "recipe": recipe.app, "models": models.app, "token": token.app}
for name, group in GROUPS.items():
    app.add_typer(group, name=name)

_INTERRUPTED = 130


def _tell_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(takeroot.__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """From a labelled file to a small, verified text model that runs on the CPUs you have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code; every error a user can put right is one line a problem on stderr.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    message = ""
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        code = app(args=words, prog_name="takeroot", standalone_mode=False)
    except (TakerootError, typer.TyperException, MemoryError, OSError) as error:
        code, message = explain(error)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    if code == _INTERRUPTED:  # typer turns Ctrl-C into this code, too
        message = "interrupted; nothing half-written was left behind"
    if message:
        note(message if message.startswith("Usage:") else f"error: {message}")
        if "--json" in words:
            print_json({"error": message, "exit_code": code})
    if code == _INTERRUPTED and arguments is None:
        sys.stdout.flush()
        os._exit(code)  # a thread in the middle of a long product would hold the process
    return int(code or 0)


def explain(error: Exception) -> tuple[int, str]:
    """Exit code and message of an error; a new kind is one line here."""
    if isinstance(error, TakerootError):
        return error.exit_code, str(error)
    if isinstance(error, typer.TyperException):
        return TakerootError.exit_code, error.format_message()
    if isinstance(error, MemoryError):
        return OutOfMemoryError.exit_code, f"out of memory: {error}".rstrip(": ")
    if isinstance(error, OSError) and error.errno in FULL:
        return DiskFullError.exit_code, f"{error.filename or 'output'}: no space left on the disk"
    named = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    return TakerootError.exit_code, named + (getattr(error, "strerror", None) or str(error))


def _terminated(number: int, frame: FrameType | None) -> None:
    """End as on Ctrl-C, so that unfinished files are removed."""
    raise KeyboardInterrupt
