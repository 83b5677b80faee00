"""Is the exported model the network that was trained? Token by token, on held-out rows.

Two measures, both taught (Williams and Zipser 1989): of the answers that the export writes, at how
many tokens the network, given the same beginning, would have written the same; and how far the
probabilities of the reference answers' tokens move.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from takeroot.generation.engine import Engine
from takeroot.generation.export import convert
from takeroot.generation.material import Material
from takeroot.generation.objective import Answers, Row, Writer
from takeroot.models.generator import PretrainedGenerator
from takeroot.train import Progress

WRITTEN = 32  # held-out prompts that the export answers
SCORED = 256  # held-out answers whose probabilities are compared
CHECKS = {"int8": ("int8",), "fp32": ("fp32",), "auto": ("int8", "fp32")}


@dataclass(frozen=True)
class Exported:
    """The files that are served.

    Args:
        precision: ``int8`` or ``fp32``.
        files: As ``export.convert`` gives them.
        evidence: What the report shows of their closeness to the network.
    """

    precision: str
    files: Mapping[str, bytes]
    evidence: dict[str, Any]


def export(
    pretrained: PretrainedGenerator,
    found: Material,
    wanted: str,
    max_drop: float,
    show: Progress,
) -> Exported:
    """The trained network's files in the precision asked for, held against it.

    Args:
        pretrained: With the trained network, adapters merged.
        found: Held-out rows.
        wanted: ``int8``, ``fp32``, or ``auto``: int8 unless it lowers the mean probability of a
            token by more than ``max_drop``.
        max_drop: 0 to 1.
        show: Where to report to.
    """
    model = Writer(pretrained.network)
    objective = Answers(pretrained.config.start)
    rows = found.valid[:SCORED]
    reference = objective.judge(model, rows)
    variants, files = [], {}
    for precision in CHECKS[wanted]:
        files = convert(pretrained.network, pretrained, precision)
        engine = open_engine(pretrained, found, files)
        judged = engine.judge(rows, lambda count: show.step("export", count, len(rows), {}))
        drop = math.exp(-reference.loss) - math.exp(-judged.loss)
        gap = np.abs(judged.losses - reference.losses) / reference.tokens
        variants.append(
            {
                "precision": precision,
                "loss": judged.loss,
                "network_loss": reference.loss,
                "metric": math.exp(-judged.loss),
                "drop": drop,
                "largest_loss_difference": float(gap.max()),
                "size_mb": sum(map(len, files.values())) / 1e6,
                **_agreement(engine, objective, model, found),
            }
        )
        if wanted != "auto" or drop <= max_drop:
            break
    chosen = variants[-1]
    evidence = {
        "rows": len(rows),
        "variants": variants,
        "reason": _reason(wanted, variants, max_drop),
    }
    keys: tuple[str, ...] = (
        "precision",
        "token_agreement",
        "answer_agreement",
        "tokens",
        "answers",
        "tokens_per_s",
    )
    evidence |= {key: chosen[key] for key in keys}
    return Exported(str(chosen["precision"]), files, evidence)


def open_engine(
    pretrained: PretrainedGenerator, found: Material, files: Mapping[str, bytes]
) -> Engine:
    """What runs exported files."""
    causal = pretrained.config.family.causal
    return Engine(files, pretrained.tokenizer, causal=causal, ends=found.how.end)


def _agreement(
    engine: Engine, objective: Answers, model: Writer, found: Material
) -> dict[str, float]:
    """How many tokens of the export's answers the network would have written as well."""
    rows = found.valid[:WRITTEN]
    began = time.perf_counter()
    answers = engine.answers(rows, found.how.max_new_tokens)
    seconds = time.perf_counter() - began
    taught = [Row(row.prompt, answer) for row, answer in zip(rows, answers, strict=True) if answer]
    judged = objective.judge(model, taught) if taught else None
    tokens = 0 if judged is None else int(judged.tokens.sum())
    right = 0 if judged is None else int(judged.right.sum())
    whole = 0 if judged is None else int((judged.right == judged.tokens).sum())
    return {
        "token_agreement": right / tokens if tokens else 1.0,
        "answer_agreement": whole / len(taught) if taught else 1.0,
        "tokens": tokens,
        "answers": len(taught),
        "tokens_per_s": tokens / seconds,
    }


def _reason(wanted: str, variants: list[dict[str, Any]], max_drop: float) -> str:
    """Why the last variant is served."""
    drop = f"lowers the mean probability of a token by {100 * variants[0]['drop']:.2f} points"
    if wanted != "auto":
        return f"{wanted} was asked for; it {drop}"
    if len(variants) == 1:
        return f"int8 {drop}"
    return f"int8 {drop}, more than compress.max_drop allows: {100 * max_drop:.2f}"
