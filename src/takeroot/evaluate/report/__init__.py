"""The report that people look at: one self-contained HTML page made from a bundle's evidence."""

from __future__ import annotations

from takeroot.evaluate.report.page import render_report

__all__ = ["render_report"]
