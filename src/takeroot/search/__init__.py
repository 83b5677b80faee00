"""Find the method that suits the data, by measuring, and make a bundle of it."""

from __future__ import annotations

from takeroot.search.fit import fit_recipe, resume
from takeroot.train.run_folder import Run

__all__ = ["Run", "fit_recipe", "resume"]
