"""``takeroot predict``: input columns kept, answers beside them, whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

Run = Callable[..., Any]
ADDED = ["predicted", "confidence", "abstained", "reason"]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_answers_stand_beside_the_input(
    takeroot: Run, shop_bundle: Path, shop_csv: Path, tmp_path: Path
) -> None:
    ran = takeroot("predict", shop_bundle, shop_csv, "-o", tmp_path / "out.csv", "--json")

    written = rows_of(tmp_path / "out.csv")
    assert list(written[0]) == ["text", "intent", *ADDED]
    assert [row["predicted"] for row in written] == [row["intent"] for row in rows_of(shop_csv)]
    assert (ran.code, ran.json["rows_in"], ran.json["rows_out"]) == (0, 9, 9)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_can_be_read_again(
    takeroot: Run, shop_bundle: Path, tmp_path: Path, suffix: str
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "refund, \\"now\\"", "id": 7, "more": {"a": [1]}}\n')
    out = tmp_path / f"out.{suffix}"

    assert takeroot("predict", shop_bundle, source, "-o", out).code == 0

    from takeroot.data.read import read

    (row,) = read(out).rows
    assert row.values["text"] == 'refund, "now"'
    assert (str(row.values["id"]), row.values["predicted"]) == ("7", "refund")


def test_jsonl_keeps_the_types(takeroot: Run, shop_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "refund", "more": {"a": [1]}}\n')

    takeroot("predict", shop_bundle, tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl")

    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert row["more"] == {"a": [1]}
    assert (row["abstained"], row["reason"]) == (False, None)


def test_parquet_has_typed_columns(
    takeroot: Run, shop_bundle: Path, shop_csv: Path, tmp_path: Path
) -> None:
    takeroot("predict", shop_bundle, shop_csv, "-o", tmp_path / "out.parquet")

    schema = pyarrow.parquet.read_schema(tmp_path / "out.parquet")
    assert [str(schema.field(name).type) for name in ADDED[:3]] == ["string", "double", "bool"]


@pytest.mark.parametrize("text", ["a\rb", "a\nb", 'say "hi"', "a,b", " a ", "=1+1", "文"])
def test_texts_come_back_from_csv_as_they_were(
    takeroot: Run, shop_bundle: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": text}) + "\n")

    takeroot("predict", shop_bundle, tmp_path / "in.jsonl", "-o", tmp_path / "out.csv")

    assert [row["text"] for row in rows_of(tmp_path / "out.csv")] == [text]


def test_a_row_without_text_is_kept_and_abstained_on(
    takeroot: Run, shop_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,refund\n2,\n3,parcel\n")

    takeroot("predict", shop_bundle, tmp_path / "in.csv", "-o", tmp_path / "out.csv")

    written = rows_of(tmp_path / "out.csv")
    assert [row["id"] for row in written] == ["1", "2", "3"]
    assert (written[1]["predicted"], written[1]["reason"]) == ("", "empty_text")


def test_a_taken_column_name_is_set_apart(takeroot: Run, shop_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,confidence\nrefund,high\n")

    takeroot("predict", shop_bundle, tmp_path / "in.csv", "-o", tmp_path / "out.csv")

    (row,) = rows_of(tmp_path / "out.csv")
    assert row["confidence"] == "high"
    assert float(row["takeroot_confidence"]) > 0


def test_rows_that_cannot_be_read_are_listed(
    takeroot: Run, shop_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,refund\n2,a,b,c\n")

    ran = takeroot("predict", shop_bundle, tmp_path / "in.csv", "-o", tmp_path / "o.csv", "--json")

    assert (ran.json["rows_in"], ran.json["rows_out"], ran.json["rejected"]) == (2, 1, 1)
    assert ran.json["rejects"][0]["line"] == 3
    assert "in.csv:3: left out" in ran.err


def test_another_text_column_can_be_named(takeroot: Run, shop_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,body\n1,refund\n")

    ran = takeroot("predict", shop_bundle, tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    named = takeroot(
        "predict", shop_bundle, tmp_path / "in.csv", "-o", tmp_path / "out.csv", "--text", "body"
    )

    assert (ran.code, named.code) == (1, 0)
    assert "no column 'text'; name one with --text: id, body" in ran.err


def test_unknown_output_format_is_told_before_the_work(takeroot: Run, tmp_path: Path) -> None:
    ran = takeroot("predict", "no-bundle", "no-file", "-o", tmp_path / "out.xlsx")

    assert (
        ran.err == f"error: {tmp_path}/out.xlsx: cannot write 'xlsx'; name it with one of: "
        "csv, tsv, jsonl, parquet\n"
    )


def test_nothing_is_left_where_the_output_cannot_be_written(
    takeroot: Run, shop_bundle: Path, shop_csv: Path, tmp_path: Path
) -> None:
    ran = takeroot("predict", shop_bundle, shop_csv, "-o", tmp_path / "none" / "out.csv")

    assert ran.code == 1
    assert "none/out.csv: cannot be written" in ran.err


def test_an_interrupted_prediction_leaves_nothing(
    takeroot: Run, shop_bundle: Path, shop_csv: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("takeroot.bundle.Predictor.predict", interrupted)

    assert takeroot("predict", shop_bundle, shop_csv, "-o", tmp_path / "out.csv").code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["shop.csv"]
