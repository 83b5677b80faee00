"""What commands print."""

from __future__ import annotations

import ctypes
import json
import sys

import pytest
import typer

from takeroot.cli.output import Result, answering, print_json, stdout_to_stderr


@answering
def noisy(name: str = "x") -> Result:
    """A command whose library prints."""
    sys.stdout.write("library noise\n")
    return Result({"name": name}, lambda: [f"name is {name}"], 2)


def test_json_stands_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        noisy(name="文", as_json=True)

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ('{"name": "文"}\n', "library noise\n")
    assert ended.value.exit_code == 2


def test_libraries_written_in_c_do_not_disturb_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    with stdout_to_stderr():
        ctypes.CDLL(None).puts(b"noise")
    sys.stdout.write("result\n")

    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("result\n", "noise\n")


def test_summary_is_printed_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        noisy()

    assert capsys.readouterr().out == "name is x\n"


def test_numbers_that_json_lacks_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": (True, None)})

    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": [True, None]}


def test_a_terminal_that_lacks_letters_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

    print_json({"name": "文"})
    sys.stdout.flush()

    assert raw.getvalue() == b'{"name": "\\u6587"}\n'
