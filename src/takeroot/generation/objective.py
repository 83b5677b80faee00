"""Learn to answer: the loss of each token of an answer, given what was asked and its start.

Nothing is learnt from the tokens of a prompt: they are read, and no loss is taken of them. A causal
network reads prompt and answer in one row, an encoder-decoder the source in its encoder and the
answer in its decoder, which starts after a token of its own.

The score is the geometric mean of the probabilities given to the right tokens, exp(-loss), which is
1 / perplexity: higher is better, as the loop wants it.

Shapes: B rows, T tokens of the longest, M tokens of all answers, H hidden, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.train.batches import by_length
from takeroot.train.precision import autocast

STEPS = ((64, 1), (256, 16), (math.inf, 32))  # rows up to a length have multiples of this
JUDGED_TOKENS = 2048  # padded tokens a batch of held-out rows


class Writer(nn.Module):
    """A network that writes texts, as the loop takes it.

    Args:
        encoder: The network; the loop calls what it trains so.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder


@dataclass(frozen=True)
class Row:
    """What is asked and what should be answered, as token ids.

    Args:
        prompt: All that stands around it included.
        answer: Its end included.
    """

    prompt: list[int]
    answer: list[int]


@dataclass(frozen=True)
class Judged:
    """How some rows were answered, token by token.

    Args:
        losses: Summed loss of each row's answer (N,).
        tokens: Tokens of each row's answer (N,).
        right: How many of them were the likeliest (N,).
    """

    losses: np.ndarray
    tokens: np.ndarray
    right: np.ndarray

    @property
    def loss(self) -> float:
        """The mean over all tokens."""
        return float(self.losses.sum() / max(self.tokens.sum(), 1))

    def figures(self) -> dict[str, float]:
        """Loss, perplexity and the share of tokens that were the likeliest."""
        right = float(self.right.sum() / max(self.tokens.sum(), 1))
        return {"loss": self.loss, "perplexity": perplexity(self.loss), "token_accuracy": right}


@dataclass(frozen=True)
class Answers:
    """Learn to answer.

    Args:
        start: Token that an encoder-decoder's answers begin after; None for a causal network.
        smoothing: Share of the target that is spread over the vocabulary.
        penalty: Added to the loss, or None.
    """

    start: int | None = None
    smoothing: float = 0.0
    penalty: Callable[[], Tensor] | None = None
    metric: str = "token_probability"

    @property
    def whole(self) -> bool:
        """No row is compared with another."""
        return False

    def lengths(self, rows: Sequence[Row]) -> np.ndarray:
        """Tokens of each row (N,)."""
        return np.array([len(row.prompt) + len(row.answer) for row in rows])

    def decisions(self, rows: Sequence[Row]) -> int:
        """Tokens of the answers."""
        return sum(len(row.answer) for row in rows)

    def loss(self, model: Writer, rows: Sequence[Row], precision: torch.dtype) -> Tensor:
        """The mean loss of the answers' tokens."""
        logits, right = self._guesses(model, rows, precision)
        loss = F.cross_entropy(logits.float(), right, label_smoothing=self.smoothing)
        return loss if self.penalty is None else loss + self.penalty()

    def score(self, model: Writer, rows: Sequence[Row], precision: torch.dtype) -> float:
        """1 / perplexity of the answers' tokens."""
        return math.exp(-self.judge(model, rows, precision).loss)

    def judge(
        self,
        model: Writer,
        rows: Sequence[Row],
        precision: torch.dtype = torch.float32,
        done: Callable[[int], None] = lambda count: None,
    ) -> Judged:
        """How the rows are answered; ``done`` is told how many are."""
        model.eval()
        losses, right = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
        tokens = np.array([len(row.answer) for row in rows], np.int64)
        count = 0
        with torch.inference_mode():
            for numbers in by_length(self.lengths(rows), JUDGED_TOKENS):
                logits, wanted = self._guesses(model, [rows[k] for k in numbers], precision)
                each = F.cross_entropy(logits.float(), wanted, reduction="none").numpy()
                hits = (logits.argmax(dim=-1) == wanted).numpy()
                owner = np.repeat(numbers, tokens[numbers])
                np.add.at(losses, owner, each)
                np.add.at(right, owner, hits)
                count += len(numbers)
                done(count)
        return Judged(losses, tokens, right)

    def _guesses(
        self, model: Writer, rows: Sequence[Row], precision: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Logits (M, V) for the answers' tokens, and the tokens (M,), row by row."""
        right = torch.tensor([number for row in rows for number in row.answer])
        with autocast(precision):
            logits = self._causal(model, rows) if self.start is None else self._pair(model, rows)
        return logits, right

    def _causal(self, model: Writer, rows: Sequence[Row]) -> Tensor:
        """Logits (M, V) of a network that reads prompt and answer in one row."""
        network: Any = model.encoder
        ids, mask = padded([[*row.prompt, *row.answer[:-1]] for row in rows], _positions(network))
        hidden = network.model(input_ids=ids, attention_mask=mask, use_cache=False)
        guessing = torch.zeros_like(mask, dtype=torch.bool)  # the output layer is large: only these
        for place, row in enumerate(rows):
            first = len(row.prompt) - 1
            guessing[place, first : first + len(row.answer)] = True
        return torch.as_tensor(network.lm_head(hidden.last_hidden_state[guessing]))

    def _pair(self, model: Writer, rows: Sequence[Row]) -> Tensor:
        """Logits (M, V) of a network that reads the source and writes the answer."""
        assert self.start is not None
        most = _positions(model.encoder)
        ids, mask = padded([row.prompt for row in rows], most)
        given, wanted = padded([[self.start, *row.answer[:-1]] for row in rows], most)
        found = model.encoder(
            input_ids=ids,
            attention_mask=mask,
            decoder_input_ids=given,
            decoder_attention_mask=wanted,
            use_cache=False,
        )
        return torch.as_tensor(found.logits[wanted.bool()])


def _positions(network: Any) -> int | None:
    """How long a text can be; None where positions are relative."""
    found = getattr(network.config, "max_position_embeddings", None)
    return None if found is None else int(found)


def padded(rows: Sequence[Sequence[int]], most: int | None = None) -> tuple[Tensor, Tensor]:
    """Ids and mask (B, T) of rows of token ids, filled up at their ends.

    NOTE: long ones are filled up to lengths that recur. A product in bf16 is compiled for its
    shape, and what was compiled stays in memory: 40 MB a step where every batch has a length of
    its own (measured with two layers of 576 values; 10 MB so).

    Args:
        rows: Token ids.
        most: No row is filled up beyond this length.
    """
    longest = max(len(row) for row in rows)
    step = next(step for top, step in STEPS if longest <= top)
    width = max(longest, min(-(-longest // step) * step, most or longest + step))
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def perplexity(loss: float) -> float:
    """exp(loss), as far as numbers go."""
    return math.exp(min(loss, 700.0))
