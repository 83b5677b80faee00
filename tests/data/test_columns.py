"""Inferred columns and tasks, and what is said about them."""

from __future__ import annotations

import pytest

from takeroot.data import infer, read, read_object
from takeroot.errors import DataError


def table(n=40, **columns):
    return read_object([{name: make(i) for name, make in columns.items()} for i in range(n)])


def text(i):
    return f"this is the text of message number {i}"


def label(i):
    return ("refund", "delivery", "account")[i % 3]


def number(i):
    return i % 4


def test_known_names_are_taken_in_any_case():
    columns = infer(table(ID=number, Utterance=text, Category=label))

    assert (columns.task, columns.text, columns.label) == ("classify", "Utterance", "Category")
    assert columns.notes == (
        "label column is 'Category', by its name",
        "text column is 'Utterance', by its name",
        "task is classify: column 'Category' holds one label a row",
    )


def test_unknown_names_are_told_by_their_values():
    columns = infer(table(a=number, b=label, c=text))

    assert (columns.text, columns.label) == ("c", "b")
    assert "the only one whose values repeat" in columns.notes[0]
    assert "longest values" in columns.notes[1]


def test_a_second_column_that_could_be_the_label_is_mentioned():
    columns = infer(table(text=text, category=label, intent=label))

    assert columns.label == "intent"
    assert "so could 'category' be" in columns.notes[0]


def test_two_columns_that_could_be_the_label_are_an_error():
    with pytest.raises(DataError, match="'a', 'b' could each be one; name it with label"):
        infer(table(a=label, b=label, text=text))


def test_numbers_are_no_labels_unless_their_column_is_named_so():
    with pytest.raises(DataError, match="no label column found: none repeats"):
        infer(table(words=number, text=text))

    assert infer(table(label=number, text=text)).label == "label"


def test_given_columns_win_over_known_names():
    columns = infer(
        table(text=text, title=text, label=label, mood=label), text="title", label="mood"
    )

    assert (columns.text, columns.label) == ("title", "mood")


def test_a_missing_column_names_the_nearest_one():
    with pytest.raises(DataError, match=r"no label column 'labl'; columns are: .* mean 'label'\?"):
        infer(table(text=text, label=label), label="labl")


@pytest.mark.parametrize("role", ["group", "time"])
def test_group_and_time_are_checked_and_never_inferred(role):
    rows = table(text=text, label=label, time=number, group=number)

    assert getattr(infer(rows), role) is None
    assert getattr(infer(rows, **{role: role}), role) == role
    with pytest.raises(DataError, match=f"no {role} column 'x'"):
        infer(rows, **{role: "x"})


def test_two_texts_make_a_pair():
    columns = infer(table(sentence1=text, sentence2=text, label=label))

    assert (columns.task, columns.text, columns.second) == ("pair", "sentence1", "sentence2")


def test_a_given_second_text_makes_a_pair():
    assert infer(table(text=text, other=text, label=label), second="other").task == "pair"


def test_task_pair_without_two_texts_is_an_error():
    with pytest.raises(DataError, match="task pair needs two text columns"):
        infer(table(text=text, label=label), task="pair")


def test_spans_make_a_tagging_task():
    spans = [{"start": 0, "end": 4, "label": "X"}]

    assert infer(table(text=text, entities=lambda i: spans if i else [])).task == "tag"


def test_lists_make_a_multilabel_task():
    assert infer(table(text=text, labels=lambda i: ["a", "b"][: i % 3])).task == "multilabel"


@pytest.mark.parametrize("mark", ["|", ";", ","])
def test_labels_that_also_stand_alone_are_split_at_their_separator(mark):
    cells = ("joy", "anger", f"joy{mark}anger", "fear")

    columns = infer(table(text=text, label=lambda i: cells[i % 4]))

    assert (columns.task, columns.separator) == ("multilabel", mark)


def test_a_comma_inside_a_label_is_not_a_separator():
    cells = ("Food, Drinks", "Home, Garden", "Toys")

    columns = infer(table(text=text, label=lambda i: cells[i % 3]))

    assert (columns.task, columns.separator) == ("classify", None)


def test_a_given_multilabel_task_takes_the_first_separator_there_is():
    columns = infer(table(text=text, label=lambda i: ("a;b", "c;d")[i % 2]), task="multilabel")

    assert columns.separator == ";"


@pytest.mark.parametrize("row", ["太平天国考\t历史学", "my favourite food\t27"])
def test_a_first_row_of_data_is_shown_and_asked_to_be_named(file, row):
    rows = "".join(f"文章{i}\t{'历史学' if i % 2 else '法学'}\n" for i in range(20))

    with pytest.raises(DataError, match=r"a\.tsv:1: the first row seems to be data.*--header"):
        infer(read(file("a.tsv", f"{row}\n{rows}")))


def test_a_header_is_not_suspected_when_both_columns_are_given(file):
    path = file("a.csv", "0,1\nfirst text,x\nsecond text,y\n")

    assert infer(read(path), text="0", label="1").task == "classify"


def test_unlabelled_rows_need_no_label():
    columns = infer(table(text=text), labelled=False)

    assert (columns.text, columns.label) == ("text", None)


def test_an_unknown_task_is_refused():
    with pytest.raises(DataError, match="'translate' is not one of: classify"):
        infer(table(text=text, label=label), task="translate")


def test_a_table_without_columns_is_an_error():
    with pytest.raises(DataError, match="no label column found"):
        infer(read_object([]))
