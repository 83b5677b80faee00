"""Copies of few Chinese messages in which a network puts other words, if held-out messages gain.

The network is pretrained on texts alone, as examples/pretrain-chinese.yaml shows: what takeroot
pretrain writes has kept the layer that predicts hidden words, which the packaged encoder has not.

Run it with: python examples/substitute.py
"""
# ruff: noqa: T201  (an example shows what it found)

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import takeroot
from takeroot.demo import demo_set

EXAMPLES = Path(__file__).parent


class Notes:
    """Prints what a fit decides, and no steps."""

    def note(self, message: str) -> None:
        """Print it."""
        print(message)

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Ignore it."""


def main() -> None:
    """Pretrain, fit with copies, evaluate."""
    network = takeroot.pretrain(EXAMPLES / "pretrain-chinese.yaml", out="models/support-zh")
    recipe = {"fit": {"method": "tfidf", "augment": ["substitute"]}}
    recipe["fit"] |= {"augment_model": str(network["model"])}
    model = takeroot.fit(demo_set("zh").train, recipe=recipe, out="runs/zh", progress=Notes())
    print(f"accuracy on the test file: {model.evaluate(demo_set('zh').test)['accuracy']:.3f}")


if __name__ == "__main__":
    main()
