"""Personal data in texts: what there is and where, and texts without it."""

from __future__ import annotations

from takeroot.privacy.find import Found, count, find
from takeroot.privacy.mask import KEY_BYTES, KINDS, Masked, Masker, MaskingError, mask
from takeroot.privacy.names import Names, read_names
from takeroot.privacy.patterns import RECOGNISERS
from takeroot.privacy.recogniser import Form, Recogniser

__all__ = [
    "KEY_BYTES",
    "KINDS",
    "RECOGNISERS",
    "Form",
    "Found",
    "Masked",
    "Masker",
    "MaskingError",
    "Names",
    "Recogniser",
    "count",
    "find",
    "mask",
    "read_names",
]
