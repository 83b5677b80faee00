"""A small share of the mutated files of bench/fuzz_readers.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench" / "fuzz_readers.py"


def test_three_hundred_mutated_files_are_read_or_refused_and_accounted_for(tmp_path):
    spec = importlib.util.spec_from_file_location("fuzz_readers", BENCH)
    fuzz = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_readers"] = fuzz  # dataclasses look their module up
    spec.loader.exec_module(fuzz)

    outcome = fuzz.run(300, 1, tmp_path, huge=False)

    assert outcome.failures == []
    assert outcome.files == 300
    assert outcome.read > 100
    assert outcome.rejected > 1000
