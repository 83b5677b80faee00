"""What a bundle is called."""

from __future__ import annotations

from pathlib import Path


def bundle_name(wanted: str | None, file: str) -> str:
    """The name asked for, or one made of the data file's."""
    given = wanted or Path(file).stem
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in given.lower())
    return kept.strip("-")[:64] or "model"
