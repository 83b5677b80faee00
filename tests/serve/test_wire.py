from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from takeroot.bundle import Answer, Entity
from takeroot.bundle.chat import Turn
from takeroot.serve.wire import (
    MAX_FRAME,
    Done,
    Ended,
    Frames,
    FromWorker,
    Leave,
    Run,
    Told,
    TooLong,
    ToWorker,
    Wanted,
    Write,
    Wrote,
    frame,
)


@given(some.lists(some.integers(1, 50), max_size=60))
def test_frames_come_out_whole_however_they_are_cut(cuts: list[int]) -> None:
    runs = [Run(k, "key", ["text"] * k, "json", None) for k in range(5)]
    stream = b"".join(frame(run) for run in runs)
    frames, found = Frames(), []
    while stream:
        size = cuts.pop() if cuts else len(stream)
        found += list(frames.feed(stream[:size]))
        stream = stream[size:]

    decoder = msgspec.msgpack.Decoder(ToWorker)
    assert [decoder.decode(body) for body in found] == runs


def test_answers_arrive_as_they_were_sent() -> None:
    answers = [
        Answer("a", confidence=0.5, probabilities={"a": 0.5, "b": 0.5}),
        Answer(entities=(Entity(0, 3, "person", "ann", 0.9),), abstained=True, reason="why"),
        Answer(labels=("x", "y"), probabilities={"x": 1.0}),
    ]
    (body,) = Frames().feed(frame(Done(1, [], answers, [1, 2, 3], [False, True, False], 5)))

    assert msgspec.msgpack.decode(body, type=FromWorker).answers == answers  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (Write(1, "m", [Wanted((Turn("user", "你好"),), 5, "json", True)]), ToWorker),
        (Write(1, "m", [Wanted("prompt", 5, "answers", False)]), ToWorker),
        (Leave(1, 2), ToWorker),
        (Told(1, 0, "好"), FromWorker),
        (Wrote(1, 0, b"{}", 3, 2, 10), FromWorker),
        (Wrote(1, 0, Answer(text="x", tokens=1, reason="max_tokens"), 3, 1, 10), FromWorker),
        (TooLong(1, 0, 64), FromWorker),
        (Ended(1, "RuntimeError"), FromWorker),
    ],
)
def test_what_is_said_of_texts_arrives_as_it_was_sent(message: Any, kind: Any) -> None:
    (body,) = Frames().feed(frame(message))

    assert msgspec.msgpack.decode(body, type=kind) == message


def test_a_frame_longer_than_any_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        list(Frames().feed((MAX_FRAME + 1).to_bytes(4, "little")))
