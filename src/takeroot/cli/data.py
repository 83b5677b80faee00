"""``takeroot data``: look a data file over, repair a copy of it, convert published layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from takeroot.cli.columns import Encoding, Format, Header, Label, Second, Text, how
from takeroot.cli.output import Result, answering, note, table
from takeroot.errors import DataError, GateError, require

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType
    from tokenizers import Tokenizer

    from takeroot.data.check import DataReport
    from takeroot.data.dataset import Dataset
    from takeroot.data.example import Example
    from takeroot.data.fix import Change
    from takeroot.data.table import Table

app = typer.Typer(help="Check, repair or convert data files.", no_args_is_help=True)

SHOWN_ROWS = 3
SHOWN_CHANGES = 200
MAX_TOKENS = 128
# Of the model that label errors are ranked by: enough to find them, five folds in half a minute.
FEATURES = 5_000
STRENGTH = 5.0
STEPS = 25

Task = Annotated[str | None, typer.Option(help="classify, multilabel, pair or tag; else inferred.")]
Test = Annotated[Path | None, typer.Option(metavar="FILE", help="Test rows, not to train on.")]


@dataclass(frozen=True)
class _Read:
    """A file, and what its rows mean."""

    table: Table
    dataset: Dataset


@app.command()
@answering
def check(
    file: Annotated[Path, typer.Argument(help="Labelled file.")],
    test: Test = None,
    task: Task = None,
    text: Text = None,
    label: Label = None,
    second: Second = None,
    header: Header = None,
    encoding: Encoding = None,
    form: Format = None,
    label_errors: Annotated[
        bool, typer.Option("--label-errors", help="Rank likely label errors (trains a model).")
    ] = False,
    model: Annotated[
        str, typer.Option(help="Packaged model whose tokenizer counts; none: no tokens.")
    ] = "minilm-l6",
    max_tokens: Annotated[int, typer.Option(help="What the model reads of a text.")] = MAX_TOKENS,
    rejects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the unusable rows to this csv.")
    ] = None,
) -> Result:
    """Report what is odd about a data file; ends with 2 where training would be refused."""
    from takeroot.data.check import check as look
    from takeroot.data.dataset import write_rejects

    wanted = {"task": task, "text": text, "label": label, "second": second}
    train, tested = _read_both(file, test, wanted, how(header, encoding, form))
    probabilities = _probabilities(train.dataset) if label_errors else None
    report = look(
        train.dataset,
        test=None if tested is None else tested.dataset,
        probabilities=probabilities,
        tokenizer=_tokenizer(model),
        max_tokens=max_tokens,
    )
    if rejects is not None:
        write_rejects(train.dataset, rejects)
    texts = {e.source: e.text for each in (train, tested) if each for e in each.dataset.examples}
    code = GateError.exit_code if report.errors else 0
    return Result(report.to_json(), lambda: _summary(report, texts), code)


@app.command()
@answering
def fix(
    file: Annotated[Path, typer.Argument(help="Labelled file; it is not changed.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The repaired copy.")],
    test: Test = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    near: Annotated[
        bool, typer.Option("--near", help="Leave near duplicates with the same label out, too.")
    ] = False,
    task: Task = None,
    text: Text = None,
    label: Label = None,
    second: Second = None,
    header: Header = None,
    encoding: Encoding = None,
    form: Format = None,
) -> Result:
    """Write a repaired copy; every row left out or relabelled is listed first."""
    from takeroot.data.fix import apply, plan, write_changes
    from takeroot.data.write import writer
    from takeroot.files import replacing

    write = writer(out)
    listing = out.with_name(f"{out.name}.changes.csv")
    if out.exists() or listing.exists():
        raise DataError(f"{out if out.exists() else listing}: is already there; name another file")
    wanted = {"task": task, "text": text, "label": label, "second": second}
    train, tested = _read_both(file, test, wanted, how(header, encoding, form))
    changes = plan(
        train.table, train.dataset, test=None if tested is None else tested.dataset, near=near
    )
    write_changes(changes, listing)
    _list(changes, listing)
    if changes and not yes and not typer.confirm("Write the copy without them?", err=True):
        listing.unlink()
        raise typer.Abort
    rows = apply(train.table, train.dataset.columns, changes)
    with replacing(out) as temporary:
        write(temporary, train.table.columns, (row.values for row in rows))
    payload = {
        "file": str(out),
        "changes": str(listing),
        "rows_in": train.table.rows_in,
        "rows_out": len(rows),
        "dropped": _counts(changes, "drop"),
        "relabelled": _counts(changes, "relabel"),
    }
    line = f"{out}: {len(rows):,} of {train.table.rows_in:,} rows; what was changed: {listing}"
    return Result(payload, lambda: [line])


@app.command()
@answering
def convert(
    layout: Annotated[str, typer.Argument(help="clinc, goemotions, sentfin or weibo.")],
    files: Annotated[list[Path], typer.Argument(help="Original files.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Made if missing.")],
) -> Result:
    """Turn a published layout into files that can be read as they are."""
    from takeroot.data.convert import CONVERTERS

    if layout not in CONVERTERS:
        raise DataError(f"layout {layout!r} is not one of: {', '.join(CONVERTERS)}")
    written = CONVERTERS[layout](files, out)
    payload = {"folder": str(out), "layout": layout, "rows": written}
    return Result(payload, lambda: [f"{out / name}: {n:,} rows" for name, n in written.items()])


def _read_both(
    file: Path, test: Path | None, wanted: dict[str, Any], read_as: dict[str, Any]
) -> tuple[_Read, _Read | None]:
    """The file and the test file, by the same columns; what was inferred is said."""
    from takeroot.data.columns import infer
    from takeroot.data.dataset import build
    from takeroot.data.read import read

    read_train = read(file, **read_as)
    columns = infer(read_train, **wanted)
    for each in columns.notes:
        note(f"{file.name}: {each}")
    train = _Read(read_train, build(read_train, columns))
    if test is None:
        return train, None
    read_test = read(test, **read_as)
    given: dict[str, Any] = {"task": columns.task, "text": columns.text, "label": columns.label}
    infer(read_test, **given, second=columns.second)  # the columns are there
    return train, _Read(read_test, build(read_test, columns))


def _tokenizer(model: str) -> Tokenizer | None:
    """The packaged model's tokenizer, or None where it is not wanted or not installed."""
    if model == "none":
        return None
    from tokenizers import Tokenizer

    from takeroot.models.packaged import PACKAGED, known, locate

    if model not in PACKAGED or PACKAGED[model].kind != "encoder":
        raise DataError(f"model {model!r} is not one of: none, {known('encoder')}")
    folder = locate(model)
    if folder is None:
        note(f"model {model} is not installed: tokens are not counted")
        return None
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _probabilities(dataset: Dataset) -> np.ndarray | None:
    """Out-of-fold probabilities of a linear model on n-grams, where the task has one label."""
    from takeroot.data.out_of_fold import out_of_fold

    if dataset.columns.task not in ("classify", "pair"):
        note(f"label errors are not ranked for task {dataset.columns.task}")
        return None
    return out_of_fold(dataset.examples, _predict, count=min(5, len(dataset.examples)))


def _predict(
    train: Sequence[Example], held: Sequence[Example], labels: tuple[str, ...]
) -> np.ndarray:
    """Probabilities of the held rows by logistic regression on TF-IDF of n-grams."""
    import numpy as np

    from takeroot.bundle.features import NgramFeatures
    from takeroot.data.duplicates import inputs_of
    from takeroot.metrics.calibration import softmax

    sparse = require("scipy.sparse", extra="train")
    from takeroot.train.logistic import one_hot, solve  # scipy: only with the extra

    number = {name: place for place, name in enumerate(labels)}
    features = NgramFeatures.fit(inputs_of(train), FEATURES)

    def matrix(examples: Sequence[Example]) -> Any:
        made = features.transform(inputs_of(examples))
        shape = (len(examples), made.n_features)
        return sparse.csr_matrix((made.data, made.indices, made.indptr), shape=shape)

    gold = np.array([number[str(example.label)] for example in train])
    head = solve(matrix(train), one_hot(gold, len(labels)), STRENGTH, max_steps=STEPS)
    return softmax(head.logits(matrix(held)))


def _summary(report: DataReport, texts: dict[str, str]) -> list[RenderableType]:
    """What was found, for people: the issues, then the first rows of each."""
    head = (
        f"{report.name}: {report.rows_in:,} rows, {report.kept:,} kept, {report.rejected:,} "
        f"rejected; task {report.task}, {len(report.classes)} labels"
    )

    def short(where: str) -> str:
        return where.replace(f"{report.name}:", "line ")

    rows = [[issue.level, issue.kind, f"{issue.count:,}", issue.message] for issue in report.issues]
    shown = [
        [issue.kind, short(row.source), short(row.note), texts.get(row.source, "")[:60]]
        for issue in report.issues
        for row in issue.rows[:SHOWN_ROWS]
    ]
    parts: list[RenderableType] = [head]
    parts += [table("", ["level", "issue", "#count", "what"], rows)] if rows else ["no issues"]
    parts += [table("First rows of each", ["issue", "row", "why", "text"], shown)] if shown else []
    return parts


def _list(changes: Sequence[Change], listing: Path) -> None:
    """Every change on stderr; of very many the first ones, and all of them in the file."""
    for change in changes[:SHOWN_CHANGES]:
        note(f"{change.action} {change.source} ({change.kind}): {change.reason}")
    if len(changes) > SHOWN_CHANGES:
        note(f"… and {len(changes) - SHOWN_CHANGES:,} more, all listed in {listing}")
    counts = {**_counts(changes, "drop"), **_counts(changes, "relabel")}
    note("; ".join(f"{kind}: {count:,}" for kind, count in counts.items()) or "nothing to change")


def _counts(changes: Sequence[Change], action: str) -> dict[str, int]:
    return dict(Counter(change.kind for change in changes if change.action == action))
