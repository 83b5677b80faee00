"""Which rows a bundle is scored on, and what stands between their labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from takeroot.bundle import Spec, load_predictor
from takeroot.data import read_object
from takeroot.errors import DataError
from takeroot.scoring import against, joined, labelled, score

TOPICS = ("price, and value", "screen", "sound")


def topics_of(cells: list[str]) -> list[object]:
    """The labels read from a file of a multilabel bundle that knows ``TOPICS``."""
    spec = Spec.model_validate(
        {"name": "t", "task": "multilabel", "labels": TOPICS, "runtime": "linear"}
    )
    table = read_object([{"text": f"text {cell}", "topics": cell} for cell in cells])
    return [row.label for row in labelled(spec, table, {"label": "topics"}).examples]


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("screen|sound", ("screen", "sound")),
        ("screen; sound", ("screen", "sound")),
        ("price, and value", ("price, and value",)),
        ("price, and value|sound", ("price, and value", "sound")),
    ],
)
def test_labels_are_parted_by_what_leaves_known_ones(cell: str, names: tuple[str, ...]) -> None:
    assert topics_of([cell, "screen"])[0] == names


def test_columns_of_the_training_are_used_without_being_named(shop_bundle: Path) -> None:
    rows = [{"note": "a longer text by far", "text": "refund", "intent": "refund", "kind": "b"}]

    found = score(load_predictor(shop_bundle), read_object(rows), {})

    assert found.rows.inputs == ["refund"]
    assert found.evaluation.scores["accuracy"] == 1.0


def test_bundles_scored_on_other_rows_are_not_compared(
    shop_bundle: Path, shop_rows: list[dict[str, str]]
) -> None:
    predictor = load_predictor(shop_bundle)
    scored = [score(predictor, read_object(rows), {}) for rows in (shop_rows, shop_rows[1:])]

    with pytest.raises(DataError, match="the same rows"):
        against(*scored)


def test_joined_tables_keep_their_count(shop_rows: list[dict[str, str]]) -> None:
    both = joined(read_object(shop_rows), read_object(shop_rows))

    assert (len(both.rows), both.rows_in) == (18, 18)
