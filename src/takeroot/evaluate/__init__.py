"""How good a model is, in figures and on a page.

``evaluate`` scores answers against the truth, ``compare`` two models against each other.
"""

from __future__ import annotations

from takeroot.evaluate.compare import Comparison, compare
from takeroot.evaluate.evaluate import evaluate
from takeroot.evaluate.evaluation import Evaluation

__all__ = ["Comparison", "Evaluation", "compare", "evaluate"]
