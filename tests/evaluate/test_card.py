import pytest

from takeroot.evaluate import render_card
from takeroot.evaluate.card import plain


def test_the_card_says_what_it_is_and_how_good(evidence):
    card = render_card(evidence)

    assert card.startswith("# 客服 \\<b\\>\n")
    assert "| Accuracy | 95.0\u00a0% |" in card
    assert "turns away 2.0\u00a0% of texts" in card


def test_a_card_without_evidence_asks_people_to_fill_it_in():
    assert "## For people to say" in render_card({})


@pytest.mark.parametrize("text", ["[x](http://a)", "<img>", "# title", "a\n\n# b", "`c`"])
def test_no_text_becomes_markdown(text):
    shown = plain(text)

    assert "\n" not in shown
    assert not any(f" {sign}" in f" {shown}" for sign in "[<#`")


def test_headings_come_with_blank_lines(evidence):
    lines = render_card(evidence).split("\n")

    headings = [place for place, line in enumerate(lines) if line.startswith("## ")]
    assert all(lines[place - 1] == "" == lines[place + 1] for place in headings)
