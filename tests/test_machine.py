"""What is read about the machine and the installation."""

from __future__ import annotations

import pytest

from takeroot import machine


@pytest.mark.parametrize(
    ("version", "bounds", "good"),
    [
        ("2.4.6", ">=2.0,<3", True),
        ("2.0", ">=2.0.0", True),
        ("3.0", ">=2.0,<3", False),
        ("1.9.9", ">=2.0", False),
        ("2.13.0+cpu", "==2.13", True),
        ("2.0.0rc1", ">=2", True),
        ("10.1", ">=9.5,<11", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, bounds: str, good: bool) -> None:
    assert machine.within(version, bounds) == good


def test_flags_are_found_by_what_they_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("model name\t: Tester 9", "flags\t\t: fpu avx2 avx512f avx512_vnni")
    monkeypatch.setattr(machine, "_cpuinfo", lambda: lines)

    found = machine.cpu_flags()

    assert machine.processor() == "Tester 9"
    assert [name for name, there in found.items() if there] == ["avx2", "avx512", "vnni"]


def test_flags_of_an_unknown_machine_are_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cpuinfo", lambda: ())

    assert machine.cpu_flags() == {}


def test_memory_is_told() -> None:
    assert (machine.memory_mb()["total"] or 0) > 100


def test_requirements_know_their_extra() -> None:
    extras = {item.package: item.extra for item in machine.requirements()}

    assert (extras["numpy"], extras["torch"], extras["pytest"]) == ("", "train", "dev")


def test_missing_and_wrong_packages_are_faults() -> None:
    assert machine.Requirement("a", "", ">=2", None).fault == "a is not installed"
    assert machine.Requirement("a", "", ">=2", "1.0").fault == "a 1.0 is not >=2"
