"""Frozen lower layers are run once; every epoch then starts from what they gave.

The outputs of a frozen part are the same in every epoch as long as nothing random goes into it:
neither hidden tokens nor dropout. They are computed before the first step, in batches that follow
from the rows alone, so that a training that is gone on with has the very same ones. Up to a limit
they are kept in memory, beyond it in an unnamed file that is mapped into it, and that the system
removes with the process.

Shapes: N rows, S tokens of all rows, B rows a batch, T tokens of its longest, H hidden.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from takeroot.errors import DiskFullError
from takeroot.files import FULL
from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoded
from takeroot.train.batches import by_length, collate
from takeroot.train.objective import Labelled
from takeroot.train.precision import autocast

IN_MEMORY = 1 << 30  # bytes; beyond, outputs go to a file
TOKENS = 4096  # padded tokens computed at once


@dataclass(frozen=True)
class Outputs:
    """What a network's lowest layers give for some rows.

    Args:
        values: Of all tokens, row after row (S, H), float32.
        starts: Where each row begins, and the end of the last (N + 1,).
    """

    values: np.ndarray
    starts: np.ndarray

    def of(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The outputs of some rows, padded (B, T, H), and their mask (B, T)."""
        lengths = [int(self.starts[k + 1] - self.starts[k]) for k in numbers]
        hidden = np.zeros((len(lengths), max(lengths), self.values.shape[1]), np.float32)
        mask = np.zeros((len(lengths), max(lengths)), np.int64)
        for place, (number, length) in enumerate(zip(numbers, lengths, strict=True)):
            hidden[place, :length] = self.values[self.starts[number] : self.starts[number + 1]]
            mask[place, :length] = 1
        return torch.from_numpy(hidden), torch.from_numpy(mask)


def outputs_below(
    model: TextModel,
    rows: Sequence[Encoded],
    lowest: int,
    precision: torch.dtype,
    in_memory: int = IN_MEMORY,
) -> Outputs:
    """What the layers below number ``lowest`` give for some rows.

    Args:
        model: Its embeddings and those layers are frozen.
        rows: N of them.
        lowest: Number of the lowest layer that is trained.
        precision: Format of the matrix products.
        in_memory: Bytes above which they go to a file.

    Raises:
        DiskFullError: If there is no room for that file.
    """
    starts = np.concatenate([[0], np.cumsum([len(row.ids) for row in rows])])
    values = _room(int(starts[-1]), model.hidden_size, in_memory)
    model.eval()
    for numbers in by_length(np.diff(starts), TOKENS):
        batch = collate([rows[k] for k in numbers])
        with torch.inference_mode(), autocast(precision):
            found = model.below(batch.ids, batch.mask, batch.types, lowest).float().numpy()
        for place, number in enumerate(numbers):
            first, last = starts[number], starts[number + 1]
            values[first:last] = found[place, : last - first]
    return Outputs(values, starts)


@dataclass(frozen=True)
class AboveFrozen:
    """A task learnt from the outputs of frozen layers; training rows are given by number.

    Args:
        labelled: What is learnt, with nothing hidden.
        rows: The training rows.
        outputs: Of the frozen layers for them.
        lowest: Number of the lowest layer that is trained.
    """

    labelled: Labelled
    rows: Sequence[Encoded]
    outputs: Outputs
    lowest: int

    @property
    def metric(self) -> str:
        """The task's."""
        return self.labelled.metric

    @property
    def whole(self) -> bool:
        """Whether rows are contrasted with each other."""
        return self.labelled.whole

    def lengths(self, rows: Sequence[int]) -> np.ndarray:
        """Tokens of each row (N,)."""
        return np.diff(self.outputs.starts)[list(rows)]

    def decisions(self, rows: Sequence[int]) -> int:
        """Rows, or for tag words."""
        return self.labelled.decisions([self.rows[k] for k in rows])

    def loss(self, model: TextModel, rows: Sequence[int], precision: torch.dtype) -> Tensor:
        """The loss of some training rows."""
        hidden, mask = self.outputs.of(rows)
        with autocast(precision):
            vectors = model.above(hidden, mask, self.lowest)
        return self.labelled.loss_of(model, vectors, [self.rows[k] for k in rows])

    def score(self, model: TextModel, rows: Sequence[Encoded], precision: torch.dtype) -> float:
        """The task's metric on some other rows, which are run through the whole network."""
        return self.labelled.score(model, rows, precision)


def _room(tokens: int, hidden: int, in_memory: int) -> np.ndarray:
    """An array (S, H), in memory or in a file without a name."""
    size = tokens * hidden * np.dtype(np.float32).itemsize
    if size <= in_memory:
        return np.empty((tokens, hidden), np.float32)
    with tempfile.TemporaryFile(prefix="takeroot-") as file:
        try:
            # Mapped writes to a full disk would end the process.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise DiskFullError(
                f"{tempfile.gettempdir()}: no room for {size / 1e9:.1f} GB, the outputs of frozen "
                "layers; set TMPDIR to another disk, or fit.freeze: 0"
            ) from error
        return np.memmap(file, np.float32, "r+", shape=(tokens, hidden))
