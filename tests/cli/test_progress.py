from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress

from takeroot.cli.progress import Shown


def lines_of(line_every_s: float, steps: list[tuple[str, int]]) -> list[str]:
    stream = io.StringIO()
    bar = Progress(console=Console(file=stream, width=200), disable=True)
    display = Shown(bar, live=False, line_every_s=line_every_s)
    for stage, done in steps:
        display.step(stage, done, 1200, {"loss": 0.25})
    return stream.getvalue().splitlines()


def test_without_a_terminal_lines_tell_how_far_a_stage_is():
    steps = [("fine-tuning", 0), ("fine-tuning", 300), ("embedding", 10), ("embedding", 600)]
    lines = lines_of(0.0, steps)

    assert [line.split(" left")[0].rsplit("about", 1)[0] for line in lines] == [
        "fine-tuning: 300 of 1,200, ",
        "embedding: 600 of 1,200, ",
    ]
    assert all(line.endswith("s left, loss 0.25") for line in lines)


def test_what_an_earlier_process_did_does_not_make_a_stage_seem_quick(
    monkeypatch: pytest.MonkeyPatch,
):
    seconds = iter([0.0, 0.0, 50.0])  # at the start, at step 900 and at step 1,000
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("takeroot.cli.progress.time", clock)

    (line,) = lines_of(30.0, [("fine-tuning", 900), ("fine-tuning", 1000)])

    assert line == "fine-tuning: 1,000 of 1,200, about 100 s left, loss 0.25"


def test_without_a_terminal_short_stages_are_not_told():
    assert lines_of(3600.0, [("embedding", done) for done in range(1200)]) == []
