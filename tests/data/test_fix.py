"""What a repair lists and what it leaves."""

from __future__ import annotations

import csv

from takeroot.data import build, infer, read_object
from takeroot.data.fix import apply, plan, write_changes


def fixed(rows, test=None, **options):
    """The listed changes as (line, action, kind), and the rows that remain."""
    table = read_object(rows, name="a.csv")
    made = build(table, infer(table))
    if test is not None:
        tested = read_object(test, name="t.csv")
        options["test"] = build(tested, infer(tested))
    changes = plan(table, made, **options)
    left = apply(table, made.columns, changes)
    return [(c.line, c.action, c.kind) for c in changes], [(r.line, r.values) for r in left]


def row(text, label="x", **more):
    return {"text": text, "label": label, **more}


KEPT = [row("one text", id=1), row("another text", "y", id=2)]


def test_clean_rows_are_left_as_they_are():
    assert fixed(KEPT) == ([], [(1, KEPT[0]), (2, KEPT[1])])


def test_later_copies_are_dropped():
    changes, left = fixed([*KEPT, row("ONE  text"), row("one text")])

    assert changes == [(3, "drop", "duplicates"), (4, "drop", "duplicates")]
    assert [line for line, _ in left] == [1, 2]


def test_the_more_frequent_label_of_a_text_stays():
    changes, left = fixed([*KEPT, row("z z", "x"), row("z z", "y"), row("z z", "y")])

    assert changes == [
        (3, "drop", "conflicting_labels"),
        (5, "drop", "duplicates"),
    ]
    assert [line for line, _ in left] == [1, 2, 4]


def test_on_a_tie_no_row_of_the_text_stays():
    changes, _ = fixed([*KEPT, row("z z", "x"), row("z z", "y")])

    assert changes == [(3, "drop", "conflicting_labels"), (4, "drop", "conflicting_labels")]


def test_rows_of_the_test_file_are_dropped_from_training():
    assert fixed(KEPT, test=[row("Another Text", "y"), row("new", "x")])[0] == [
        (2, "drop", "leakage")
    ]


def test_unusable_rows_and_placeholders_are_dropped():
    changes, left = fixed([*KEPT, row(None), row("n/a"), row("text", None)])

    assert [kind for _, _, kind in changes] == ["rejected", "placeholder", "rejected"]
    assert len(left) == 2


def test_a_label_gets_its_commonest_spelling_before_copies_are_compared():
    rows = [row("a b", "Refund"), row("c d", "Refund"), row("e f", "refund "), row("A B", "REFUND")]

    changes, left = fixed([*rows, KEPT[1]])

    assert changes == [(3, "relabel", "label_spelling"), (4, "drop", "duplicates")]
    assert [values["label"] for _, values in left] == ["Refund", "Refund", "Refund", "y"]


def test_lists_of_labels_stay_lists():
    rows = [row("a b", ["Joy"]), row("c d", ["Joy", "fear"]), row("e f", ["joy", "fear"])]

    assert fixed(rows)[1][2][1]["label"] == ["Joy", "fear"]


def test_near_duplicates_are_dropped_only_on_request():
    rows = [*KEPT, row("please cancel my order now"), row("please cancel my order now!")]

    assert fixed(rows)[0] == []
    assert fixed(rows, near=True)[0] == [(4, "drop", "near_duplicates")]


def test_near_duplicates_with_another_label_are_never_dropped():
    rows = [*KEPT, row("please cancel my order now"), row("please cancel my order, now", "y")]

    assert fixed(rows, near=True)[0] == []


def test_no_column_and_no_row_is_lost_otherwise():
    rows = [row(f"text {i} {'abcdefghij'[i] * 7}", "xy"[i % 2], id=i, note=None) for i in range(10)]

    assert [values for _, values in fixed(rows)[1]] == rows


def test_changes_are_written_as_csv(tmp_path):
    table = read_object([*KEPT, KEPT[0]], name="a.csv")

    write_changes(plan(table, build(table, infer(table))), tmp_path / "c.csv")

    assert list(csv.reader((tmp_path / "c.csv").read_text().splitlines())) == [
        ["line", "action", "kind", "reason"],
        ["3", "drop", "duplicates", "same as a.csv:1"],
    ]
