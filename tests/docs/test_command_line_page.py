"""docs/command-line.md names every command and option there is, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from takeroot.cli import app

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "command-line.md").read_text(encoding="utf-8")
EVERYWHERE = {"--json", "--help"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    """Name and long options of every command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            words = [word for option in command.params for word in option.opts]
            yield prefix + name, {word for word in words if word.startswith("--")} - EVERYWHERE


COMMANDS = dict(commands(typer.main.get_command(app)))


def group_of(command: str) -> str:
    return command.partition(" ")[0]


def section(command: str) -> str:
    """The part of the page about a command, or about the group it is in."""
    found = re.search(rf"^## {group_of(command)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return found.group(1) if found else ""


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_described_with_all_its_options(command: str) -> None:
    described = section(command)

    assert described
    assert COMMANDS[command] <= set(OPTION.findall(described))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_is_described_that_the_command_lacks(command: str) -> None:
    group = group_of(command)
    there = {option for name, own in COMMANDS.items() if group_of(name) == group for option in own}

    assert set(OPTION.findall(section(command))) - EVERYWHERE <= there


@pytest.mark.parametrize("path", [*DOCS.rglob("*.md"), *DOCS.parent.glob("README*.md")], ids=str)
def test_commands_named_on_a_page_exist(path: Path) -> None:
    named = re.findall(r"(?:^|`)takeroot ((?:[a-z]+ ?)+)", path.read_text(encoding="utf-8"), re.M)

    assert set(map(group_of, named)) <= set(map(group_of, COMMANDS))
