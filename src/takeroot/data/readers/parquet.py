"""Parquet files, through pyarrow (extra ``parquet``)."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from takeroot.data.limits import Limits
from takeroot.data.lines import open_regular
from takeroot.data.readers.jsonl import Item, collect
from takeroot.data.table import Table
from takeroot.errors import DataError, require

BATCH_ROWS = 1_024


def read_parquet(
    path: Path, *, encoding: str | None, limits: Limits, header: tuple[str, ...] | None
) -> Table:
    """The table of a parquet file; ``line`` counts its rows from 1."""
    parquet = require("pyarrow.parquet", extra="parquet")
    arrow = require("pyarrow", extra="parquet")
    if header is not None:
        raise DataError(f"{path}: parquet names its own columns; leave out {', '.join(header)}")
    if encoding is not None:
        raise DataError(f"{path}: parquet has no text encoding; leave out {encoding!r}")
    with open_regular(path, limits) as stream:
        try:
            file = parquet.ParquetFile(stream)
            _check_size(path, file.metadata, limits)
            return collect(path.name, _items(file), limits)
        except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise DataError(f"{path}: is not a readable parquet file: {reason}") from error


def plain_value(value: Any) -> Any:
    """``value`` as JSON knows it: numbers that are NaN are missing, times are ISO text."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain_value(item) for item in value]
    return _other_value(value)


def _other_value(value: Any) -> Any:
    """What is left: times, decimals, numpy scalars and arrays, anything with a text form."""
    if hasattr(value, "tolist"):
        return plain_value(value.tolist())
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return plain_value(float(value))
    return str(value)


def _check_size(path: Path, metadata: Any, limits: Limits) -> None:
    if metadata.num_rows > limits.rows:
        raise DataError(f"{path}: has {metadata.num_rows:,} rows; at most {limits.rows:,} are read")
    if metadata.num_columns > limits.columns:
        raise DataError(f"{path}: has more than {limits.columns:,} columns")
    groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if sum(groups) > limits.file_bytes:
        raise DataError(f"{path}: unpacks to more than {limits.file_bytes:,} bytes; split the file")


def _items(file: Any) -> Iterator[Item]:
    row = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS):
        for value in batch.to_pylist():
            row += 1
            yield Item(row, plain_value(value), str(value)[:200])
