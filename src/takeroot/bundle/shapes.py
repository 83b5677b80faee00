"""What a word looks like: capitals and digits, which an uncased tokenizer throws away.

Names of people, places and products are told by them, above all names nobody has seen before
(Collobert et al. 2011, arXiv:1103.0398, the "caps" feature; digits are ours). A word's shape
reaches the network as the token type of its tokens.
"""

from __future__ import annotations

PLAIN, CAPITAL, CAPITALS, MIXED, DIGITS = range(5)
SHAPES = 5


def shape_of(word: str) -> int:
    """The shape of a word as it was written: one of the five above."""
    if any(character.isdigit() for character in word):
        return DIGITS
    letters = [character for character in word if character.isalpha()]
    large = sum(letter.isupper() for letter in letters)
    if not large:
        return PLAIN
    if large == len(letters) > 1:
        return CAPITALS
    return CAPITAL if large == 1 and letters[0].isupper() else MIXED
