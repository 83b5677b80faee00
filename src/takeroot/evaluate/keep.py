"""A bundle written with its evidence, and the page and card that are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from takeroot.bundle import BundleWriter, Spec, load_predictor
from takeroot.evaluate.card import render_card
from takeroot.evaluate.report import render_report


def write_bundle(
    folder: Path, spec: Spec, files: Mapping[str, bytes], evidence: dict[str, Any]
) -> None:
    """Write the bundle, and open it once as a user would.

    Args:
        folder: The bundle's.
        spec: What it is.
        files: By their names in it.
        evidence: What was measured, by name.

    Raises:
        BundleError: If it cannot be written, or is not a bundle.
        DiskFullError: If no space is left.
    """
    with BundleWriter(folder, created=evidence["environment"]["created"]) as writer:
        writer.write_spec(spec)
        for name, data in files.items():
            writer.write_bytes(name, data)
        for name, value in evidence.items():
            writer.write_json(f"evidence/{name}.json", value)
        writer.write_bytes("report.html", render_report(evidence).encode())
        writer.write_bytes("card.md", render_card(evidence).encode())
    load_predictor(folder, threads=1)


def without_tables(figures: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An evaluation's figures that are no lists."""
    if figures is None:
        return None
    return {name: value for name, value in figures.items() if not isinstance(value, list)}
