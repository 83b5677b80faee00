from takeroot.bundle.answer import Answer
from takeroot.evaluate import compare
from takeroot.evaluate.report.against import against


def test_a_comparison_is_shown_with_its_verdict_and_texts():
    first, second = [Answer(label="a")] * 40, [Answer(label="a"), Answer(label="b")] * 20
    texts = [f"<i>{row}</i>" for row in range(40)]
    found = compare("classify", ("a", "b"), first, second, ["a", "b"] * 20, texts)

    page = against({"metrics": {"test": {"against": found.to_json()}}})

    assert page is not None
    assert "The second model is better: +50.00 points of accuracy" in page.markup
    assert "0 rows are right only in the first, 20 only in the second" in page.markup
    assert "<blockquote><bdi>&lt;i&gt;1&lt;/i&gt;</bdi></blockquote>" in page.markup


def test_without_a_second_bundle_there_is_no_section():
    assert against({"metrics": {"test": {"accuracy": 0.9}}}) is None
