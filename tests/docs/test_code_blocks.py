"""README and documentation: links hold, and every block after ``<!-- run -->`` runs as printed.

A page's blocks run in order in one folder that holds train.csv, test.csv, new.csv (texts only) and
mixed.csv (test rows and out-of-scope rows), made from the packaged demo set, and a small bundle in
runs/support unless the page makes that one itself.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from takeroot.demo import demo_set

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
PAGES = [READMES[0], *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^<!-- run -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
SHELLS = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
BUNDLE = "takeroot fit train.csv --out runs/support --set fit.method=tfidf"


def page_text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, columns: list[str], made: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(made)


def run(language: str, code: str, folder: Path) -> None:
    """Run one block; its output is shown where it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*SHELLS[language], code],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo set's files and a small bundle."""
    folder = tmp_path_factory.mktemp("prepared")
    demo = demo_set("en")
    assert demo.out_of_scope is not None
    shutil.copy(demo.train, folder / "train.csv")
    shutil.copy(demo.test, folder / "test.csv")
    mixed = [*rows(demo.test), *rows(demo.out_of_scope)]
    write(folder / "mixed.csv", ["text", "intent"], mixed)
    write(folder / "new.csv", ["text"], mixed[::10])
    run("bash", BUNDLE, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if BLOCK.search(page_text(page))], ids=lambda page: page.name
)
def test_blocks_run_as_printed(page: Path, prepared: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(page_text(page))
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    if any("--out runs/support" in code for _, code in blocks):
        shutil.rmtree(tmp_path / "runs")

    for language, code in blocks:
        run(language, code, tmp_path)


@pytest.mark.parametrize("page", [*PAGES, READMES[1]], ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    targets = [link for link in LINK.findall(page_text(page)) if "://" not in link]

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, READMES[1]], ids=lambda page: page.name)
def test_run_marks_stand_before_a_block_that_can_run(page: Path) -> None:
    text = page_text(page)

    assert text.count("<!-- run -->\n") == len(BLOCK.findall(text))
    assert {language for language, _ in BLOCK.findall(text)} <= SHELLS.keys()


def test_both_readmes_show_the_same_code() -> None:
    english, chinese = (FENCE.findall(page_text(page)) for page in READMES)

    assert chinese == english


def test_python_blocks_can_be_parsed() -> None:
    for page in PAGES:
        for language, code in FENCE.findall(page_text(page)):
            if language == "python" and "->" not in code:
                compile(code, str(page), "exec")
