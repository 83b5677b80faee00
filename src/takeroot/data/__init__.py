"""Labelled examples: reading, naming columns, checking, repairing and splitting them."""

from __future__ import annotations

from takeroot.data.columns import Columns, infer
from takeroot.data.dataset import Dataset, build, label_names, names_of, write_rejects
from takeroot.data.example import Example, Label, Span
from takeroot.data.limits import Limits
from takeroot.data.read import read, read_object
from takeroot.data.split import Split, folds, split
from takeroot.data.table import Reject, Row, Table

__all__ = [
    "Columns",
    "Dataset",
    "Example",
    "Label",
    "Limits",
    "Reject",
    "Row",
    "Span",
    "Split",
    "Table",
    "build",
    "folds",
    "infer",
    "label_names",
    "names_of",
    "read",
    "read_object",
    "split",
    "write_rejects",
]
