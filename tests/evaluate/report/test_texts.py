from takeroot.evaluate.report.texts import texts


def test_findings_name_the_first_rows():
    rows = [{"source": f"train.csv:{line}", "note": ""} for line in range(2, 9)]
    issue = {"kind": "duplicates", "level": "warn", "count": 7, "message": "m", "rows": rows}

    page = texts({"data": {"issues": [issue]}})

    assert page is not None
    assert "train.csv:2, train.csv:3, train.csv:4, train.csv:5 … (7 listed" in page.markup


def test_equal_classes_are_called_balanced():
    page = texts({"data": {"classes": {"a": 3, "b": 3}}})

    assert page is not None
    assert "2 labels with 3 texts each: balanced." in page.markup


def test_no_data_report_gives_no_section():
    assert texts({}) is None
