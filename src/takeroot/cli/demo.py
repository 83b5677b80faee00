"""``takeroot demo``: the whole way on a packaged data set, from file to answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from takeroot.cli.fit import summarise
from takeroot.cli.output import Result, answering, table

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN = 6  # in-scope messages; as many out-of-scope ones where there are any


class Language(StrEnum):
    """The demo sets there are."""

    en = "en"
    zh = "zh"


@answering
def demo(
    language: Annotated[Language, typer.Option(help="English or Chinese messages.")] = Language.en,
    out: Annotated[Path | None, typer.Option(help="New folder; runs/demo-LANGUAGE.")] = None,
    time_limit: Annotated[float, typer.Option(help="Seconds for the fit.")] = 120,
) -> Result:
    """Fit packaged customer-service messages; show some answers."""
    from takeroot import api, scoring
    from takeroot.cli.progress import shown
    from takeroot.demo import OUT_OF_SCOPE, demo_set

    files = demo_set(language.value)
    name = {"output": {"name": f"demo-{language.value}"}}
    wanted = api.settings(name, data=files.train, test=files.test, time_limit_s=time_limit)
    folder = api.run_folder(wanted, out)
    with shown() as progress:
        model = api.run(wanted, folder, progress=progress)
    for path in (files.train, files.test, files.out_of_scope):
        if path is not None:
            shutil.copy(path, folder)
    examples = [row.values for row in api.read_any(files.test).rows[:SHOWN]]
    payload: dict[str, Any] = {**model.summary, "folder": str(folder)}
    if files.out_of_scope:
        odd = api.read_any(files.out_of_scope)
        examples += [row.values for row in odd.rows[:SHOWN]]
        both = scoring.joined(api.read_any(files.test), odd)
        figures = scoring.score(model.predictor, both, {}, OUT_OF_SCOPE)
        payload["out_of_scope"] = figures.to_json()
    answers = model.predict([cells["text"] for cells in examples])
    payload["answers"] = [
        {"text": cells["text"], "intent": cells["intent"], **answer.to_json()}
        for cells, answer in zip(examples, answers, strict=True)
    ]
    return Result(payload, lambda: [*summarise(model.summary), *_answers(payload)])


def _answers(payload: dict[str, Any]) -> Iterator[RenderableType]:
    """The example messages and what the model makes of them, and of all out-of-scope ones."""
    rows = [
        [
            answer["text"],
            answer["intent"],
            f"({answer['reason']})" if answer["abstained"] else answer["label"],
            f"{answer['confidence']:.2f}",
        ]
        for answer in payload["answers"]
    ]
    yield table("", ["message", "intent", "answer", "#confidence"], rows)
    if "out_of_scope" in payload:
        found = payload["out_of_scope"]
        yield (
            f"of {found['out_of_scope']} out-of-scope messages {found['out_of_scope_recall']:.0%} "
            f"are abstained on, of {found['in_scope']} others {found['in_scope_rejected']:.0%}"
        )
