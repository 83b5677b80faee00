"""The run folder of a fit whose candidates are judged: what it is made from, and its material."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from takeroot.models.adapters.attach import fingerprint
from takeroot.models.load import Pretrained
from takeroot.search.material import Material
from takeroot.search.work import Work
from takeroot.stop import Stop
from takeroot.train import run_folder
from takeroot.train.run_folder import named


@contextmanager
def keeping(
    work: Work,
    found: Material,
    words: str | None,
    out: Path,
    *,
    resume: bool,
    stop: Stop | None,
) -> Iterator[Work]:
    """Inside the block, the run's folder keeps what is needed to go on after a crash.

    Args:
        work: The run's material.
        found: What its files hold.
        words: Hash of the model that substitutes words, where one does.
        out: The run's folder.
        resume: Whether to go on with the run that is there.
        stop: Asked to stop.

    Yields:
        The material, with a clock and trainings that go on from what is kept.

    Raises:
        CheckpointError: If the run that is there was made from something else.
        Stopped: If ``stop`` was asked to; the run can be gone on with.
    """
    with run_folder.keeping(
        out,
        work.recipe,
        source_of(work, found, words),
        work.clock,
        work.progress,
        every_s=work.recipe.fit.checkpoint_s,
        again=f"takeroot fit --resume {out}",
        resume=resume,
        stop=stop,
    ) as kept:
        yield replace(work, clock=kept.clock, keep=kept.keep, measured=kept.measured)


def source_of(work: Work, found: Material, words: str | None) -> dict[str, Any]:
    """What a run is made from."""
    return {
        "rows": named(found.train.name, found.train.sha256),
        "test rows": None if found.test is None else named(found.test.name, found.test.sha256),
        "texts without labels": _hash(repr(found.unlabelled).encode()),
        "rows of further tasks": _hash(repr([each.rows for each in found.also]).encode()),
        "model": None if work.pretrained is None else _hash_of_encoder(work.pretrained),
        "model that substitutes words": words,
    }


def _hash(data: bytes) -> str:
    return f"sha256 {hashlib.sha256(data).hexdigest()}"


def _hash_of_encoder(pretrained: Pretrained) -> str:
    """One hash of weights and tokenizer."""
    return _hash(pretrained.tokenizer_json + fingerprint(pretrained.encoder).encode())
