"""What CTranslate2 makes of exported files, token by token: to compare it with the network.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from takeroot.bundle.cores import usable_cores
from takeroot.errors import require
from takeroot.generation.objective import Judged, Row

BATCH = 8  # rows at once
CHUNK = 64  # rows between two reports


class Engine:
    """A model as it will be served.

    Args:
        files: As ``export.convert`` gives them.
        tokenizer: Whose tokens they are.
        causal: Whether it goes on with a text.
        ends: Tokens that end an answer.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        tokenizer: Tokenizer,
        *,
        causal: bool,
        ends: Sequence[str],
    ) -> None:
        library = require("ctranslate2", extra="generate")
        build = library.Generator if causal else library.Translator
        own = {name: data for name, data in files.items() if name != "tokenizer.json"}
        self._tokenizer, self._causal, self._ends = tokenizer, causal, list(ends)
        self._model = build("model", files=own, inter_threads=usable_cores(), intra_threads=1)

    def judge(
        self, rows: Sequence[Row], done: Callable[[int], None] = lambda count: None
    ) -> Judged:
        """The loss of each row's answer; which tokens were the likeliest is not told."""
        losses = np.zeros(len(rows))
        tokens = np.array([len(row.answer) for row in rows], np.int64)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            for place, found in enumerate(self._score(part), start):
                losses[place] = -sum(found.log_probs[-tokens[place] :])
            done(min(start + CHUNK, len(rows)))
        return Judged(losses, tokens, np.zeros(len(rows), np.int64))

    def answers(self, rows: Sequence[Row], limit: int) -> list[list[int]]:
        """The likeliest tokens of the answer to each row's prompt, its end left out."""
        options: dict[str, Any] = {"beam_size": 1, "end_token": self._ends}
        found: list[list[int]] = []
        for row in rows:  # alone: a prompt's rest would come back as part of the answer
            asked = [self._tokens(row.prompt)]
            if self._causal:
                made = self._model.generate_batch(
                    asked, max_length=limit, include_prompt_in_result=False, **options
                )
                found.append(list(made[0].sequences_ids[0]))
            else:
                made = self._model.translate_batch(
                    asked,
                    max_decoding_length=limit,
                    min_decoding_length=0,
                    max_input_length=0,
                    **options,
                )
                found.append([self._id(token) for token in made[0].hypotheses[0]])
        return found

    def _id(self, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        assert number is not None  # the vocabulary is the tokenizer's
        return number

    def _score(self, rows: Sequence[Row]) -> list[Any]:
        """Log-probabilities of tokens, those of the answer last."""
        options: dict[str, Any] = {"max_batch_size": BATCH, "max_input_length": 0}
        if self._causal:
            whole = [self._tokens([*row.prompt, *row.answer]) for row in rows]
            return list(self._model.score_batch(whole, **options))
        sources = [self._tokens(row.prompt) for row in rows]
        answers = [self._tokens(row.answer[:-1]) for row in rows]  # it adds the end itself
        return list(self._model.score_batch(sources, answers, **options))

    def _tokens(self, ids: Sequence[int]) -> list[str]:
        return [str(self._tokenizer.id_to_token(number)) for number in ids]
