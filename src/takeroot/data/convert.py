"""Turn well-known published layouts into files the reader takes as they are.

- ``clinc``: CLINC150's JSON (Larson et al. 2019, "An Evaluation Dataset for Intent Classification
  and Out-of-Scope Prediction"): an object of lists of ``[text, intent]``. Gives train.csv,
  valid.csv, test.csv and, from the oos_ lists, out_of_scope_{train,valid,test}.csv.
- ``goemotions``: GoEmotions' tsv without header (Demszky et al. 2020): text, comma-separated
  numbers into labels.txt, id. Gives csv files with names separated by ``|``.
- ``sentfin``: SEntFiN 1.0 (Sinha et al. 2022): headlines with a sentiment for each entity. Gives a
  pair file: headline, entity, label.
- ``weibo``: Weibo NER (Peng and Dredze 2015): characters that end in the digit of their place in
  the word. Gives jsonl files: text, entities.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from takeroot.data.limits import Limits
from takeroot.data.lines import Line, read_lines, read_text
from takeroot.data.read import read
from takeroot.data.readers.conll import TAG, spans_of
from takeroot.data.table import excerpt
from takeroot.data.write import write_csv
from takeroot.errors import DataError, TakerootError
from takeroot.files import write_text

CLINC_CHARS = 64 * 1024**2
CLINC_NAMES = {
    "train": "train.csv",
    "val": "valid.csv",
    "test": "test.csv",
    "oos_train": "out_of_scope_train.csv",
    "oos_val": "out_of_scope_valid.csv",
    "oos_test": "out_of_scope_test.csv",
}
SENTIMENT = re.compile(r"""(?P<entity>.+?)['"]\s*:\s*['"](?P<label>\w+)['"]\s*(?:,\s*['"]|$)""")


def convert_clinc(files: Sequence[Path], out: Path) -> dict[str, int]:
    """Rows written by file name.

    Raises:
        DataError: If there is not exactly one file, or it is not of this layout.
    """
    path = _one(files, "clinc")
    try:
        values = json.loads(read_text(path, None, Limits(), CLINC_CHARS))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not JSON: {excerpt(str(error))}") from error
    if not isinstance(values, dict) or not set(values) & set(CLINC_NAMES):
        raise DataError(f"{path}: needs an object with the lists {', '.join(CLINC_NAMES)}")
    pairs = {name: _pairs(path, split, values[split]) for split, name in _present(values)}
    _folder(out)
    return {name: write_csv(out / name, ("text", "label"), rows) for name, rows in pairs.items()}


def convert_goemotions(files: Sequence[Path], out: Path) -> dict[str, int]:
    """Rows written by file name; ``labels.txt`` is looked for beside the first file.

    Raises:
        DataError: If labels.txt is missing or a number has no name in it.
    """
    if not files:
        raise DataError("goemotions: name one or more .tsv files")
    names = [str(row.values["text"]).strip() for row in read(files[0].parent / "labels.txt").rows]
    tables = {path: read(path, header=("text", "labels", "id")) for path in files}
    _folder(out)
    written = {}
    for path, table in tables.items():
        if table.rejects:
            first = table.rejects[0]
            raise DataError(f"{path}:{first.line}: {first.reason}")
        rows = (
            (row.values["text"], _named(path, row.line, row.values["labels"], names))
            for row in table.rows
        )
        name = f"{path.stem}.csv"
        written[name] = write_csv(out / name, ("text", "labels"), rows)
    return written


def convert_sentfin(files: Sequence[Path], out: Path) -> dict[str, int]:
    """Rows written by file name: one for each entity of each headline.

    The ``Decisions`` column looks like a Python dict, but names hold unescaped apostrophes: it is
    read by its ``': 'label'`` marks.
    """
    path = _one(files, "sentfin")
    table = read(path)
    if not {"Title", "Decisions"} <= set(table.columns):
        raise DataError(f"{path}: needs the columns Title and Decisions, has {table.columns}")
    rows = [
        (row.values["Title"], entity, label)
        for row in table.rows
        for entity, label in _decisions(path, row.line, row.values["Decisions"])
    ]
    _folder(out)
    return {"pairs.csv": write_csv(out / "pairs.csv", ("headline", "entity", "label"), rows)}


def convert_weibo(files: Sequence[Path], out: Path) -> dict[str, int]:
    """Messages written by file name, characters joined without blanks."""
    messages = {path: list(_messages(path)) for path in files}
    if not messages:
        raise DataError("weibo: name one or more files")
    _folder(out)
    written = {}
    for path, rows in messages.items():
        name = f"{path.name.replace('.', '_')}.jsonl"
        write_text(out / name, "".join(f"{json.dumps(r, ensure_ascii=False)}\n" for r in rows))
        written[name] = len(rows)
    return written


CONVERTERS: dict[str, Callable[[Sequence[Path], Path], dict[str, int]]] = {
    "clinc": convert_clinc,
    "goemotions": convert_goemotions,
    "sentfin": convert_sentfin,
    "weibo": convert_weibo,
}


def _one(files: Sequence[Path], layout: str) -> Path:
    if len(files) != 1:
        raise DataError(f"{layout}: takes one file, got {len(files)}")
    return files[0]


def _folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TakerootError(f"{out}: cannot be made: {error.strerror}") from error


def _present(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    return ((split, name) for split, name in CLINC_NAMES.items() if split in values)


def _pairs(path: Path, split: str, rows: Any) -> list[tuple[str, str]]:
    """The split's texts and intents, all of them checked."""
    if not isinstance(rows, list):
        raise DataError(f"{path}: {split} is not a list")
    for place, row in enumerate(rows):
        if not (isinstance(row, list) and len(row) == 2 and all(isinstance(v, str) for v in row)):
            raise DataError(f"{path}: {split}[{place}] is not [text, intent]: {excerpt(str(row))}")
    return [(text, intent) for text, intent in rows]


def _named(path: Path, line: int, cell: str, names: Sequence[str]) -> str:
    """``3,10`` as the names of labels 3 and 10."""
    try:
        return "|".join(names[_index(part, len(names))] for part in cell.split(","))
    except ValueError as error:
        raise DataError(
            f"{path}:{line}: label numbers {cell!r} are not all in 0 to {len(names) - 1}"
        ) from error


def _index(text: str, count: int) -> int:
    number = int(text)
    if not 0 <= number < count:
        raise ValueError(text)
    return number


def _decisions(path: Path, line: int, cell: str) -> list[tuple[str, str]]:
    inner = cell.strip().removeprefix("{").removesuffix("}").strip()[1:]
    found = [(match["entity"].strip(), match["label"]) for match in SENTIMENT.finditer(inner)]
    if not found:
        raise DataError(f"{path}:{line}: no entity with a sentiment in {excerpt(cell)!r}")
    return found


def _messages(path: Path) -> Iterator[dict[str, Any]]:
    """Text and entities of each message."""
    tokens: list[str] = []
    tags: list[str] = []
    end = [Line(0, "", "")]
    for line in chain(read_lines(path, None, Limits()), end):
        token, _, tag = line.text.partition("\t")
        if line.text.strip() and not (token and TAG.fullmatch(tag)):
            raise DataError(
                f"{path}:{line.number}: needs a token and a tag: {excerpt(line.text)!r}"
            )
        if line.text.strip():
            tokens.append(token[:-1] if token[1:] and token[-1].isdigit() else token)
            tags.append(tag)
        elif tokens:
            starts = [0, *accumulate(map(len, tokens[:-1]))]
            spans = [asdict(span) for span in spans_of(tokens, tags, starts)]
            yield {"text": "".join(tokens), "entities": spans}
            tokens, tags = [], []
