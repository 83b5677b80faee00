"""What a command leaves on stdout: one JSON object with --json, a short summary without.

Everything else (progress, notes, what libraries print) goes to stderr.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@dataclass(frozen=True)
class Result:
    """What a command found.

    Args:
        payload: The JSON object.
        summary: What a person is shown instead, made only when it is.
        exit_code: Other than 0 where the command did its work and the answer is no.
    """

    payload: Mapping[str, Any]
    summary: Callable[[], Sequence[RenderableType]] = tuple
    exit_code: int = 0


def answering(command: Callable[..., Result]) -> Callable[..., None]:
    """The command with a ``--json`` option, printing its result."""

    @functools.wraps(command)
    def run(*args: Any, as_json: bool = False, **options: Any) -> None:
        with stdout_to_stderr():
            result = command(*args, **options)
        if as_json:
            print_json(result.payload)
        else:
            for part in result.summary():
                console().print(part)
        raise typer.Exit(result.exit_code)

    own = inspect.signature(command, eval_str=True)
    option = inspect.Parameter(
        "as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json
    )
    signature = own.replace(parameters=[*own.parameters.values(), option])
    run.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {**inspect.get_annotations(command, eval_str=True), "as_json": Json}
    return run


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send what is printed in the block to stderr: by Python, and by libraries written in C."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # what C holds back would come out behind the result
        os.dup2(kept, 1)
        os.close(kept)


def print_json(payload: Mapping[str, Any]) -> None:
    """One JSON object on stdout; numbers that JSON lacks become null."""
    text = json.dumps(_finite(payload), ensure_ascii=False)
    encoding = sys.stdout.encoding or "utf-8"
    if text.encode(encoding, errors="replace").decode(encoding) != text:
        text = json.dumps(_finite(payload))
    print(text)


def note(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)


def console() -> Console:
    """Rich's, on stdout, made late: rich costs a third of the start-up time."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def table(title: str, columns: list[str], rows: list[list[str]]) -> RenderableType:
    """A plain table for a summary; a column whose name starts with # is set to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, box=box.SIMPLE, title_justify="left")
    for column in columns:
        made.add_column(column.lstrip("#"), justify="right" if column.startswith("#") else "left")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _finite(value: Any) -> Any:
    """The value with NaN and infinities as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
