"""``takeroot evaluate``: figures, gates, a second bundle, a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_figures_are_one_json_object(takeroot: Run, shop_bundle: Path, shop_csv: Path) -> None:
    found = takeroot("evaluate", shop_bundle, shop_csv, "--json").json

    assert (found["n"], found["accuracy"], found["macro_f1"]) == (9, 1.0, 1.0)
    assert {"intervals", "ece", "abstained", "coverage", "selective_accuracy"} <= found.keys()


def test_a_run_folder_stands_for_its_bundle(
    takeroot: Run, shop_bundle: Path, shop_csv: Path
) -> None:
    assert takeroot("evaluate", shop_bundle.parent, shop_csv).code == 0


def test_summary_names_the_figures(takeroot: Run, shop_bundle: Path, shop_csv: Path) -> None:
    assert "macro_f1" in takeroot("evaluate", shop_bundle, shop_csv).out


@pytest.mark.parametrize(("gate", "code"), [("accuracy>=0.9", 0), ("accuracy > 1", 2)])
def test_a_gate_decides_the_exit_code(
    takeroot: Run, shop_bundle: Path, shop_csv: Path, gate: str, code: int
) -> None:
    ran = takeroot("evaluate", shop_bundle, shop_csv, "--gate", gate, "--json")

    assert (ran.code, ran.json["gates"][0]["met"]) == (code, code == 0)


def test_an_unmet_gate_is_named(takeroot: Run, shop_bundle: Path, shop_csv: Path) -> None:
    ran = takeroot("evaluate", shop_bundle, shop_csv, "--gate", "accuracy>1")

    assert ran.err == "error: gate: accuracy>1 is not met: 1.0000\n"


def test_a_second_bundle_is_compared(takeroot: Run, shop_bundle: Path, shop_csv: Path) -> None:
    found = takeroot("evaluate", shop_bundle, shop_csv, "--against", shop_bundle, "--json").json

    assert found["against"]["differences"]["accuracy"]["mean"] == 0
    assert found["against"]["p_value"] == 1


def test_an_unknown_label_is_told_with_its_line(
    takeroot: Run, shop_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("text,intent\nrefund,refund\nhello,greeting\n")

    ran = takeroot("evaluate", shop_bundle, tmp_path / "t.csv")

    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "t.csv:3: label 'greeting' is not one of: account, delivery, refund" in ran.err


def test_out_of_scope_rows_are_scored_apart(
    takeroot: Run, shop_bundle: Path, tmp_path: Path
) -> None:
    rows = "text,intent\nplease refund my order,refund\nwho won,oos\nlovely weather,oos\n"
    (tmp_path / "t.csv").write_text(rows)

    ran = takeroot("evaluate", shop_bundle, tmp_path / "t.csv", "--out-of-scope", "oos", "--json")

    assert (ran.json["in_scope"], ran.json["out_of_scope"]) == (1, 2)
    assert ran.json["out_of_scope_auroc"] == 1.0


def test_report_is_written(
    takeroot: Run, shop_bundle: Path, shop_csv: Path, tmp_path: Path
) -> None:
    takeroot("evaluate", shop_bundle, shop_csv, "--report", tmp_path / "r.html")

    assert "</html>" in (tmp_path / "r.html").read_text(encoding="utf-8")
