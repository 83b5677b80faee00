"""The options that say how a file is read, the same for every command that reads one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Text = Annotated[str | None, typer.Option(metavar="COLUMN", help="Text column; else inferred.")]
Label = Annotated[str | None, typer.Option(metavar="COLUMN", help="Label column; else inferred.")]
Second = Annotated[str | None, typer.Option(metavar="COLUMN", help="Second text column (pair).")]
Header = Annotated[
    str | None, typer.Option(metavar="NAME,NAME", help="Column names of a file without any.")
]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Such as gb18030; not for UTF-8 or UTF-16.")
]
Format = Annotated[
    str | None, typer.Option("--format", help="Such as conll, where the name does not tell.")
]


def how(header: str | None, encoding: str | None, form: str | None) -> dict[str, Any]:
    """The three options as the arguments of ``takeroot.data.read``."""
    return {"header": split_names(header), "encoding": encoding, "format": form}


def split_names(header: str | None) -> tuple[str, ...] | None:
    """The names in a comma-separated list."""
    return None if header is None else tuple(name.strip() for name in header.split(","))
