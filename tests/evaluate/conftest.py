"""Evidence as a bundle holds it, small and made up, with Chinese and hostile texts in it."""

from copy import deepcopy

import pytest

from takeroot.bundle.answer import Answer
from takeroot.evaluate import evaluate

LABELS = ("退款", "card_lost", "<b>loan</b>")


def answer(label, confidence):
    return Answer(label=label, confidence=confidence, probabilities={label: confidence})


@pytest.fixture(scope="session")
def evaluation():
    gold = list(LABELS) * 20
    given = [answer(label, 0.6 + 0.006 * row) for row, label in enumerate(gold)]
    given[1], given[2], given[4] = answer("退款", 0.9), answer("退款", 0.8), answer("退款", 0.7)
    texts = ["<script>alert(1)</script> 我的卡丢了\x00\ud800"] * 60
    return evaluate("classify", LABELS, given, gold, texts).to_json()


@pytest.fixture
def evidence(evaluation):
    return {
        "metrics": {"valid": deepcopy(evaluation), "test": deepcopy(evaluation)},
        "fit": {
            "name": "客服 <b>",
            "task": "classify",
            "method": "full",
            "model": "minilm-l6",
            "seconds": 318.4,
            "rows_train": 512,
            "rows_valid": 60,
            "rows_test": 60,
            "labels": list(LABELS),
            "precision": "int8",
            "artifact_mb": 22.93,
            "notes": ["3 texts were <cut>."],
        },
        "candidates": [
            {
                "method": "tfidf",
                "seconds": 3,
                "metric": "accuracy",
                "valid": 0.87,
                "interval": [0.84, 0.9],
                "chosen": False,
            },
            {
                "method": "full",
                "seconds": 241,
                "metric": "accuracy",
                "valid": 0.95,
                "interval": [0.93, 0.97],
                "chosen": True,
                "note": "<i>3</i> passes",
            },
        ],
        "learning_curve": {
            "metric": "accuracy",
            "points": [
                {"rows": 100, "score": 0.8, "low": 0.75, "high": 0.85},
                {"rows": 400, "score": 0.9, "low": 0.88, "high": 0.92},
            ],
            "sentence": "200 more labels would buy about 1.1 points.",
        },
        "calibration": {
            "temperature": 1.4,
            "nll_before": 0.3,
            "nll_after": 0.2,
            "ece_before": 0.05,
            "ece_after": 0.01,
        },
        "abstention": {
            "method": "energy",
            "threshold": -4.0,
            "methods": {"energy": {"auroc": 0.97, "recall_at_default": 0.7}},
            "in_scope_rejected": 0.02,
        },
        "parity": {
            "label_agreement": 0.999,
            "max_probability_difference": 0.01,
            "rows": 60,
            "precision": "int8",
            "reason": "int8 is faster & loses nothing.",
            "variants": [
                {
                    "precision": "int8",
                    "metric": 0.94,
                    "drop": 0.001,
                    "drop_interval": [-0.001, 0.003],
                    "latency_ms": 2.4,
                    "texts_per_s": 1165,
                    "pack_tokens": 96,
                    "size_mb": 22.9,
                }
            ],
        },
        "data": {
            "rows_in": 517,
            "kept": 512,
            "rejected": 5,
            "classes": {"退款": 300, "card_lost": 200, "<b>loan</b>": 12},
            "length": {
                "unit": "characters",
                "median": 9.0,
                "histogram": [
                    {"from": 1, "to": 8, "count": 200},
                    {"from": 9, "to": 16, "count": 312},
                ],
            },
            "tokens": {
                "mean": 8.2,
                "longest": 80,
                "max_tokens": 64,
                "truncated": 2,
                "unknown_share": 0.3,
            },
            "issues": [
                {
                    "kind": "conflicting_labels",
                    "level": "error",
                    "count": 3,
                    "message": "look at <3>",
                    "rows": [{"source": "train.csv:12", "note": ""}],
                },
                {"kind": "languages", "level": "info", "count": 2, "message": "two languages"},
            ],
            "languages": {"Han": 0.6, "Latin": 0.4},
            "personal_data": {"email": 4, "phone": 0},
        },
        "recipe": {"data": {"path": "train<1>.csv"}, "task": "classify"},
        "environment": {"packages": {"takeroot": "0.1.0"}, "created": "2026-01-12T08:00:00+00:00"},
        "progress": {
            "steps": [{"step": step, "loss": 2 / (1 + step), "lr": 1e-4} for step in range(300)],
            "epochs": [{"epoch": 1, "loss": 0.8, "accuracy": 0.93}],
        },
    }
