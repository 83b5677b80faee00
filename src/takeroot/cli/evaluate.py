"""``takeroot evaluate``: figures of a bundle on labelled rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from takeroot.cli.columns import Encoding, Format, Header, Label, Second, Text, how
from takeroot.cli.output import Result, answering, note, table
from takeroot.errors import GateError

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN = 5


@answering
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Bundle, or the run folder around it.")],
    file: Annotated[Path, typer.Argument(help="Labelled file.")],
    against: Annotated[
        Path | None, typer.Option(metavar="BUNDLE", help="A second bundle to compare with.")
    ] = None,
    out_of_scope: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Label of rows that no label of the model covers."),
    ] = None,
    gates: Annotated[
        list[str] | None,
        typer.Option("--gate", metavar="FIGURE>=NUMBER", help="End with 2 unless it is reached."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    text: Text = None,
    label: Label = None,
    second: Second = None,
    header: Header = None,
    encoding: Encoding = None,
    form: Format = None,
) -> Result:
    """Print figures on labelled rows, with 95 % intervals."""
    from takeroot import api, scoring
    from takeroot.evaluate import gate

    wanted = [gate.parse(each) for each in gates or []]
    rows = api.read_any(file, **how(header, encoding, form))
    columns = {"text": text, "label": label, "second": second}
    model = api.load(bundle)
    scored = scoring.score(model.predictor, rows, columns, out_of_scope)
    payload: dict[str, Any] = {"bundle": str(model.bundle), **scored.to_json()}
    if against is not None:
        other = scoring.score(api.load(against).predictor, rows, columns, out_of_scope)
        payload["against"] = scoring.against(scored, other, out_of_scope).to_json()
    verdicts = gate.check(payload, wanted)
    payload["gates"] = [verdict.to_json() for verdict in verdicts]
    if report is not None:
        _write_report(report, payload, model.spec.name)
    try:
        gate.demand(verdicts)
    except GateError as error:
        note(f"error: {error}")
        return Result(payload, lambda: summarise(payload), error.exit_code)
    return Result(payload, lambda: summarise(payload))


def summarise(payload: dict[str, Any]) -> list[RenderableType]:
    """The figures, the most frequent confusions, and the comparison."""
    intervals = payload["intervals"]
    figures = [
        [name, _shown(value), " to ".join(_shown(end) for end in intervals.get(name, []))]
        for name, value in payload.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    mistakes = [
        [str(each["gold"]), str(each["predicted"]), str(each["count"]), (each["texts"] or [""])[0]]
        for each in payload["confusions"][:SHOWN]
    ]
    parts: list[RenderableType] = [table("", ["figure", "#value", "95 % interval"], figures)]
    if mistakes:
        parts.append(table("", ["gold", "predicted", "#rows", "such as"], mistakes))
    if "against" in payload:
        parts.append(payload["against"]["verdict"])
    return parts


def _write_report(path: Path, payload: dict[str, Any], name: str) -> None:
    """The figures as an HTML page."""
    from takeroot.evaluate.report import render_report
    from takeroot.files import write_text

    evidence = {"fit": {"name": name, "task": payload["task"]}, "metrics": {"test": payload}}
    write_text(path, render_report(evidence))


def _shown(value: float) -> str:
    """A number as it is read best."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
