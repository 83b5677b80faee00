"""What a log says of an error nobody foresaw: its type and where it was, never its message.

A message may quote the text that caused it; lines of our code cannot.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath

_FRAMES = 8


def place(error: BaseException) -> str:
    """The error's type and the lines it went through, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    lines = [f"{PurePath(each.filename).name}:{each.lineno}" for each in reversed(frames)]
    return f"{type(error).__name__} at {' < '.join(lines)}"
