from takeroot.evaluate.report.texts import histogram, texts


def test_histograms_are_read_as_objects_or_as_edges():
    bins = [(0.0, 2.0, 5.0), (2.0, 4.0, 1.0)]

    assert histogram([{"low": 0, "high": 2, "count": 5}, {"low": 2, "high": 4, "count": 1}]) == bins
    assert histogram({"edges": [0, 2, 4], "counts": [5, 1]}) == bins


def test_equal_classes_are_called_balanced():
    page = texts({"data": {"classes": {"a": 3, "b": 3}}})

    assert page is not None
    assert "Balanced: 2 labels with 3 texts each." in page.markup


def test_no_data_report_gives_no_section():
    assert texts({}) is None
