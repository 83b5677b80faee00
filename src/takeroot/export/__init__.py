"""From a trained network to the exact artifact that is served, and the proof that they agree."""

from __future__ import annotations

from takeroot.export.artifact import Artifact, Variant, make

__all__ = ["Artifact", "Variant", "make"]
