"""data check, data fix, data convert."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot.data import read

Run = Callable[..., Any]
ROWS = "text,label\n" + "".join(
    f"{verb} my {noun} {'!' * n} today,{noun}\n"
    for n, verb in enumerate(("cancel", "explain the state of", "repeat", "where is"))
    for noun in ("order", "subscription")
)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS + "CANCEL my order  today,order\nbroken\n", encoding="utf-8")
    return path


def test_check_prints_one_report(takeroot: Run, rows: Path) -> None:
    ran = takeroot("data", "check", rows, "--json", "--model", "none")

    assert (ran.code, ran.json["rows_in"], ran.json["kept"], ran.json["rejected"]) == (0, 10, 9, 1)
    assert {issue["kind"] for issue in ran.json["issues"]} >= {"rejected", "duplicates"}
    assert "label column is 'label', by its name" in ran.err


def test_check_shows_rows_to_people(takeroot: Run, rows: Path) -> None:
    ran = takeroot("data", "check", rows, "--model", "none")

    assert "10 rows, 9 kept, 1 rejected; task classify, 2 labels" in ran.out
    assert "line 10" in ran.out


def test_check_ends_with_two_where_training_would_be_refused(takeroot: Run, rows: Path) -> None:
    rows.write_text("text,label\na b c,x\nd e f,x\n")

    ran = takeroot("data", "check", rows, "--json", "--model", "none")

    assert (ran.code, ran.json["issues"][0]["kind"]) == (2, "single_class")


def test_check_compares_with_a_test_file(takeroot: Run, rows: Path, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("text,label\nCANCEL MY ORDER TODAY,order\n")

    ran = takeroot("data", "check", rows, "--test", tmp_path / "test.csv", "--json")

    assert "leakage" in {issue["kind"] for issue in ran.json["issues"]}


def test_check_writes_the_rejects(takeroot: Run, rows: Path, tmp_path: Path) -> None:
    takeroot("data", "check", rows, "--rejects", tmp_path / "rejects.csv", "--model", "none")

    assert (tmp_path / "rejects.csv").read_text().splitlines()[1].startswith("11,has 1 of")


def test_check_ranks_label_errors(takeroot: Run, tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    labels = ["money" if i % 2 else "parcel" for i in range(60)]
    texts = [f"about my {label} number {i}" for i, label in enumerate(labels)]
    labels[7] = "parcel"
    path = tmp_path / "a.jsonl"
    pairs = zip(texts, labels, strict=True)
    path.write_text("\n".join(json.dumps({"text": a, "label": b}) for a, b in pairs))

    ran = takeroot("data", "check", path, "--label-errors", "--json", "--model", "none")

    found = [issue for issue in ran.json["issues"] if issue["kind"] == "label_errors"]
    assert found[0]["rows"][0]["source"] == "a.jsonl:8"


def test_fix_lists_what_it_leaves_out(takeroot: Run, rows: Path, tmp_path: Path) -> None:
    ran = takeroot("data", "fix", rows, "-o", tmp_path / "out.csv", "--yes", "--json")

    assert (ran.json["rows_in"], ran.json["rows_out"]) == (10, 8)
    assert ran.json["dropped"] == {"duplicates": 1, "rejected": 1}
    assert "drop rows.csv:10 (duplicates): same as rows.csv:2" in ran.err
    assert [row.values for row in read(tmp_path / "out.csv").rows] == [
        row.values for row in read(rows).rows[:8]
    ]


def test_fix_keeps_the_list_beside_the_copy(takeroot: Run, rows: Path, tmp_path: Path) -> None:
    takeroot("data", "fix", rows, "-o", tmp_path / "out.csv", "--yes")

    listing = list(csv.DictReader((tmp_path / "out.csv.changes.csv").read_text().splitlines()))
    assert [(row["line"], row["kind"]) for row in listing] == [
        ("10", "duplicates"),
        ("11", "rejected"),
    ]


def test_fix_asks_and_writes_nothing_on_a_no(
    takeroot: Run, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.confirm", lambda *words, **options: False)
    before = sorted(tmp_path.iterdir())

    ran = takeroot("data", "fix", rows, "-o", tmp_path / "out.csv")

    assert ran.code == 130
    assert sorted(tmp_path.iterdir()) == before


def test_fix_overwrites_nothing(takeroot: Run, rows: Path) -> None:
    ran = takeroot("data", "fix", rows, "-o", rows, "--yes")

    assert (ran.code, "is already there" in ran.err) == (1, True)


def test_convert_writes_files_by_split(takeroot: Run, tmp_path: Path) -> None:
    source = tmp_path / "data_full.json"
    source.write_text('{"train": [["hi", "greet"]], "oos_test": [["who won", "oos"]]}')

    ran = takeroot("data", "convert", "clinc", source, "-o", tmp_path / "out", "--json")

    assert ran.json["rows"] == {"train.csv": 1, "out_of_scope_test.csv": 1}


def test_an_unknown_layout_names_the_known_ones(takeroot: Run, rows: Path, tmp_path: Path) -> None:
    ran = takeroot("data", "convert", "xml", rows, "-o", tmp_path / "out")

    assert (ran.code, "clinc, goemotions, sentfin, weibo" in ran.err) == (1, True)


@pytest.mark.parametrize("command", ["check", "fix"])
def test_a_file_that_cannot_be_read_is_one_line(
    takeroot: Run, tmp_path: Path, command: str
) -> None:
    more = ["-o", tmp_path / "out.csv"] if command == "fix" else []

    ran = takeroot("data", command, tmp_path / "none.csv", *more)

    assert (ran.code, ran.err.count("\n"), "no such file" in ran.err) == (1, 1, True)
