"""What a pretraining lowers: the loss of guessing tokens, and of telling which parts go together.

- ``masked`` and ``next``: Devlin et al. 2019, arXiv:1810.04805, section 3.1.
- ``order``: Lan et al. 2020, arXiv:1909.11942, section 3.1 (sentence order).
- ``contrast``: Gao and Callan 2022, arXiv:2108.05540, section 4.2: two parts of one document are
  nearer to each other than to the parts of the batch's other documents. Where we differ: the vector
  of a part is the unit-length mean of its tokens', which is what a fit reads, in both directions,
  with van den Oord et al. 2018, arXiv:1807.03748, equation 4.
- ``causal``: each token is guessed from those before it.

The score is the geometric mean of the probabilities given to the right tokens, exp(-loss), which is
1 / perplexity: higher is better, as the loop wants it.

Shapes: B rows, T tokens, M guessed tokens, H hidden, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from takeroot.errors import ModelError
from takeroot.pretraining.layout import Frame, lay_out, pad
from takeroot.pretraining.masking import draw_words, hidden_count, replace_drawn
from takeroot.pretraining.network import LanguageModel
from takeroot.pretraining.rows import Row
from takeroot.recipe import TrainingRecipe
from takeroot.train.batches import by_length
from takeroot.train.precision import autocast

TEMPERATURE = 0.05  # of the contrast: how much nearer is near
LEAST = 4  # tokens of a row that is cut into two parts
JUDGED_SEED = 20_190_524  # of what is hidden in held-out rows: the same tokens every time
JUDGED_TOKENS = 4096  # padded tokens a batch of held-out rows
JUDGED_ROWS = 64  # of them at most: a pair is told from no more than as many others


@dataclass(frozen=True)
class Found:
    """What the network says about some rows.

    Args:
        loss: Summed loss of the guessed tokens.
        tokens: How many were guessed.
        right: How many of them rightly.
        pair_loss: Mean loss of the pairs, or None.
        pairs: How many pairs there were.
        pairs_right: How many of them were told rightly.
    """

    loss: Tensor
    tokens: int
    right: int
    pair_loss: Tensor | None = None
    pairs: int = 0
    pairs_right: int = 0


@dataclass(frozen=True)
class Language:
    """Learn a language from rows of text.

    Args:
        recipe: What is learnt.
        frame: Special tokens.
    """

    recipe: TrainingRecipe
    frame: Frame
    metric: str = "token_probability"

    @property
    def whole(self) -> bool:
        """Whether other rows of a batch are what a row is compared with."""
        return self.recipe.pairs in ("next", "contrast")

    @property
    def fewest(self) -> int:
        """Tokens of the shortest row that something can be learnt from."""
        return 2 if self.recipe.pairs == "none" else LEAST

    def lengths(self, rows: Sequence[Row]) -> np.ndarray:
        """Tokens of each row (N,)."""
        own = getattr(rows, "lengths", None)  # without reading the rows
        return np.array([len(row.ids) for row in rows]) if own is None else np.asarray(own)

    def decisions(self, rows: Sequence[Row]) -> int:
        """Tokens that are guessed; of masked ones the most there can be."""
        if self.recipe.objective == "causal":
            return sum(len(row.ids) + 1 for row in rows)
        return sum(hidden_count(len(row.ids), self.recipe.mask_share) for row in rows)

    def loss(self, model: LanguageModel, rows: Sequence[Row], precision: torch.dtype) -> Tensor:
        """The mean loss of the guessed tokens and, beside it, of the pairs."""
        found = self.look(model, rows, precision)
        mean = found.loss / max(found.tokens, 1)
        return mean if found.pair_loss is None else mean + found.pair_loss

    def score(self, model: LanguageModel, rows: Sequence[Row], precision: torch.dtype) -> float:
        """1 / perplexity of the guessed tokens."""
        return math.exp(-self.measure(model, rows, precision)["loss"])

    def measure(
        self, model: LanguageModel, rows: Sequence[Row], precision: torch.dtype
    ) -> dict[str, float]:
        """Loss, perplexity and share of right guesses on rows, and of pairs told rightly."""
        model.eval()
        found = []
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(JUDGED_SEED)
            for numbers in by_length(self.lengths(rows), JUDGED_TOKENS):
                for few in np.array_split(numbers, math.ceil(len(numbers) / JUDGED_ROWS)):
                    found.append(self.look(model, [rows[k] for k in few], precision))
        tokens = sum(each.tokens for each in found)
        loss = sum(float(each.loss) for each in found) / tokens
        figures = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        figures["accuracy"] = sum(each.right for each in found) / tokens
        if pairs := sum(each.pairs for each in found):
            figures["pair_accuracy"] = sum(each.pairs_right for each in found) / pairs
        return figures

    def look(self, model: LanguageModel, rows: Sequence[Row], precision: torch.dtype) -> Found:
        """Losses and right guesses on some rows."""
        if self.recipe.objective == "causal":
            return self._causal(model, rows, precision)
        laid, same = lay_out(rows, self.recipe.pairs, self.frame)
        drawn = torch.zeros_like(laid.free, dtype=torch.bool)
        for place in range(len(drawn)):
            may = laid.free[place].bool()
            drawn[place, may] = draw_words(laid.starts[place, may], self.recipe.mask_share)
        if self.frame.mask is None:
            raise ModelError("model: its tokenizer has no mask token; take objective causal")
        hidden = replace_drawn(laid.ids, drawn, self.frame.mask, self.frame.others)
        with autocast(precision):
            vectors = model.vectors(hidden, laid.mask, laid.types)
            logits = model.guess(vectors[drawn])
        found = _guessed(logits, laid.ids[drawn])
        if self.recipe.pairs == "none":
            return found
        tell = _contrasted if self.recipe.pairs == "contrast" else _told
        pair_loss, right = tell(model, vectors.float(), laid.mask, same)
        return Found(found.loss, found.tokens, found.right, pair_loss, len(right), int(right.sum()))

    def _causal(self, model: LanguageModel, rows: Sequence[Row], precision: torch.dtype) -> Found:
        """Each token, and the end, guessed from what stands before it."""
        laid = pad([(row,) for row in rows], self.frame)
        guessed = laid.mask[:, 1:].bool()
        with autocast(precision):
            vectors = model.vectors(laid.ids, laid.mask, laid.types, causal=True)
            logits = model.guess(vectors[:, :-1][guessed])
        return _guessed(logits, laid.ids[:, 1:][guessed])


def _guessed(logits: Tensor, right: Tensor) -> Found:
    """Loss and right guesses of logits (M, V) against token ids (M,)."""
    scores = logits.float()
    loss = F.cross_entropy(scores, right, reduction="sum")
    return Found(loss, len(right), int((scores.argmax(dim=-1) == right).sum()))


def _told(
    model: LanguageModel, vectors: Tensor, mask: Tensor, same: Tensor
) -> tuple[Tensor, Tensor]:
    """Loss and right answers of the first tokens' vectors: do the parts belong together."""
    logits = model.pairs(vectors[:, 0])
    return F.cross_entropy(logits, same), logits.argmax(dim=-1) == same


def _contrasted(
    model: LanguageModel, vectors: Tensor, mask: Tensor, same: Tensor
) -> tuple[Tensor, Tensor]:
    """Loss and right answers of the parts' mean vectors: which second part is a first one's."""
    weight = mask.unsqueeze(-1)
    means = F.normalize((vectors * weight).sum(dim=1) / weight.sum(dim=1), dim=-1)
    firsts, seconds = means.chunk(2)
    near = firsts @ seconds.T / TEMPERATURE  # (B, B)
    loss = (F.cross_entropy(near, same) + F.cross_entropy(near.T, same)) / 2
    return loss, near.argmax(dim=-1) == same
