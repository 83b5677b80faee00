"""Models that write, trained alone and by two processes, for torchrun; as tests/train/shared.py.

Run: torchrun --nproc-per-node 2 shared_writers.py, with its folder in PYTHONPATH. Prints how far
apart the weights are as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from folders import FAMILIES
from torch import Tensor

from takeroot.generation.fit import SHARDING
from takeroot.generation.objective import Answers, Row, Writer
from takeroot.machine import torchrun_rank
from takeroot.models.adapters import ADAPTERS
from takeroot.models.adapters.attach import attach
from takeroot.train import TrainConfig, train
from takeroot.train.helpers import help_out, together

CONFIG = TrainConfig(epochs=2, learning_rate=1e-3, head_learning_rate=1e-3, batch_size=5)
CASES = (
    *(("llama", method) for method in ("full", "lora", "adalora", "ia3", "adapter", "prompt")),
    *(("t5", method) for method in ("full", "lora", "prompt")),
    *(("marian", method) for method in ("full", "adapter")),
)
SHARDED = (
    *(("llama", method) for method in SHARDING),
    *(case for case in CASES if case[0] != "llama"),
)


def rows(words: int) -> list[Row]:
    """Random prompts and answers of several lengths, behind learned words."""
    random = np.random.default_rng(1)
    found = []
    for number in range(13):
        prompt = random.integers(5, 25, 2 + number % 5).tolist()
        answer = random.integers(5, 25, 1 + number % 3).tolist()
        found.append(Row([*range(words, words + 2 * (words > 0)), *prompt], [*answer, 2]))
    return found


def trained(family: str, method: str, shard: bool = False) -> Tensor:
    """What was trained, after six steps."""
    network, hooks = FAMILIES[family][0](), None
    network.config._attn_implementation = "eager"  # as models are read
    torch.manual_seed(0)
    if method in ADAPTERS:
        hooks = attach(ADAPTERS[method](), network)
    start = network.config.decoder_start_token_id if network.config.is_encoder_decoder else None
    texts = rows(network.config.vocab_size if method == "prompt" else 0)
    model, objective = Writer(network), Answers(start, penalty=hooks and hooks.penalty)
    config = replace(CONFIG, shard=shard)
    train(model, objective, texts, config, valid=texts, after_step=hooks and hooks.after_step)
    own = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    # Softmax does not see what is added to all keys: what moves such a bias is rounding alone.
    return torch.cat([p.flatten() for name, p in own.items() if not name.endswith("k_proj.bias")])


def main() -> None:
    """Compare."""
    if torchrun_rank():
        help_out()
        return
    alone = {case: trained(*case) for case in CASES}
    far: dict[str, Any] = {}
    with together(None) as group:
        for case in CASES:
            far[" ".join(case)] = float((trained(*case) - alone[case]).abs().max())
        for case in SHARDED:
            found = trained(*case, shard=True)
            far[" ".join(case) + ", sharded"] = float((found - alone[case]).abs().max())
        sys.stdout.write(json.dumps({"size": group.size, "far": far}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
