"""Where a bundle keeps what is needed to train further, and what it says of it."""

from __future__ import annotations

import json
from typing import Any

from takeroot.bundle.open import Bundle
from takeroot.errors import ModelError

WHOLE, ADAPTER, CONFIG = (
    f"weights/{name}" for name in ("model.safetensors", "adapter.safetensors", "config.json")
)


def weights_config(bundle: Bundle) -> dict[str, Any]:
    """What ``weights/config.json`` says.

    Raises:
        ModelError: If the bundle has no weights.
    """
    if CONFIG not in bundle.files:
        raise ModelError(f"{bundle.path}: has no weights/; it was made with output.weights: false")
    return dict(json.loads(bundle.read(CONFIG)))
