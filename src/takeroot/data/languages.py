"""In which scripts texts are written, by the Unicode block of their letters.

Scripts are counted, not languages: that needs no model, is exact, and tells what matters for the
choice of a model, whose tokenizer reads some scripts and not others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

# First code point of each run of a script; a run ends where the next one begins.
RUNS = (
    (0x0000, ""),
    (0x0041, "Latin"),
    (0x0250, ""),
    (0x0370, "Greek"),
    (0x0400, "Cyrillic"),
    (0x0530, "Armenian"),
    (0x0590, "Hebrew"),
    (0x0600, "Arabic"),
    (0x0780, ""),
    (0x0900, "Devanagari"),
    (0x0980, "Bengali"),
    (0x0A00, "other"),
    (0x0B80, "Tamil"),
    (0x0C00, "other"),
    (0x0E00, "Thai"),
    (0x0E80, "other"),
    (0x10A0, "Georgian"),
    (0x1100, "Hangul"),
    (0x1200, "other"),
    (0x1E00, "Latin"),
    (0x1F00, "Greek"),
    (0x2000, ""),
    (0x3040, "Kana"),
    (0x3100, "Han"),
    (0x3130, "Hangul"),
    (0x3190, ""),
    (0x3400, "Han"),
    (0xA000, "other"),
    (0xAC00, "Hangul"),
    (0xD7B0, ""),
    (0xF900, "Han"),
    (0xFB00, "Latin"),
    (0xFB13, "Armenian"),
    (0xFB1D, "Hebrew"),
    (0xFB50, "Arabic"),
    (0xFE00, ""),
    (0xFE70, "Arabic"),
    (0xFEFF, ""),
    (0xFF21, "Latin"),
    (0xFF66, "Kana"),
    (0xFFA0, "Hangul"),
    (0xFFE0, ""),
    (0x20000, "Han"),
    (0x40000, ""),
)
STARTS = tuple(start for start, _ in RUNS)
NONE = "none"


def script_of(text: str) -> str:
    """The script of most letters; ``none`` without letters. Kana wins over Han (Japanese)."""
    if text.isascii():
        return "Latin" if any(map(str.isalpha, text)) else NONE
    counts: Counter[str] = Counter()
    for character, times in Counter(text).items():
        if character.isalpha():
            counts[RUNS[bisect_right(STARTS, ord(character)) - 1][1] or "other"] += times
    if counts["Kana"]:
        counts["Kana"] += counts["Han"]
    return max(sorted(counts), key=lambda script: counts[script]) if counts else NONE


def script_shares(texts: Iterable[str]) -> dict[str, float]:
    """Share of the texts by script, the largest first."""
    counts = Counter(script_of(text) for text in texts)
    total = counts.total()
    return {script: times / total for script, times in counts.most_common()}
