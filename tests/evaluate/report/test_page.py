import re
from html.parser import HTMLParser

import pytest

from takeroot.evaluate import render_report
from takeroot.evaluate.report.page import SECTIONS


class Reader(HTMLParser):
    """Collects elements and checks that they close in order."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.links, self.text = [], [], [], ""

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.links += [value for key, value in attributes if key in {"href", "src", "action"}]
        if tag not in {"meta", "link", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_every_section_is_shown_when_all_evidence_is_there(evidence):
    gap = {"mean": 0.01, "low": -0.01, "high": 0.03}
    against = {"differences": {"accuracy": gap}, "verdict": "No clear difference."}
    evidence["metrics"]["test"]["against"] = against
    evidence["answers"] = [{"prompt": "p", "reference": "r", "answer": "a"}]

    assert read(render_report(evidence)).seen.count("section") == len(SECTIONS)


KEYS = (
    *("metrics", "fit", "candidates", "learning_curve", "calibration", "abstention"),
    *("parity", "data", "recipe", "environment", "progress"),
)


@pytest.mark.parametrize("key", KEYS)
def test_any_evidence_may_be_missing(evidence, key):
    del evidence[key]

    read(render_report(evidence))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [None, {}, [], "text", 3, [None], {"points": [1]}])
def test_any_evidence_may_be_of_another_shape(evidence, key, value):
    read(render_report({**evidence, key: value}))


@pytest.mark.parametrize("key", KEYS)
def test_any_evidence_may_come_alone(evidence, key):
    read(render_report({key: evidence[key]}))


def leaves(body, path=()):
    """Paths to the values inside the evidence, the first item standing for each list."""
    items = body.items() if isinstance(body, dict) else list(enumerate(body))[:1]
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))


@pytest.mark.parametrize("value", [None, "<x>", -1, []])
def test_any_value_within_the_evidence_may_be_strange(evidence, value):
    del evidence["progress"]["steps"][2:], evidence["metrics"]["valid"]
    for path in list(leaves(evidence)):
        holder = evidence
        for key in path[:-1]:
            holder = holder[key]
        kept, holder[path[-1]] = holder[path[-1]], value
        assert render_report(evidence).endswith("</html>\n")
        holder[path[-1]] = kept


def test_nothing_of_the_data_becomes_markup(evidence):
    reader = read(render_report(evidence))

    assert not {"script", "img", "iframe", "object"} & set(reader.seen)
    assert "<script>alert(1)</script> 我的卡丢了" in reader.text
    assert "<b>loan</b>" in reader.text


def test_the_page_asks_for_nothing_from_outside(evidence):
    page = render_report(evidence)

    assert all(link.startswith(("#", "data:")) for link in read(page).links)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)


def test_the_policy_forbids_everything_but_the_one_style_sheet(evidence):
    page = render_report(evidence)

    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "default-src 'none'; style-src 'sha256-" in page
    assert " style=" not in page
    assert "onclick" not in page


def test_the_page_can_be_written_as_utf_8(evidence):
    assert "客服".encode() in render_report(evidence).encode("utf-8")


def test_every_chart_says_what_it_shows(evidence):
    page = render_report(evidence)

    charts = re.findall(r'<svg class="plot"[^>]*>', page)
    assert len(charts) == 5
    assert all(re.search(r'role="img" aria-label="[^"]{20,}"', chart) for chart in charts)


def test_the_main_figure_is_that_of_the_test_rows(evidence):
    text = read(render_report(evidence)).text

    assert "95.0 %" in text.replace("\u00a0", " ")
    assert "measured on 60 test texts it had never seen" in text


def test_without_test_rows_the_page_warns_that_the_figure_is_kind(evidence):
    evidence["metrics"]["test"] = None

    assert "a little kind" in render_report(evidence)


def test_thousands_of_training_steps_do_not_make_a_heavy_page(evidence):
    evidence["progress"]["steps"] = [{"step": step, "loss": 1.0} for step in range(50_000)]

    assert len(render_report(evidence)) < 100_000


def test_every_link_leads_to_a_section(evidence):
    page = render_report(evidence)

    links = re.findall(r'href="#([a-z]+)"', page)
    assert len(links) == len(SECTIONS) - 2  # all but the comparison and written texts
    assert all(f'id="{link}"' in page for link in links)


@pytest.mark.parametrize(
    ("gold", "predicted", "words"),
    [
        ("a", "b", "a is taken for b: 3 times"),
        ("a", None, "a is missed: 3 times"),
        (None, "b", "b is given where it does not belong: 3 times"),
    ],
)
def test_the_commonest_mistake_is_said_in_words(evidence, gold, predicted, words):
    mistake = {"gold": gold, "predicted": predicted, "count": 3, "texts": []}
    evidence["metrics"]["test"]["confusions"] = [mistake]

    assert words in read(render_report(evidence)).text
