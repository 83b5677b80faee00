from takeroot.evaluate.report.lengths import histogram, lengths

BARS = [{"from": 1, "to": 8, "count": 3}, {"from": 9, "to": 16, "count": 9}]


def test_bars_without_all_three_numbers_are_left_out():
    assert histogram({"histogram": [*BARS, {"from": 17}]}) == [(1, 8, 3), (9, 16, 9)]


def test_the_middle_text_is_told_from_the_bars_where_no_median_is_given():
    page = lengths({"length": {"histogram": BARS}})

    assert page is not None
    assert "Half of the texts have at most 16 characters." in page.markup


def test_texts_that_are_cut_are_counted():
    tokens = {"truncated": 2, "max_tokens": 64, "mean": 8.0, "longest": 80, "unknown_share": 0.3}

    page = lengths({"length": {"histogram": BARS}, "tokens": tokens})

    assert page is not None
    assert "2 are longer than the 64 tokens that the model reads." in page.markup
    assert "It cannot read 30.0\u00a0% of them." in page.markup


def test_no_lengths_give_no_chart():
    assert lengths({}) is None
