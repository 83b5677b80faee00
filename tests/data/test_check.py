"""What a check reports, issue by issue, on small files made to have it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from takeroot.data import build, infer, read, read_object
from takeroot.data.check import check

NOUNS = ("card", "account", "transfer", "password", "statement", "refund", "loan", "cheque")
ACTS = ("where do I find", "please explain", "someone stole", "I cannot open", "why is there no")


def clean(count=40):
    """Rows that nothing is wrong with: two labels, no text like another."""
    return [
        {"text": f"{ACTS[i % 5]} {NOUNS[i // 5]} {'abcdefgh'[i // 5] * 9}", "label": "xy"[i % 2]}
        for i in range(count)
    ]


def dataset(rows, name="a.csv", **columns):
    table = read_object(rows, name=name)
    return build(table, infer(table, **columns))


def issues(rows, test=None, task=None, **options):
    tested = None if test is None else dataset(test, "t.csv", task=task)
    report = check(dataset(rows, task=task), test=tested, **options)
    return {issue.kind: issue for issue in report.issues}


def test_clean_rows_have_no_issue():
    assert issues(clean()) == {}


def test_clean_rows_have_no_false_leakage():
    assert issues(clean()[:20], test=clean()[20:]) == {}


def test_copies_are_duplicates_after_normalisation():
    found = issues([*clean(), {"text": clean()[0]["text"].upper() + " ", "label": "x"}])

    assert [(row.source, row.note) for row in found["duplicates"].rows] == [
        ("a.csv:41", "same as a.csv:1")
    ]


def test_one_conflict_in_fifty_rows_is_an_error_and_in_two_hundred_a_warning():
    def level(count):
        rows = [{"text": f"{i:04}" * 5, "label": "xy"[i % 2]} for i in range(count)]
        rows.append({**rows[0], "label": "y"})
        return issues(rows)["conflicting_labels"].level

    assert (level(50), level(200)) == ("error", "warn")


def test_conflicting_rows_say_what_else_they_are_labelled():
    rows = [*clean(), *({**clean()[0], "label": "y"} for _ in range(2))]

    conflict = issues(rows)["conflicting_labels"]

    assert conflict.count == 3
    assert conflict.rows[0].note == "labelled 'x', elsewhere 'y' x 2"


def test_near_duplicates_name_the_earlier_row_and_whether_the_label_differs():
    near = issues([*clean(), {"text": clean()[0]["text"] + "b", "label": "y"}])["near_duplicates"]

    assert near.rows[0].source == "a.csv:41"
    assert near.rows[0].note.endswith("from a.csv:1, other label")


def test_leakage_is_found_exactly_and_nearly():
    copy, near = clean()[3], clean()[7]
    test = [{**copy, "text": copy["text"].title()}, {**near, "text": near["text"] + "!"}]

    found = issues(clean(), test=[*test, *clean()[:0]])

    assert [(row.source, row.note) for row in found["leakage"].rows] == [
        ("t.csv:1", "same as a.csv:4")
    ]
    assert [row.source for row in found["near_leakage"].rows] == ["t.csv:2"]


def test_one_label_only_is_an_error():
    assert issues([{**row, "label": "x"} for row in clean()])["single_class"].level == "error"


def test_a_class_with_one_row_is_an_error_that_names_it():
    found = issues([*clean(), {"text": "good morning to everybody", "label": "lonely"}])

    assert found["single_row_class"].level == "error"
    assert "'lonely'" in found["single_row_class"].message
    assert found["single_row_class"].rows[0].source == "a.csv:41"


def test_rare_classes_and_imbalance_are_warnings():
    rows = [{"text": f"{i:04}" * 5, "label": "rare" if i < 3 else "common"} for i in range(300)]

    found = issues(rows)

    assert (found["rare_class"].level, found["imbalance"].level) == ("warn", "warn")


def test_labels_that_differ_in_case_or_blanks_are_shown_together():
    rows = [*clean(), {"text": "good morning to everybody", "label": "X"}]

    assert issues(rows)["label_spelling"].rows[0].note == "'X', elsewhere 'x'"


def test_labels_of_the_test_rows_are_compared():
    found = issues(clean(), test=[{"text": "good morning to everybody", "label": "z"}])

    assert (found["unknown_label"].level, found["empty_class"].level) == ("error", "warn")
    assert "'z'" in found["unknown_label"].message


@pytest.mark.parametrize("text", ["N/A", " null ", "None", "-", "无"])
def test_placeholders_are_counted(text):
    assert issues([*clean(), {"text": text, "label": "x"}])["placeholder"].count == 1


def test_rejected_rows_are_counted_by_reason(file):
    table = read(file("a.csv", "text,label\n" + "a b c d e,x\nf g h i j,y\n" * 2 + "only\n,x\n"))

    report = check(build(table, infer(table)))

    rejected = next(issue for issue in report.issues if issue.kind == "rejected")
    assert (report.rows_in, report.kept, report.rejected) == (6, 4, 2)
    assert "1 x has 1 of the header's 2 columns" in rejected.message


def test_label_errors_are_ranked_from_the_given_probabilities():
    rows = clean()
    given = np.array(["xy".index(row["label"]) for row in rows])
    p = np.eye(2)[given] * 0.9 + 0.05
    rows[5]["label"] = "x"

    found = issues(rows, probabilities=p)["label_errors"]

    assert [(row.source, row.note) for row in found.rows] == [
        ("a.csv:6", "labelled 'x', rather 'y'")
    ]


def test_personal_data_is_counted_and_never_shown():
    report = check(dataset([*clean(), {"text": "write to ann@example.com please", "label": "x"}]))

    assert report.personal_data["email"] == 1
    assert "example.com" not in json.dumps(report.to_json())


def test_several_scripts_are_mentioned():
    rows = [*clean(), *({"text": c * 9, "label": "x"} for c in "我的卡还没有到")]

    assert "Latin 85%, Han 15%" in issues(rows)["language_mix"].message


def test_errors_come_first():
    rows = [*clean(), {"text": "good morning to everybody", "label": "lonely"}, clean()[0]]

    levels = [issue.level for issue in check(dataset(rows)).issues]

    assert levels == sorted(levels, key=["error", "warn", "info"].index)


def test_the_report_is_json_with_the_promised_keys():
    report = check(dataset(clean()), test=dataset(clean()[:3], "t.csv")).to_json()

    assert json.loads(json.dumps(report)) == report
    assert {"rows_in", "kept", "rejected", "classes", "length", "issues", "languages"} <= set(
        report
    )
    assert report["classes"] == {"x": 20, "y": 20}


def test_entities_are_checked_without_the_rules_for_single_labels():
    rows = [{"text": f"{i:04} " * 4, "entities": [[0, 4, "X"]]} for i in range(20)]

    assert set(issues(rows, task="tag")) <= {"near_duplicates"}
