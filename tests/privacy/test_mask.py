"""Masking: what replaces personal data, twice is once, and it fails closed."""

from __future__ import annotations

import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from takeroot.errors import RecipeError, TakerootError
from takeroot.privacy import KINDS, Found, Masker, MaskingError, mask

KEY = b"0123456789abcdef"
NAMES = ["Ann Lee", "王小明", "小明王", "Email", "Bo"]
PIECES = (
    *("13812345678", "010-62345678", "+442079460958", "(212) 555-0123", "4111 1111 1111 1111"),
    *("11010519491231002X", "91330100799655058B", "GB29 NWBK 6016 1331 9268 19", "E12345678"),
    *("ann@example.com", "10.0.0.1", "2001:db8::1", "京A12345", "Ann Lee", "王小明王", "1 3 8 "),
    *("[EMAIL]", "[PHONE:abcdefghijklmnop]", "[", "]", ":", "-", " ", "\n", "+86", "(", ")", "."),
    *("8", "a", "@", "转1", "passport", "电话", "call", "v", "\u0301", "\u200b", "１", "⑩", "㍿"),
    *("+", "00", "0", "1.", "1-", "\r\n", "é", "\u1161", "tel", "No:", "ip", "::", "x", "_"),
)
MIXED = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join)


def test_each_piece_becomes_its_kind():
    masked = mask("请联系13812345678或ann@example.com，谢谢")

    assert masked.text == "请联系[MOBILE_CN]或[EMAIL]，谢谢"
    assert masked.found == (Found(3, 14, "mobile_cn"), Found(15, 30, "email"))


def test_a_text_without_personal_data_stays_as_it_was():
    text = "My ｃａｒｄ has\u200b not arrived… ①"

    assert mask(text).text == text


def test_a_text_that_is_no_unicode_is_masked():
    assert mask("\ud800 ann@example.com").text == "\ud800 [EMAIL]"


def test_hidden_characters_go_with_the_piece():
    assert mask("call １３８\u200b１２３４\n５６７８!").text == "call [MOBILE_CN]!"


@pytest.mark.parametrize("masker", [Masker(names=NAMES), Masker(names=NAMES, key=KEY)])
@given(text=MIXED)
@example(text="8" + "\u0301" * 40 + "Bo")
@example(text="1 3 8 1 2 3 4 5 6 7 8 1 3 8 1 2 3 4 5 6 7 8")
def test_masking_twice_is_masking_once(masker, text):
    once = masker.mask(text)

    assert masker.mask(once.text) == type(once)(once.text, ())


@given(text=MIXED, ends=st.tuples(st.integers(0, 150), st.integers(0, 150)))
def test_a_stretch_of_the_text_is_found_in_the_masked_one(text, ends):
    start, end = sorted(min(place, len(text)) for place in ends)
    masked = mask(text)
    cut = [piece for piece in masked.found if piece.start < end and start < piece.end]

    first, last = masked.span(start, end)

    wanted, done = "", start  # what lies outside of pieces, and the placeholders of those touched
    for piece in cut:
        wanted += text[done : max(done, piece.start)] + f"[{piece.kind.upper()}]"
        done = piece.end
    assert start == end or masked.text[first:last] == wanted + text[done:end]


@pytest.mark.parametrize(
    "between", ["", "-", "+", ".", " ", "/", "(", ")", ",", "_", ":", "0", "1", "x"]
)
def test_a_row_of_pieces_needs_no_more_passes_than_one(between):
    masker = Masker(names=NAMES)

    for piece in PIECES:  # a search that took a pass for each of 20 would fail
        masker.mask(20 * f"{piece}{between}")


@given(text=MIXED)
def test_what_is_not_found_stays(text):
    masked = mask(text)

    rest, done = "", 0
    for piece in masked.found:
        rest += text[done : piece.start] + f"[{piece.kind.upper()}]"
        done = piece.end

    assert rest + text[done:] == masked.text


def test_pseudonyms_are_the_same_for_all_writings_of_a_piece():
    masker = Masker(key=KEY)

    one = masker.mask("+86 138-1234-5678").text

    assert one == masker.mask("１３８１２３４５６７８").text
    assert one != masker.mask("13812345679").text
    assert one != Masker(key=KEY[::-1]).mask("13812345678").text


def test_a_pseudonym_is_the_hmac_of_kind_and_value():
    # printf 'email\nann@example.com' | openssl dgst -sha256 -hmac 0123456789abcdef
    assert Masker(key=KEY).mask("Ann@example.com").text == "[EMAIL:gmlopdcghignhalj]"


def test_other_kinds_are_left():
    masker = Masker(kinds=["email"])

    assert masker.mask("ann@example.com 13812345678").text == "[EMAIL] 13812345678"


class Broken:
    """A recogniser that fails on every text."""

    def spans(self, text):
        raise ValueError(text)

    def value(self, piece):
        raise ValueError(piece)


class Endless:
    """A recogniser that finds something in whatever is left of a text."""

    def spans(self, text):
        at = text.find("x")
        return [] if at < 0 else [(at, at + 1)]

    def value(self, piece):
        raise KeyError(piece)


def test_a_recogniser_that_fails_gives_nothing_of_the_text_away(caplog):
    masker, text = Masker(recognisers={"staff": Broken()}), "sec" + "ret"

    try:
        masker.mask(text)
    except MaskingError:
        logging.getLogger("test").exception("not masked")

    assert "not masked" in caplog.text
    assert "MaskingError: masking failed: ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_failing_is_an_error_of_takeroot():
    with pytest.raises(TakerootError, match="masking failed"):
        Masker(recognisers={"staff": Broken()}).mask("x")


def test_a_pseudonym_that_cannot_be_made_fails_closed():
    with pytest.raises(MaskingError, match="KeyError"):
        Masker(recognisers={"staff": Endless()}, key=KEY).mask("x")


def test_a_search_that_does_not_end_fails_closed():
    with pytest.raises(MaskingError, match="16 passes"):
        Masker(recognisers={"staff": Endless()}).mask("x" * 17)


def test_what_is_no_text_is_not_given_back():
    with pytest.raises(MaskingError, match="AttributeError"):
        mask(None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ["mail"]}, "mask.kinds: 'mail' is not one of: email, iban"),
        ({"regions": ["XX"]}, "mask.regions: 'XX'"),
        ({"key": b"short"}, "mask.key: has 5 bytes; 16 or more"),
        ({"names": ["--"]}, "mask.names: '--' holds no letter"),
        ({"recognisers": {"Staff": Broken()}}, "mask.recognisers: 'Staff'"),
    ],
)
def test_settings_that_cannot_be_used_are_said(settings, message):
    with pytest.raises(RecipeError, match=message):
        Masker(**settings)


def test_every_kind_has_a_placeholder_that_is_left_alone():
    text = " ".join(f"[{kind.upper()}] [{kind.upper()}:abcdefghijklmnop]" for kind in KINDS)

    assert Masker(names=["email", "abcdefghijklmnop"]).mask(text).text == text


def test_a_placeholder_hides_nothing():
    assert mask("[EMAIL]13812345678[CARD:4111111111111111]").text == (
        "[EMAIL][MOBILE_CN][CARD:[CARD]]"
    )
