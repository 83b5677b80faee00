"""File formats by suffix; a reader gives a ``Table`` with every row accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from takeroot.data.limits import Limits
from takeroot.data.readers.conll import read_conll
from takeroot.data.readers.delimited import read_csv, read_tsv
from takeroot.data.readers.jsonl import read_json, read_jsonl
from takeroot.data.readers.parquet import read_parquet
from takeroot.data.readers.plain import read_plain
from takeroot.data.table import Table


class Reader(Protocol):
    """Reads one file. Raises ``DataError`` where no row can be told from another."""

    def __call__(
        self, path: Path, *, encoding: str | None, limits: Limits, header: tuple[str, ...] | None
    ) -> Table:
        """The file's table; ``header`` names the columns of a file that does not."""
        ...


READERS: dict[str, Reader] = {
    "csv": read_csv,
    "tsv": read_tsv,
    "tab": read_tsv,
    "jsonl": read_jsonl,
    "ndjson": read_jsonl,
    "json": read_json,
    "parquet": read_parquet,
    "conll": read_conll,
    "bio": read_conll,
    "iob": read_conll,
    "iob2": read_conll,
    "bioes": read_conll,
    "annotated": read_conll,
    "txt": read_plain,
}

__all__ = ["READERS", "Reader"]
