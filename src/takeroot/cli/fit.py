"""``takeroot fit``: from labelled examples to a verified bundle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from takeroot.cli.columns import Encoding, Format, Header, Label, Second, Text, how
from takeroot.cli.helping import Processes, help_if_asked
from takeroot.cli.output import Result, answering, table
from takeroot.stop import Stopped

if TYPE_CHECKING:
    from rich.console import RenderableType

    from takeroot.api import Model

RECIPES = (".yaml", ".yml")


@answering
def fit(
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA_OR_RECIPE", help="Labelled file, or a recipe.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="Recipe for DATA, see examples/.")] = None,
    test: Annotated[Path | None, typer.Option(help="Labelled file for the final figures.")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder; a free one in runs/.")] = None,
    text: Text = None,
    label: Label = None,
    second: Second = None,
    header: Header = None,
    encoding: Encoding = None,
    form: Format = None,
    task: Annotated[
        str | None, typer.Option(help="classify, multilabel, pair, tag, generate or seq2seq.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Packaged name, folder, or hub id.")] = None,
    preset: Annotated[str | None, typer.Option(help="fast, balanced or best.")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds for the whole run.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting.")
    ] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Let MODEL be fetched from the hub.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was cut off.")
    ] = None,
    processes: Processes = None,
) -> Result:
    """Make a verified bundle from a labelled file or a recipe.

    Reads and checks the file, tries several methods within the time limit, keeps the one that
    held-out rows support, calibrates it, exports it, and measures what was exported.
    A run that was cut off, or stopped with SIGTERM, goes on with --resume.
    """
    from takeroot import api

    help_if_asked()
    if data is not None and data.suffix.lower() in RECIPES:
        data, recipe = None, data
    options = {
        "data": data,
        "test": test,
        "text": text,
        "label": label,
        "second": second,
        **how(header, encoding, form),
        "task": task,
        "model": model,
        "preset": preset,
        "time_limit_s": time_limit,
        "seed": seed,
    }
    if resume is not None:
        given = {**options, "recipe": recipe, "set": changes, "out": out}
        names = [name for name, value in given.items() if value is not None]
        go_on = partial(api.go_on, resume, names, processes=processes)
        return _made(partial(go_on, allow_download=allow_download))
    wanted = api.settings(recipe, changes or [], **options)
    return _made(partial(api.run, wanted, out, allow_download=allow_download, processes=processes))


def _made(make: Callable[..., Model]) -> Result:
    """What a fit came to: a bundle, or a run that can be gone on with."""
    from takeroot.cli.progress import shown
    from takeroot.cli.stop import end_of, stoppable

    with shown() as progress, stoppable() as stop:
        try:
            summary = make(progress=progress, stop=stop).summary
        except Stopped as stopped:
            return end_of(stopped, stop, "fit")
    return Result(summary, lambda: summarise(summary))


def summarise(summary: dict[str, Any]) -> list[RenderableType]:
    """The figures a person looks at first."""
    rows = [
        [
            ("* " if candidate["method"] == summary["method"] else "  ") + candidate["method"],
            f"{candidate['seconds']:.0f}",
            _percent(candidate["valid"]),
        ]
        for candidate in summary["candidates"]
    ]
    lines = [
        f"{part.replace('_', ' ')}: "
        + ", ".join(f"{name} {_percent(value)}" for name, value in figures.items())
        for part in ("valid", "test_before", "test")
        if (figures := _headline(summary.get(part)))
    ]
    return [
        table("", ["candidate", "#seconds", "#validation"], rows),
        *lines,
        f"{summary['precision']}, {summary['artifact_mb']:.1f} MB, {summary['seconds']:.0f} s",
        f"bundle: {summary['bundle']}",
        f"report: {summary['bundle']}/report.html",
    ]


def _headline(figures: dict[str, Any] | None) -> dict[str, Any]:
    """The figures of an evaluation that fit in a line."""
    wanted = ["accuracy", "macro_f1", "micro_f1", "entity_f1", "ece", "coverage"]
    wanted += ["rouge_l", "bleu", "chrf", "exact_match"]
    return {name: figures[name] for name in wanted if figures and figures.get(name) is not None}


def _percent(value: Any) -> str:
    """A share as a percentage; anything else as it is."""
    return f"{100 * value:.2f} %" if isinstance(value, float) else str(value)
