from dataclasses import dataclass

import numpy as np
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from takeroot.metrics.spans import entity_counts, entity_f1, triples


@dataclass
class Piece:
    start: int
    end: int
    label: str


def random_tags(generator, length=12):
    tags, last = [], "O"
    for choice in generator.integers(0, 4, length):
        inside = last != "O" and choice == 3
        tags.append(f"I-{last}" if inside else ("O", "B-x", "B-y", "O")[choice])
        last = tags[-1][2:] or "O"
    return tags


def spans(tags):
    found = []
    for place, tag in enumerate(tags):
        if tag[0] == "B":
            found.append(Piece(place, place + 1, tag[2:]))
        elif tag[0] == "I":
            found[-1].end = place + 1
    return triples(found)


@pytest.fixture
def corpus():
    generator = np.random.default_rng(0)
    return [[random_tags(generator) for _ in range(60)] for _ in range(2)]


def test_scores_equal_strict_seqeval(corpus):
    gold, predicted = corpus

    counts = entity_counts(list(map(spans, gold)), list(map(spans, predicted)), ("x", "y"))
    total = [table.sum() for table in (counts.hits, counts.predicted, counts.gold)]

    strict = {"mode": "strict", "scheme": IOB2}
    assert total[0] / total[1] == pytest.approx(precision_score(gold, predicted, **strict))
    assert total[0] / total[2] == pytest.approx(recall_score(gold, predicted, **strict))
    assert entity_f1(list(map(spans, gold)), list(map(spans, predicted))) == pytest.approx(
        f1_score(gold, predicted, **strict)
    )


def test_an_entity_with_a_wrong_end_is_a_miss_and_a_false_alarm():
    gold, predicted = [triples([Piece(0, 4, "x")])], [triples([Piece(0, 5, "x")])]

    counts = entity_counts(gold, predicted, ("x",))

    assert (counts.hits.sum(), counts.predicted.sum(), counts.gold.sum()) == (0, 1, 1)


def test_an_entity_said_twice_counts_once():
    assert len(triples([Piece(0, 4, "x"), Piece(0, 4, "x")])) == 1


def test_rows_without_entities_give_zero_not_an_error():
    assert entity_f1([frozenset()], [frozenset()]) == 0.0
