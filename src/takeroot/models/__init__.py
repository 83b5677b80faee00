"""Pretrained models: where they come from, what of them is read, and the network built on one.

This module itself loads no torch, so that ``takeroot models list`` and ``doctor`` stay light;
``takeroot.models.load`` and ``takeroot.models.text_model`` do.
"""

from __future__ import annotations

from takeroot.models.packaged import PACKAGED, Packaged, install, locate

__all__ = ["PACKAGED", "Packaged", "install", "locate"]
