"""The command's frame: help, exit codes, one JSON object, one clear line."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest

from takeroot.cli import app, main
from takeroot.errors import DiskFullError, GateError, OutOfMemoryError, RecipeError

HEAVY = ("torch", "transformers", "sklearn", "scipy", "pandas", "pyarrow", "onnxruntime", "numpy")
HEAVY += ("pydantic", "rich", "mlflow")


def loaded_after(code: str) -> list[str]:
    """Which heavy modules a fresh interpreter has loaded after ``code``."""
    ask = f"import sys\n{code}\nprint([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return list(eval(done.stderr.splitlines()[-1]))


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_help_loads_nothing_heavy() -> None:
    assert loaded_after("from takeroot.cli import main; main(['--help'])") == []


def test_import_loads_nothing_heavy() -> None:
    assert loaded_after("import takeroot; takeroot.__version__") == []


def test_opening_a_bundle_loads_no_torch(shop_bundle: Any) -> None:
    code = f"import takeroot; takeroot.load({str(shop_bundle)!r}).predict(['a refund'])"

    assert not {"torch", "transformers", "sklearn", "scipy", "pandas"} & set(loaded_after(code))


def test_every_command_has_help(takeroot: Callable[..., Any]) -> None:
    names = [command.callback.__name__ for command in app.registered_commands]

    assert {"fit", "predict", "evaluate", "verify", "init", "doctor", "demo"} <= set(names)
    for name in names:
        assert "--json" in takeroot(name, "--help").out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecipeError("fit.seed: no"), 1),
        (GateError("accuracy"), 2),
        (DiskFullError("full"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), 3),
        (OutOfMemoryError("6 GB"), 4),
        (MemoryError(), 4),
        (PermissionError(errno.EACCES, "Permission denied", "a.csv"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_exit_codes(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, takeroot: Callable[..., Any]
) -> None:
    monkeypatch.setattr("takeroot.cli.app", lambda **_: raising(error)())

    ran = takeroot("fit", "--json")

    assert (ran.code, ran.json["exit_code"]) == (code, code)
    assert len(ran.err.splitlines()) == 1
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["fit", "--tst", "a"], "--tst"),
        (["fti"], "fti"),
        (["predict"], "bundle"),
        (["fit", "a.csv", "--seed", "x"], "--seed"),
        (["demo", "--language", "fr"], "fr"),
        (["fit"], "nothing to fit on"),
    ],
)
def test_usage_errors_are_one_line_and_end_with_1(
    words: list[str], part: str, takeroot: Callable[..., Any]
) -> None:
    ran = takeroot(*words)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert part.lower() in ran.err.lower()
    assert len(ran.err.splitlines()) == 1


def test_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("takeroot.cli.app", lambda **_: raising(KeyError("bug"))())

    with pytest.raises(KeyError):
        main(["fit"])


def test_termination_cleans_up_like_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, takeroot: Callable[..., Any]
) -> None:
    monkeypatch.setattr("takeroot.cli.app", lambda **_: os.kill(os.getpid(), signal.SIGTERM))

    assert takeroot("fit").code == 130


def test_version_is_that_of_the_package(takeroot: Callable[..., Any]) -> None:
    assert takeroot("--version").out.strip() == version("takeroot")


def test_no_arguments_shows_the_help(takeroot: Callable[..., Any]) -> None:
    ran = takeroot()

    assert ran.code == 1
    assert ran.err.startswith("Usage: takeroot")
