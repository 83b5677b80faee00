"""How good a model is, in figures and on a page.

``evaluate`` scores answers against the truth, ``compare`` two models against each other;
``render_report`` and ``render_card`` turn a bundle's evidence into what people read.
"""

from __future__ import annotations

from takeroot.evaluate.card import render_card
from takeroot.evaluate.compare import Comparison, compare
from takeroot.evaluate.evaluate import evaluate
from takeroot.evaluate.evaluation import Evaluation
from takeroot.evaluate.report import render_report

__all__ = ["Comparison", "Evaluation", "compare", "evaluate", "render_card", "render_report"]
