"""The packaged demo sets: customer-service messages to a made-up online shop.

Written by hand for this project, Apache-2.0 like the rest of it. Each file is a csv with the
columns ``text`` and ``intent``:

- ``support_en_train.csv``, ``support_en_test.csv``: English, 16 intents, 32 and 8 messages each.
  Several intents lie close together (asking for a refund and asking where it is, changing an order
  and exchanging a delivered item), so that the set is small but not trivial.
- ``out_of_scope_en.csv``: 100 English messages of none of these intents, a third of them about
  shopping; ``intent`` is ``out_of_scope``. Never trained on; it tests abstention.
- ``support_zh_train.csv``, ``support_zh_test.csv``: Chinese, 10 intents, 24 and 6 messages each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OUT_OF_SCOPE = "out_of_scope"


@dataclass(frozen=True, slots=True)
class DemoSet:
    """Where one demo set lies.

    Args:
        train: The file to fit on.
        test: The file to evaluate on.
        out_of_scope: Messages that no intent of the set covers; None where there is no such file.
    """

    train: Path
    test: Path
    out_of_scope: Path | None = None


def demo_set(language: str = "en") -> DemoSet:
    """The paths of a packaged demo set.

    Args:
        language: ``en`` or ``zh``.

    Raises:
        ValueError: If there is no demo set in that language.
    """
    if language not in DEMO_SETS:
        raise ValueError(f"no demo set {language!r}; there is: {', '.join(DEMO_SETS)}")
    return DEMO_SETS[language]


_FOLDER = Path(__file__).resolve().parent

DEMO_SETS: dict[str, DemoSet] = {
    "en": DemoSet(
        train=_FOLDER / "support_en_train.csv",
        test=_FOLDER / "support_en_test.csv",
        out_of_scope=_FOLDER / "out_of_scope_en.csv",
    ),
    "zh": DemoSet(
        train=_FOLDER / "support_zh_train.csv",
        test=_FOLDER / "support_zh_test.csv",
    ),
}

__all__ = ["DEMO_SETS", "OUT_OF_SCOPE", "DemoSet", "demo_set"]
