"""How deeply JSON is nested, without parsing it: a decoder must not meet what is too deep.

A handful of passes over the bytes in C, so that a body made of brackets costs little, too.
"""

from __future__ import annotations

_QUOTE, _OPEN, _CLOSE = ord('"'), ord("{"), ord("}")
_BRACE = 32  # what makes [ and ] into { and }, and nothing else into them


def is_deeper(data: bytes, levels: int) -> bool:
    """Whether JSON has more than ``levels`` levels of lists and objects.

    What is no JSON may be called deeper than it is, never less deep than a decoder would go.
    """
    if data.count(b"[") + data.count(b"{") <= levels:
        return False
    import numpy as np  # few requests come here; a server that has none need not hold it

    plain = np.frombuffer(data.replace(b"\\\\", b"").replace(b'\\"', b""), np.uint8)
    outside = np.cumsum(plain == _QUOTE, dtype=np.uint8) & 1 == 0  # after an even number of quotes
    braces = plain | _BRACE
    steps = ((braces == _OPEN) & outside).view(np.int8) - ((braces == _CLOSE) & outside)
    return bool(np.cumsum(steps, dtype=np.int32).max(initial=0) > levels)
