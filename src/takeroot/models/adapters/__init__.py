"""Adapters: a few new parameters are trained, and the pretrained ones stay as they are.

Each entry is a frozen dataclass whose fields are what ``fit.adapter`` of a recipe may set. Adding
one is a file and a line here; the contract test takes it from there.
"""

from __future__ import annotations

from takeroot.models.adapters.adalora import AdaLora
from takeroot.models.adapters.adapter import Adapter, Attached
from takeroot.models.adapters.bottleneck import Bottleneck
from takeroot.models.adapters.ia3 import Ia3
from takeroot.models.adapters.lora import Lora
from takeroot.models.adapters.prefix import Prefix
from takeroot.models.adapters.prompt import Prompt

ADAPTERS: dict[str, type[Adapter]] = {
    "lora": Lora,
    "adalora": AdaLora,
    "ia3": Ia3,
    "adapter": Bottleneck,
    "prefix": Prefix,
    "prompt": Prompt,
}

__all__ = ["ADAPTERS", "Adapter", "Attached"]
