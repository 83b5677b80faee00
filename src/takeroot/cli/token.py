"""``takeroot token``: who may call a server that runs elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from takeroot.cli.output import Result, answering, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from takeroot.serve.tokens import Created, Token

app = typer.Typer(help="Create, list or revoke the tokens of a server.", no_args_is_help=True)
Tokens = Annotated[Path, typer.Option(help="Token file of the server.")]
DEFAULT = Path("tokens.json")


@app.command()
@answering
def create(
    name: Annotated[str, typer.Option(help="New name; usage is counted by it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="predict (default), feedback, models, metrics or admin; repeatable."),
    ] = None,
    expires: Annotated[str, typer.Option(help="After this time: 90d, 12h, 2w, or never.")] = "90d",
    rate: Annotated[
        str | None, typer.Option(help="Requests a second, minute or hour: 50/s, 600/m, 100/h.")
    ] = None,
    burst: Annotated[
        int | None, typer.Option(help="Requests at once; by default a second's worth.")
    ] = None,
    daily: Annotated[int | None, typer.Option(help="Texts a day (UTC).")] = None,
    tokens: Tokens = DEFAULT,
) -> Result:
    """Add a token and print its secret, this once.

    The file holds only a hash of it. A running server takes the token within a second.
    """
    from takeroot.errors import RecipeError
    from takeroot.serve.limits import parse_rate
    from takeroot.serve.tokens import create, parse_lifetime

    if rate is None and burst is not None:
        raise RecipeError(f"burst {burst}: needs a rate, such as --rate 50/s")
    made = create(
        tokens,
        name,
        scope or ["predict"],
        lifetime=parse_lifetime(expires),
        rate=None if rate is None else parse_rate(rate, burst),
        daily=daily,
    )
    payload = {"tokens": str(tokens), "secret": made.secret, **_described(made.token)}
    return Result(payload, lambda: _shown(made, tokens))


@app.command("list")
@answering
def show(tokens: Tokens = DEFAULT) -> Result:
    """List the tokens: scopes, limits, when they end."""
    from takeroot.serve.tokens import read

    found = [_described(token) for token in read(tokens).tokens]
    columns = ["name", "state", "scopes", "expires (UTC)", "#rate/s", "#burst", "#texts/day"]
    return Result(
        {"tokens": str(tokens), "list": found},
        lambda: [table("", columns, [_row(token) for token in found])],
    )


@app.command()
@answering
def revoke(
    name: Annotated[str, typer.Argument(help="A name from takeroot token list.")],
    tokens: Tokens = DEFAULT,
) -> Result:
    """Revoke a token; a running server refuses it within a second or two."""
    from takeroot.serve.tokens import revoke

    token = revoke(tokens, name)
    return Result(
        {"tokens": str(tokens), **_described(token)}, lambda: [f"{name} is revoked in {tokens}"]
    )


def _described(token: Token) -> dict[str, Any]:
    """What may be shown of a token: all that the file has but the hash."""
    from datetime import UTC, datetime

    kept = token.model_dump(mode="json", exclude={"sha256"})
    return {"name": token.name, "state": token.state(datetime.now(UTC)), **kept}


def _row(token: dict[str, Any]) -> list[str]:
    """A described token in a table."""
    rate = token["rate"] or {"per_s": None, "burst": None}
    until = token["expires"] and token["expires"][:16].replace("T", " ")
    per_s = rate["per_s"] and f"{rate['per_s']:.3g}"
    cells = [token["name"], token["state"], " ".join(token["scopes"]), until]
    cells += [per_s, rate["burst"], token["daily"]]
    return ["-" if cell is None else str(cell) for cell in cells]


def _shown(made: Created, tokens: Path) -> list[RenderableType]:
    """The secret on a line of its own, and what to know about it."""
    from rich.text import Text

    token = made.token
    until = f"until {token.expires:%Y-%m-%d %H:%M} UTC" if token.expires else "for ever"
    about = f"{token.name}: {', '.join(token.scopes)}, {until}; its hash is in {tokens}."
    return [
        Text(made.secret, no_wrap=True, overflow="ignore"),
        Text(f"{about} The secret is shown this once."),
        Text("Send it as the header  Authorization: Bearer SECRET"),
    ]
