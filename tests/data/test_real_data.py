"""Published data sets as they are; skipped where they are not at hand."""

from __future__ import annotations

import pytest

from takeroot.data import build, infer, label_names, read
from takeroot.data.convert import CONVERTERS
from takeroot.errors import DataError

BITEXT = "20000-Utterances-Training-dataset-for-chatbots-virtual-assistant-Bitext-sample.csv"


def made(path, header=None, **columns):
    table = read(path, header=header)
    return build(table, infer(table, **columns))


@pytest.mark.parametrize(
    ("name", "header", "task", "rows", "labels"),
    [
        ("banking77/train.csv", None, "classify", 10_003, 77),
        ("banking77/test.csv", None, "classify", 3_080, 77),
        ("goemotions/train.tsv", ["text", "labels", "id"], "multilabel", 43_410, 28),
        ("wnut17/wnut17train.conll", None, "tag", 3_394, 6),
        ("wnut17/emerging.dev.conll", None, "tag", 1_009, 6),
        ("wnut17/emerging.test.annotated", None, "tag", 1_287, 6),
        ("csl_category_zh/train.tsv", ["name", "text", "label"], "classify", 8_000, 13),
        (f"bitext_customer_support/{BITEXT}", None, "classify", 21_534, 27),
        ("pawsx_zh/dev_2k.tsv", None, "pair", 2_000, 2),
        ("cold_offensive_zh/dev.csv", None, "classify", 6_431, 2),
    ],
)
def test_every_row_is_read_and_the_task_is_told(real, name, header, task, rows, labels):
    data = made(real(name), header)

    assert (len(data.examples), data.rows_in, data.rejects) == (rows, rows, ())
    assert (data.columns.task, len(label_names(data.examples))) == (task, labels)


@pytest.mark.parametrize("name", ["goemotions/train.tsv", "csl_category_zh/train.tsv"])
def test_a_missing_header_is_noticed(real, name):
    with pytest.raises(DataError, match="first row seems to be data"):
        made(real(name))


def test_entities_of_wnut17_are_as_many_as_published(real):
    files = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")

    counts = [sum(len(e.label) for e in made(real(f"wnut17/{f}")).examples) for f in files]

    assert sum(counts) == 1_559 + 772 + 468 + 387 + 383 + 321


def test_clinc150_is_converted_by_split(real, tmp_path):
    written = CONVERTERS["clinc"]([real("clinc150/data_full.json")], tmp_path)

    assert written == {
        "train.csv": 15_000,
        "valid.csv": 3_000,
        "test.csv": 4_500,
        "out_of_scope_train.csv": 100,
        "out_of_scope_valid.csv": 100,
        "out_of_scope_test.csv": 1_000,
    }
    assert len(label_names(made(tmp_path / "train.csv").examples)) == 150


def test_sentfin_is_converted_to_every_published_entity(real, tmp_path):
    assert CONVERTERS["sentfin"]([real("sentfin/SEntFiN.csv")], tmp_path) == {"pairs.csv": 14_405}

    labels = [e.label for e in made(tmp_path / "pairs.csv").examples]
    assert [labels.count(n) for n in ("neutral", "positive", "negative")] == [5_517, 5_074, 3_814]


def test_goemotions_is_converted_to_the_published_counts(real, tmp_path):
    files = [real(f"goemotions/{name}.tsv") for name in ("train", "dev", "test")]

    CONVERTERS["goemotions"](files, tmp_path)

    parts = [made(tmp_path / f"{name}.csv").examples for name in ("train", "dev", "test")]
    assert sum("grief" in e.label for part in parts for e in part) == 96
    assert sum("neutral" in e.label for part in parts for e in part) == 17_772
