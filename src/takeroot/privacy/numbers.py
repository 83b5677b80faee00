"""What the patterns of numbers share: how groups are set apart, and what makes digits a code."""

from __future__ import annotations

GAP = r"(?: {1,2}| ?- ?| ?-?\r?\n ?)"  # what may stand between two groups of one number
_WORDS = (  # letters joined to a number make it a code, unless they end so
    "[Tt]el TEL [Pp]hone [Mm]obile [Cc]ell [Cc]all [Ff]ax [Ss]ms [Cc]ard [Ww]x [Vv]x [Ww]e[Cc]hat "
    "[Nn]o NO at and or to"
)
NO_CODE = (  # holds after the first character of a number: not 0.138..., no letters joined to it
    r"(?<![^0-9A-Za-z]0\..)(?<!\A0\..)"
    rf"(?:(?<=[+(])|(?<![A-Za-z_].)|{'|'.join(f'(?<={word}.)' for word in _WORDS.split())})"
)
