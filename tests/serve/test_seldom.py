from __future__ import annotations

import logging

import pytest

from takeroot.serve.seldom import Seldom


def test_it_speaks_at_once_then_a_minute_later_and_leaves_nothing_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [100.0]
    seldom = Seldom(logging.getLogger("takeroot"), "%d lost: %s", clock=lambda: now[0])

    for second in range(0, 90, 10):
        now[0] = 100.0 + second
        seldom.tell(2, f"at {second} s")
    seldom.flush()
    seldom.flush()

    assert caplog.messages == ["2 lost: at 0 s", "12 lost: at 60 s", "4 lost: at 80 s"]
