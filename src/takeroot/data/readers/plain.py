"""A text file with one text a line; blank lines are no rows."""

from __future__ import annotations

from pathlib import Path

from takeroot.data.limits import Limits
from takeroot.data.lines import read_lines
from takeroot.data.table import Reject, Row, Table, excerpt, make_table, value_fault
from takeroot.errors import DataError


def read_plain(
    path: Path, *, encoding: str | None, limits: Limits, header: tuple[str, ...] | None
) -> Table:
    """The table with the one column ``text`` (or the one name in ``header``)."""
    if header is not None and len(header) != 1:
        raise DataError(f"{path}: a .txt file has one column, got names {', '.join(header)}")
    column = header[0] if header else "text"
    rows: list[Row] = []
    rejects: list[Reject] = []
    for line in read_lines(path, encoding, limits):
        if not line.text.strip():
            continue
        if fault := value_fault(line.text, limits):
            rejects.append(Reject(line.number, fault, excerpt(line.text)))
        else:
            rows.append(Row(line.number, {column: line.text}))
        if len(rows) + len(rejects) > limits.rows:
            raise DataError(f"{path}: has more than {limits.rows:,} rows; split the file")
    return make_table(path.name, (column,), rows, rejects)
