"""The page of a model that writes."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.card import render_card
from takeroot.evaluate.report import render_report

FIGURES = {"metric": "rouge_l", "n": 40, "rouge_l": 0.31, "bleu": 0.12, "loss": 1.5}
FIGURES |= {"perplexity": 4.48, "intervals": {"rouge_l": [0.28, 0.34]}}


def evidence(**changes: Any) -> dict[str, Any]:
    gain = {"rouge_l": {"change": 0.11, "interval": [0.07, 0.15]}}
    gain |= {"bleu": {"change": 0.01, "interval": [-0.02, 0.04]}}
    gain |= {"loss": {"change": -0.7, "interval": [-0.8, -0.6]}}
    variant = {"precision": "int8", "tokens_per_s": 46.0, "metric": 0.22, "drop": 0.001}
    return {
        "fit": {"name": "titles", "task": "generate", "method": "lora", "model": "tiny"},
        "metrics": {"test": FIGURES, "before": {**FIGURES, "rouge_l": 0.2}, "gain": gain},
        "parity": {
            "token_agreement": 0.991,
            "answer_agreement": 0.9,
            "tokens": 1000,
            "answers": 32,
            "precision": "int8",
            "variants": [variant],
        },
        "answers": [{"prompt": "<b>p</b>", "reference": "r1", "answer": "a1", "before": "b1"}],
        **changes,
    }


def test_before_and_after_stand_side_by_side() -> None:
    page = render_report(evidence())

    assert "Before and after training" in page
    assert "Better by more than chance: ROUGE-L, loss." in page
    assert "+11.0" in page
    assert "+7.0 to +15.0" in page


def test_answers_are_shown_as_text() -> None:
    page = render_report(evidence())

    assert "&lt;b&gt;p&lt;/b&gt;" in page
    assert all(each in page for each in ("r1", "a1", "b1"))


def test_the_served_file_is_compared_token_by_token() -> None:
    page = render_report(evidence())

    assert "99.10\u00a0% as well" in page
    assert "Tokens a second" in page


def test_a_page_without_test_rows_leaves_the_change_out() -> None:
    page = render_report(evidence(metrics={"valid": FIGURES, "test": None, "gain": None}))

    assert "Before and after training" not in page
    assert "ROUGE-L" in page


def test_the_card_tells_what_training_has_changed() -> None:
    card = render_card(evidence())

    assert "- ROUGE-L: +11.0 points (+7.0 to +15.0)" in card
    assert "- int8: 46 tokens a second" in card
