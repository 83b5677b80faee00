import pytest

from takeroot.evaluate.report.html import clean, el, join, named, table


def test_text_is_escaped_and_markup_is_not():
    assert el("p", "a < b & c", el("i", "x")).markup == "<p>a &lt; b &amp; c<i>x</i></p>"


def test_an_attribute_cannot_be_left():
    assert el("a", href='" onclick="x').markup == '<a href="&quot; onclick=&quot;x"></a>'


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (False, ""), (True, " x"), (1.0, ' x="1"'), (0.126, ' x="0.13"')],
)
def test_attributes_are_written_shortly(value, shown):
    assert el("rect", x=value).markup == f"<rect{shown}></rect>"


def test_missing_children_leave_nothing():
    assert join([None, "a", None, 3]).markup == "a3"


def test_what_no_page_can_hold_is_replaced():
    assert clean("a\x00b\x1b\ud800\n") == "a\ufffdb\ufffd?\n"


def test_figures_in_a_table_are_marked_for_the_right_side():
    assert '<th class="n" scope="col">Texts</th>' in table(("Label", "Texts"), [("a", "3")]).markup


def test_a_long_label_may_be_broken_after_its_joints():
    assert named("card_lost<b>").markup == "<bdi>card_<wbr>lost&lt;b&gt;</bdi>"
