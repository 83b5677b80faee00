"""The commands with models that write texts."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot import load

Run = Callable[..., Any]
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    path = tmp_path / "asked.jsonl"
    rows = [{"text": "hello world", "label": "hello"}, {"text": "", "label": "x"}]
    rows += [{"text": "where is my parcel 你好", "label": "我要退款"}] * 3
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["talk_bundle", "turn_bundle"])
def test_a_file_is_answered_row_by_row(takeroot: Run, kind, asked, tmp_path, request) -> None:
    bundle = request.getfixturevalue(kind)

    ran = takeroot("predict", bundle, asked, "-o", tmp_path / "out.csv", "--json")

    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (ran.code, ran.json["rows_out"], ran.json["abstained"]) == (0, 5, 1)
    assert rows[0]["predicted"] == load(bundle).predict(["hello world"])[0].text
    assert rows[1]["reason"] == "empty_text"


def test_chats_in_a_column_are_answered(takeroot: Run, talk_bundle: Path, tmp_path: Path) -> None:
    chats = [CHAT, [*CHAT, {"role": "assistant", "content": "old"}], CHAT[:1], [{"role": "x"}]]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))

    takeroot("predict", talk_bundle, path, "--text", "messages", "-o", tmp_path / "out.jsonl")

    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = load(talk_bundle).predict([CHAT])[0].text
    assert [row["predicted"] for row in rows] == [expected, expected, None, None]
    assert [row["reason"] for row in rows][2:] == ["bad_chat", "bad_chat"]


def test_answers_are_as_long_as_asked_for(takeroot: Run, turn_bundle, asked, tmp_path) -> None:
    out = tmp_path / "out.jsonl"

    ran = takeroot("predict", turn_bundle, asked, "-o", out, "--max-new-tokens", 2)

    first = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert ran.code == 0
    assert (
        first["predicted"] == load(turn_bundle).predict(["hello world"], max_new_tokens=2)[0].text
    )


def test_models_of_labels_take_no_limit(takeroot: Run, shop_bundle, shop_csv, tmp_path) -> None:
    ran = takeroot(
        "predict", shop_bundle, shop_csv, "-o", tmp_path / "o.csv", "--max-new-tokens", 2
    )

    assert ran.code == 1
    assert "max_new_tokens: for models that write texts" in ran.err


def test_figures_come_with_intervals_gates_and_a_comparison(
    takeroot: Run, talk_bundle: Path, asked: Path
) -> None:
    words = ("evaluate", talk_bundle, asked, "--against", talk_bundle, "--gate", "rouge_l>=0.99")

    ran = takeroot(*words, "--json")

    assert ran.code == 2
    assert (ran.json["task"], ran.json["n"], ran.json["rejected"]) == ("generate", 4, 1)
    assert len(ran.json["intervals"]["chrf"]) == 2
    assert ran.json["against"]["verdict"].startswith("No clear difference")
    assert "rouge_l>=0.99 is not met" in ran.err


def test_figures_are_printed(takeroot: Run, turn_bundle: Path, asked: Path) -> None:
    ran = takeroot("evaluate", turn_bundle, asked)

    assert ran.code == 0
    assert "rouge_l" in ran.out


def test_rows_out_of_scope_are_for_labels(takeroot: Run, talk_bundle: Path, asked: Path) -> None:
    ran = takeroot("evaluate", talk_bundle, asked, "--out-of-scope", "odd")

    assert ran.code == 1
    assert "a model that writes has no labels" in ran.err


def test_a_bundle_that_writes_is_verified(takeroot: Run, talk_bundle: Path) -> None:
    assert takeroot("verify", talk_bundle, "--json").json["name"] == "talk"


def test_probabilities_are_for_labels(talk_bundle: Path) -> None:
    with pytest.raises(ValueError, match="predict_proba: not for task generate"):
        load(talk_bundle).predict_proba(["hello"])


def test_a_stream_from_python_is_the_answer(talk_bundle: Path) -> None:
    model = load(talk_bundle)

    assert "".join(model.stream(CHAT)) == model.predict([CHAT])[0].text
    assert model.evaluate([{"text": "hello", "label": "x"}])["rouge_l"] == 0.0
