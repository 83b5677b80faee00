"""Pretraining: from texts without labels to an encoder that ``fit`` takes as ``model:``."""

from __future__ import annotations

from takeroot.pretraining.run import Pretrained, pretrain_recipe, resume

__all__ = ["Pretrained", "pretrain_recipe", "resume"]
