from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from takeroot.data import Example, read_object
from takeroot.errors import DataError
from takeroot.search.material import gather, parts_of, tokens_to_read, unknown_share

Build = Callable[..., Any]


@pytest.fixture
def tokenizer(encoder_folder: Path) -> Tokenizer:
    """Knows the rows' words, and adds two special tokens."""
    return Tokenizer.from_file(str(encoder_folder / "tokenizer.json"))


@pytest.mark.parametrize(
    ("words", "asked", "expected"),
    [
        (20, None, 24),  # 22 tokens, the next multiple of 8
        (3, None, 16),  # the shortest
        (400, None, 64),  # all the encoder has positions for
        (20, 12, 12),
        (20, 100, 64),
    ],
)
def test_as_many_tokens_are_read_as_texts_have(
    tokenizer: Tokenizer, recipe_of: Build, words: int, asked: int | None, expected: int
) -> None:
    rows = (Example("my " * words, "a"), Example("my", "b"))

    assert tokens_to_read(recipe_of(fit={"max_tokens": asked}), tokenizer, rows, 64) == expected


def test_long_texts_are_not_read_to_the_end_unasked(tokenizer: Tokenizer, recipe_of: Build) -> None:
    rows = (Example("my " * 900, "a"),)

    assert tokens_to_read(recipe_of(), tokenizer, rows, 512) == 256


def test_unknown_tokens_are_counted(tokenizer: Tokenizer) -> None:
    rows = (Example("my card is lost", "a"), Example("我的 pin please help", "b"))

    # "is", and two Chinese characters of one each, or one word of both.
    assert unknown_share(tokenizer, rows) in (2 / 8, 3 / 9)


def test_an_unknown_label_in_the_test_rows_is_named_with_its_line(
    recipe_of: Build, shop_table: Build, log: Any
) -> None:
    test = read_object([{"text": "a", "label": "card"}, {"text": "b", "label": "cars"}], name="t")

    with pytest.raises(DataError, match=r"t:2: label 'cars' is in no training row; known: card, "):
        gather(recipe_of(), shop_table(), test, log())


def test_one_class_is_refused(recipe_of: Build, log: Any) -> None:
    table = read_object([{"text": str(k), "label": "card"} for k in range(5)], name="t")

    with pytest.raises(DataError, match="t: column 'label' holds only 'card'; need 2 or more"):
        gather(recipe_of(task="classify"), table, None, log())


def test_without_data_the_missing_key_is_named(recipe_of: Build, log: Any) -> None:
    with pytest.raises(DataError, match=r"data\.path: no labelled file was given"):
        gather(recipe_of(), None, None, log())


def test_files_are_read_as_the_recipe_says(recipe_of: Build, log: Any, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("丢卡,卡\n密码,码\n".encode("gb18030"))
    data = {"path": str(tmp_path / "t.csv"), "encoding": "gb18030", "header": ["q", "a"]}

    found = gather(recipe_of(data=data | {"text": "q", "label": "a"}), None, None, log())

    assert found.labels == ("卡", "码")
    assert [row.text for row in found.train.examples] == ["丢卡", "密码"]


def test_test_rows_are_read_by_the_training_columns(recipe_of: Build, log: Any) -> None:
    train = read_object([{"q": f"what {k}", "a": "xy"[k % 2]} for k in range(9)], name="t")
    test = read_object([{"a": "x", "other": "long text here", "q": "hi"}], name="u")

    held = gather(recipe_of(data={"text": "q", "label": "a"}), train, test, log()).test

    assert held is not None
    assert (held.examples[0].text, held.examples[0].label) == ("hi", "x")


def test_unusable_rows_are_told_with_the_first_reason(recipe_of: Build, log: Any) -> None:
    rows: list[dict[str, Any]] = [{"text": str(k), "label": "ab"[k % 2]} for k in range(6)]
    told = log()

    gather(recipe_of(), read_object([*rows, {"text": "x", "label": None}], name="t"), None, told)

    assert any(note.startswith("t: 1 of 7 rows cannot be used; line 7: ") for note in told.notes)


def test_few_rows_are_cross_validated(recipe_of: Build, shop_examples: Build) -> None:
    assert len(parts_of(recipe_of(), tuple(shop_examples(30)), "classify")) == 5


def test_many_rows_are_judged_on_repeated_held_out_parts(recipe_of: Build) -> None:
    rows = tuple(Example(f"text {k}", "ab"[k % 2]) for k in range(2500))

    parts = parts_of(recipe_of(data={"valid_share": 0.2}), rows, "classify")

    assert len(parts) == 3
    for part in parts:
        assert sorted([*part.train, *part.judge]) == list(range(2500))
        assert 0.17 < len(part.judge) / 2500 < 0.23
    judged = [row for part in parts for row in part.judge]
    assert len(set(judged)) == len(judged)


@pytest.mark.parametrize(("share", "expected"), [(0.1, 3), (0.6, 1), (0.4, 2)])
def test_no_row_is_judged_twice_however_large_the_share(
    recipe_of: Build, share: float, expected: int
) -> None:
    rows = tuple(Example(f"text {k}", "ab"[k % 2]) for k in range(2100))

    parts = parts_of(recipe_of(data={"valid_share": share}), rows, "classify")

    assert len(parts) == min(expected, int(np.ceil(3000 / (share * 2100))))


def test_very_many_rows_are_judged_on_one_part(recipe_of: Build) -> None:
    rows = tuple(Example(f"text {k}", "ab"[k % 2]) for k in range(40_000))

    assert len(parts_of(recipe_of(), rows, "classify")) == 1


def test_rows_that_are_added_move_no_row_into_another_part(recipe_of: Build) -> None:
    rows = tuple(Example(f"text {k}", "ab"[k % 2]) for k in range(2600))

    before = parts_of(recipe_of(), rows[:2500], "classify")
    after = parts_of(recipe_of(), rows, "classify")

    for old, new in zip(before, after, strict=True):
        assert set(old.judge.tolist()) == {k for k in new.judge.tolist() if k < 2500}


def test_tagged_rows_are_split_once(
    recipe_of: Build, shop_examples: Build, cue_span: Build
) -> None:
    rows = tuple(Example(row.text, (cue_span(row),)) for row in shop_examples(30))

    assert len(parts_of(recipe_of(), rows, "tag")) == 1


def test_groups_never_straddle_the_split(recipe_of: Build) -> None:
    rows = tuple(Example(str(k), "ab"[k % 2], group=f"g{k // 4}") for k in range(80))
    data = {"group": "g", "split_by": "group", "valid_share": 0.25}

    (part,) = parts_of(recipe_of(data=data), rows, "classify")

    assert not {rows[k].group for k in part.train} & {rows[k].group for k in part.judge}
    assert len(part.judge) > 0


def test_the_latest_rows_are_judged_when_split_by_time(recipe_of: Build) -> None:
    rows = tuple(Example(str(k), "ab"[k % 2], time=str(k * 7 % 50)) for k in range(50))
    data = {"time": "t", "split_by": "time", "valid_share": 0.2}

    (part,) = parts_of(recipe_of(data=data), rows, "classify")

    assert sorted(int(str(rows[k].time)) for k in part.judge) == list(range(40, 50))


def test_rows_that_cannot_be_held_out_are_refused(recipe_of: Build) -> None:
    rows = tuple(Example("same text", label, source=f"t:{k}") for k, label in enumerate("abab"))

    with pytest.raises(DataError, match="t:0: no row can be held out: all texts are the same"):
        parts_of(recipe_of(), rows, "classify")


def test_a_meaning_of_a_label_that_no_row_has_is_refused(
    recipe_of: Build, shop_table: Build, log: Any
) -> None:
    recipe = recipe_of(data={"labels": {"card": None, "purse": "a lost purse"}})

    with pytest.raises(DataError, match="'purse' is no label of rows; labels are: card, code, mon"):
        gather(recipe, shop_table(), None, log())


def test_texts_without_labels_are_read_from_their_file(
    recipe_of: Build, shop_table: Build, log: Any, tmp_path: Path
) -> None:
    (tmp_path / "more.txt").write_text("a new text\nmy lost my 0\n", encoding="utf-8")
    data = {"unlabelled": str(tmp_path / "more.txt"), "header": ["text", "label"]}
    recipe = recipe_of(data=data)

    found = gather(recipe, shop_table(), None, log())

    assert [row.text for row in found.unlabelled] == ["a new text"]  # the other is labelled
