"""Personal data in texts replaced by placeholders, or by pseudonyms that are stable under a key.

A text is masked in passes over its plain form: what was found is blotted out and the rest is looked
at again, until nothing more is found, because a piece may keep its neighbour from being seen.
Placeholders are blotted out from the start. So the last pass sees the masked text as a first pass
over it would, and mask(mask(x)) = mask(x).

A pseudonym is HMAC-SHA256 (RFC 2104) of the kind and the piece's value: who has no key can neither
tell the piece nor try out guesses, and all ways of writing one piece get the same pseudonym. Its
first 64 bits are written with the letters a to p, lest a digit of it be taken for a number's.
"""

from __future__ import annotations

import hmac
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from takeroot.errors import RecipeError, TakerootError
from takeroot.privacy.find import BLOT, Found, scan
from takeroot.privacy.names import Names
from takeroot.privacy.patterns import RECOGNISERS
from takeroot.privacy.phone import REGIONS, PhoneNumbers
from takeroot.privacy.plain import plain
from takeroot.privacy.recogniser import Recogniser

KINDS = (*RECOGNISERS, "name")
_PASSES = 16  # two are usual
KEY_BYTES = 16  # at least, for a key
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


class MaskingError(TakerootError, RuntimeError):
    """A text that could not be masked, and so must not be kept; the message holds none of it."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without personal data.

    Args:
        text: The text with placeholders.
        found: What was replaced, in order; offsets are those of the text as given.
        ends: Where in ``text`` the placeholder of each piece ends.
    """

    text: str
    found: tuple[Found, ...] = ()
    ends: tuple[int, ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in ``text`` a stretch of the text as given stands.

        One that begins or ends within a piece has the whole placeholder.
        """
        before = bisect_right(self.found, start, key=lambda piece: piece.end)
        inside = before < len(self.found) and self.found[before].start <= start
        first = self.found[before].start if inside else start
        upto = bisect_left(self.found, end, key=lambda piece: piece.start)
        inside = upto > 0 and self.found[upto - 1].end >= end
        last = self.found[upto - 1].end if inside else end
        return first + self._shift(before), last + self._shift(upto)

    def _shift(self, pieces: int) -> int:
        """How far the characters after the first so many pieces have moved."""
        return self.ends[pieces - 1] - self.found[pieces - 1].end if pieces else 0


class Masker:
    """Replaces personal data; may be used from several threads at once.

    Args:
        kinds: What to replace; None for all.
        names: Names to replace as well, see ``Names``.
        regions: Countries whose telephone numbers are found without a country code.
        key: At least 16 random bytes, for pseudonyms such as ``[EMAIL:dpjkanmohbcelfgi]``.
        recognisers: More kinds by name, or others for the names of the table.

    Raises:
        RecipeError: If a kind or region is unknown, or the key is too short.
        MissingExtraError: If telephone numbers are to be found and phonenumbers is not installed.
    """

    def __init__(
        self,
        *,
        kinds: Collection[str] | None = None,
        names: Iterable[str] = (),
        regions: Sequence[str] = REGIONS,
        key: bytes | None = None,
        recognisers: Mapping[str, Recogniser] | None = None,
    ) -> None:
        if key is not None and len(key) < KEY_BYTES:
            raise RecipeError(f"mask.key: has {len(key)} bytes; {KEY_BYTES} or more are needed")
        self._key = key
        self._recognisers = _table(kinds, names, regions, recognisers or {})
        known = "|".join(sorted({kind.upper() for kind in (*KINDS, *self._recognisers)}))
        self._instead = {kind: f"[{kind.upper()}]" for kind in self._recognisers}
        self._placeholder = re.compile(rf"\[(?:{known})(?::[a-p]{{16}})?\]")

    def mask(self, text: str) -> Masked:
        """The text with every piece of personal data replaced.

        Raises:
            MaskingError: If anything goes wrong; nothing of the text is given back then.
        """
        try:
            return self._mask(text)
        except MaskingError:
            raise
        except Exception as error:  # whatever it is, the text must not get out
            # NOTE: the cause is cut off: its message and frames may hold the text.
            raise MaskingError(f"masking failed: {type(error).__name__}") from None

    def _mask(self, text: str) -> Masked:
        """The masked text, or whatever a recogniser raises."""
        form = plain(text)
        parts: list[str] = []
        found: list[Found] = []
        ends: list[int] = []
        done = length = 0
        for first, last, kind in self._pieces(form.text):
            start, end = form.span(first, last)
            start = max(start, done)  # two pieces may share one character of the text
            if start < end:
                instead = self._instead[kind]
                if self._key is not None:
                    instead = self._pseudonym(self._key, kind, form.text[first:last])
                parts += text[done:start], instead
                length += start - done + len(instead)
                found.append(Found(start, end, kind))
                ends.append(length)
                done = end
        return Masked("".join((*parts, text[done:])), tuple(found), tuple(ends))

    def _pieces(self, text: str) -> list[tuple[int, int, str]]:
        """Start, end and kind of everything found in plain text, pass by pass, in order."""
        rest = self._placeholder.sub(lambda match: BLOT * len(match.group()), text)
        found: list[tuple[int, int, str]] = []
        for _ in range(_PASSES):
            look = scan(rest, self._recognisers)
            if not look.pieces:
                return sorted(found)
            found += look.pieces
            rest = look.rest
        raise MaskingError(f"masking failed: new pieces were found in each of {_PASSES} passes")

    def _pseudonym(self, key: bytes, kind: str, piece: str) -> str:
        """What replaces a piece where there is a key."""
        value = self._recognisers[kind].value(piece)
        digest = hmac.digest(key, f"{kind}\n{value}".encode("utf-8", "surrogatepass"), "sha256")
        return f"[{kind.upper()}:{digest.hex()[:16].translate(_LETTERS)}]"


def mask(text: str) -> Masked:
    """The text with every piece of personal data of the table replaced.

    Raises:
        MaskingError: If anything goes wrong; nothing of the text is given back then.
        MissingExtraError: If phonenumbers is not installed.
    """
    return _usual().mask(text)


@cache
def _usual() -> Masker:
    """The masker of ``mask``, made once."""
    return Masker()


def _table(
    kinds: Collection[str] | None,
    names: Iterable[str],
    regions: Sequence[str],
    more: Mapping[str, Recogniser],
) -> dict[str, Recogniser]:
    """The recognisers of the kinds asked for, in the order that decides where two overlap."""
    known = (*RECOGNISERS, "name", *more)
    for kind in kinds or ():
        if kind not in known:
            raise RecipeError(f"mask.kinds: {kind!r} is not one of: {', '.join(known)}")
    for kind in more:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", kind):
            raise RecipeError(f"mask.recognisers: {kind!r} is not small letters, digits and _")
    wanted = set(known if kinds is None else kinds)
    table = {kind: recogniser for kind, recogniser in RECOGNISERS.items() if kind in wanted}
    if "phone" in wanted and "phone" not in more:
        table["phone"] = PhoneNumbers(regions)
    if "name" in wanted:
        table["name"] = Names(names)
    return {**table, **{kind: recogniser for kind, recogniser in more.items() if kind in wanted}}
