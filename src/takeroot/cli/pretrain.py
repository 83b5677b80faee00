"""``takeroot pretrain``: from texts without labels to an encoder that ``fit`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from takeroot.cli.helping import Processes, help_if_asked
from takeroot.cli.output import Result, answering, table
from takeroot.stop import Stopped

if TYPE_CHECKING:
    from rich.console import RenderableType


@answering
def pretrain(
    recipe: Annotated[
        Path | None,
        typer.Argument(metavar="RECIPE", help="YAML file, see examples/pretrain-*.yaml."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="New model folder; a free one in models/.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting.")
    ] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Let the model be fetched from the hub.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Go on with one that was cut off.")
    ] = None,
    processes: Processes = None,
) -> Result:
    """Make an encoder from texts without labels, or go on with one.

    Reads the files, trains a tokenizer or takes the model's, learns from the texts, measures on
    documents held out, and writes a model folder for takeroot fit --model.
    One that was cut off, or stopped with SIGTERM, goes on with --resume.
    """
    from takeroot import api
    from takeroot.cli.progress import shown
    from takeroot.cli.stop import end_of, stoppable

    help_if_asked()
    with shown() as progress, stoppable() as stop:
        try:
            summary = api.pretrain(
                recipe,
                changes or [],
                out=out,
                allow_download=allow_download,
                progress=progress,
                processes=processes,
                resume=resume,
                stop=stop,
            )
        except Stopped as stopped:
            return end_of(stopped, stop, "pretrain")
    return Result(summary, lambda: summarise(summary))


def summarise(summary: dict[str, Any]) -> list[RenderableType]:
    """The figures a person looks at first."""
    before, after = summary["before"], summary["after"]
    rows = [[name.replace("_", " "), f"{before[name]:.4g}", f"{after[name]:.4g}"] for name in after]
    documents, tokens = summary["documents"], summary["tokens"]
    return [
        f"{documents['train']:,} documents, {tokens['train']:,} tokens; "
        f"{documents['held_out']:,} documents held out",
        table("", ["held out", "#before", "#after"], rows),
        f"{summary['parameters'] / 1e6:.1f} million parameters, {summary['vocabulary']:,} tokens, "
        f"{summary['seconds']:.0f} s",
        f"model: {summary['model']}",
        f"report: {summary['model']}/report.html",
    ]
