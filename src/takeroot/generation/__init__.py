"""Models that write texts: trained to answer, exported to CTranslate2, measured by answering."""

from __future__ import annotations

from takeroot.generation.fit import fit_recipe, resume
from takeroot.train.run_folder import Run

__all__ = ["Run", "fit_recipe", "resume"]
