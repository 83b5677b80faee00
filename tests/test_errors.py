"""The tree of errors, and what a missing package is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from takeroot import errors
from takeroot.errors import MissingExtraError, TakerootError, require


def test_a_missing_package_names_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtraError, match=r'run: pip install "takeroot\[train\]"'):
        require("no_such_package", "train")


def test_a_module_of_a_missing_package_does_too() -> None:
    with pytest.raises(MissingExtraError, match=r"no_such_package\.part is not installed"):
        require("no_such_package.part", "train")


def test_a_package_that_lacks_something_itself_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import something_else_entirely\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="something_else_entirely") as caught:
        require("broken_package", "train")

    assert not isinstance(caught.value, TakerootError)


def test_an_installed_module_is_given() -> None:
    assert require("json", "train").loads("1") == 1


def test_exit_codes_are_those_documented() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]

    codes = {kind.__name__: kind.exit_code for kind in kinds if issubclass(kind, TakerootError)}

    assert codes.pop("GateError") == 2
    assert codes.pop("DiskFullError") == 3
    assert codes.pop("OutOfMemoryError") == 4
    assert set(codes.values()) == {1}
