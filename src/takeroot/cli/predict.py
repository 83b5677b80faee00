"""``takeroot predict``: answers beside every row of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from takeroot.cli.columns import Encoding, Format, Header, Second, Text, how
from takeroot.cli.output import Result, answering, note

if TYPE_CHECKING:
    from takeroot.data.table import Reject

SHOWN_REJECTS = 5


@answering
def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle, or the run folder around it.")],
    file: Annotated[Path, typer.Argument(help="File with a text a row.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="New file: .csv, .tsv, .jsonl or .parquet.")
    ],
    text: Text = None,
    second: Second = None,
    header: Header = None,
    encoding: Encoding = None,
    form: Format = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Texts worked on at once.")] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of an answer (generate, seq2seq).")
    ] = None,
) -> Result:
    """Write a file with an answer beside every row.

    All input columns are kept; predicted, confidence, abstained and reason follow.
    """
    import time

    from takeroot import answers, api
    from takeroot.data.write import writer

    writer(out)  # a wrong name is told before the work
    start = time.perf_counter()
    table = api.read_any(file, **how(header, encoding, form))
    _tell(file, table.rejects)
    model = api.load(bundle, threads)
    outcome = answers.answer_table(model.predictor, table, out, text, second, max_new_tokens)
    seconds = time.perf_counter() - start
    payload: dict[str, Any] = {
        "bundle": str(model.bundle),
        "out": str(out),
        "rows_in": table.rows_in,
        "rows_out": outcome.rows,
        "abstained": outcome.abstained,
        "rejected": len(table.rejects),
        "rejects": [{"line": it.line, "reason": it.reason} for it in table.rejects[:1000]],
        "columns": list(outcome.columns),
        "seconds": round(seconds, 3),
    }
    line = f"{out}: {outcome.rows:,} rows, {outcome.abstained:,} abstained, {seconds:.1f} s"
    return Result(payload, lambda: [line])


def _tell(file: Path, rejects: list[Reject]) -> None:
    """Name the rows that could not be read, the first of many in full."""
    for reject in rejects[:SHOWN_REJECTS]:
        note(f"{file}:{reject.line}: left out: {reject.reason}")
    if len(rejects) > SHOWN_REJECTS:
        note(f"{file}: {len(rejects):,} rows left out in all; --json lists up to 1,000")
