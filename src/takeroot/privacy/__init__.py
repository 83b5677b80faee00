"""Personal data in texts: what there is and where."""

from __future__ import annotations

from takeroot.privacy.find import Found, count, find
from takeroot.privacy.patterns import RECOGNISERS, Recogniser

__all__ = ["RECOGNISERS", "Found", "Recogniser", "count", "find"]
