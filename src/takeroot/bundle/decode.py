"""From raw outputs to answers: temperature, probabilities, thresholds, abstention.

Training evaluates through these functions too, so that training and serving cannot disagree.

Shapes: N inputs, K labels, W words, K' tags.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from takeroot.bundle.abstain import OUT_OF_SCOPE, Reference
from takeroot.bundle.answer import Answer, Entity
from takeroot.bundle.outputs import Outputs, Written
from takeroot.bundle.spec import Input, Spec
from takeroot.bundle.tags import entities, viterbi

OUT_OF_SCOPE_REASON = "out_of_scope"
EMPTY_REASON = "empty_text"
CUT_REASON = "max_tokens"

Decoder = Callable[[Spec, Outputs, Reference, Sequence[Input]], list[Answer]]


def decode(
    spec: Spec, outputs: Outputs, reference: Reference, inputs: Sequence[Input]
) -> list[Answer]:
    """One answer for each input.

    Args:
        spec: How to decide.
        outputs: What the runtime gave for ``inputs``.
        reference: Arrays of the training data that abstention compares with; may be empty.
        inputs: The texts as given.
    """
    return DECODERS[spec.task](spec, outputs, reference, inputs) if len(inputs) else []


def probabilities(spec: Spec, logits: np.ndarray) -> np.ndarray:
    """Calibrated probabilities (N, K) of logits (N, K): sigmoids for multilabel, else softmax."""
    scaled = logits.astype(np.float64) / spec.calibration.temperature
    return _sigmoid(scaled) if spec.task == "multilabel" else _softmax(scaled)


def reasons(
    spec: Spec, outputs: Outputs, reference: Reference, inputs: Sequence[Input]
) -> list[str | None]:
    """Why each input is not answered; None for those that are."""
    if spec.abstention is None:
        return [None] * len(inputs)
    rule = spec.abstention
    score = OUT_OF_SCOPE[rule.method]
    scores = score(np.asarray(outputs.logits), outputs.embedding, reference, rule.neighbours)
    outside = (scores < rule.threshold).tolist()
    found: list[str | None] = [OUT_OF_SCOPE_REASON if out else None for out in outside]
    for row, item in enumerate(inputs):
        if _is_empty(item):
            found[row] = EMPTY_REASON
    return found


def _is_empty(item: Input) -> bool:
    """Whether there is nothing to read."""
    if isinstance(item, str):
        return not item or item.isspace()
    return all(not part or part.isspace() for part in item)


def _decode_classify(
    spec: Spec, outputs: Outputs, reference: Reference, inputs: Sequence[Input]
) -> list[Answer]:
    """The most probable label of each input."""
    table = probabilities(spec, np.asarray(outputs.logits))  # (N, K)
    best = table.argmax(axis=1)
    names = spec.labels
    rows = zip(
        best.tolist(),
        table.tolist(),
        reasons(spec, outputs, reference, inputs),
        strict=True,
    )
    return [
        Answer(
            label=names[index],
            confidence=row[index],
            probabilities=dict(zip(names, row, strict=True)),
            abstained=reason is not None,
            reason=reason,
        )
        for index, row, reason in rows
    ]


def _decode_multilabel(
    spec: Spec, outputs: Outputs, reference: Reference, inputs: Sequence[Input]
) -> list[Answer]:
    """Every label of each input that reaches its threshold, most probable first."""
    table = probabilities(spec, np.asarray(outputs.logits))  # (N, K)
    chosen = table >= np.array([spec.thresholds.get(label, 0.5) for label in spec.labels])
    confidence = np.where(chosen, table, 1 - table).min(axis=1).tolist()
    why = reasons(spec, outputs, reference, inputs)
    answers = []
    for number, row in enumerate(table.tolist()):
        picked = sorted(np.flatnonzero(chosen[number]).tolist(), key=lambda k: -row[k])
        answers.append(
            Answer(
                labels=tuple(spec.labels[index] for index in picked),
                confidence=confidence[number],
                probabilities=dict(zip(spec.labels, row, strict=True)),
                abstained=why[number] is not None,
                reason=why[number],
            )
        )
    return answers


def _decode_tag(
    spec: Spec, outputs: Outputs, _reference: Reference, inputs: Sequence[Input]
) -> list[Answer]:
    """The entities of each input, along the best valid tag sequence."""
    answers = []
    for item, logits, words in zip(inputs, outputs.logits, outputs.words or [], strict=True):
        text = item if isinstance(item, str) else item[0]
        found: tuple[Entity, ...] = ()
        if len(logits):
            table = probabilities(spec, logits)  # (W, K')
            found = entities(text, words, viterbi(logits, spec.labels), table, spec.labels)
        confidence = min((entity.confidence for entity in found), default=1.0)
        answers.append(Answer(entities=found, confidence=confidence))
    return answers


def _decode_written(
    _spec: Spec, outputs: Outputs, _reference: Reference, _inputs: Sequence[Input]
) -> list[Answer]:
    """The text of each input."""
    return [written_answer(each) for each in outputs.written]


def written_answer(written: Written) -> Answer:
    """A text that was written, as an answer."""
    return Answer(
        text=written.text,
        tokens=written.tokens,
        confidence=written.confidence,
        reason=None if written.ended else CUT_REASON,
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Element-wise logistic function, without overflow."""
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1 / (1 + small), small / (1 + small)))


DECODERS: dict[str, Decoder] = {
    "classify": _decode_classify,
    "pair": _decode_classify,
    "multilabel": _decode_multilabel,
    "tag": _decode_tag,
    "generate": _decode_written,
    "seq2seq": _decode_written,
}
