"""``takeroot serve``: answer over REST and gRPC, with a page to try a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from takeroot.errors import require

if TYPE_CHECKING:
    from takeroot.serve.server import Addresses
    from takeroot.serve.service import Service


def serve(  # one parameter an option, as typer wants it
    folder: Annotated[Path, typer.Argument(help="A bundle, or a folder of bundles.")],
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Of REST and the page [8000].")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="Of gRPC [8001]; -1 does without.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one a core.")] = None,
    tokens: Annotated[Path | None, typer.Option(help="File of tokens; see takeroot token.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Be reachable without tokens and TLS.")
    ] = None,
    hosts: Annotated[
        list[str] | None, typer.Option("--hosts", help="Host name clients may use; * for any.")
    ] = None,
    origins: Annotated[
        list[str] | None, typer.Option("--origins", help="Web origin that may call (CORS).")
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", help="Longest a request may take, seconds [30].")
    ] = None,
    drain_delay_s: Annotated[
        float | None,
        typer.Option("--drain-delay", help="Seconds between unready and closed, at the end [1]."),
    ] = None,
    queue_texts: Annotated[int | None, typer.Option(help="Texts that may wait [512].")] = None,
    wait_s: Annotated[
        float | None,
        typer.Option("--wait", help="Seconds a request may be expected to wait [0.3]."),
    ] = None,
    queue_answers: Annotated[
        int | None, typer.Option(help="Texts to write that may wait [32].")
    ] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Tokens a request may ask a text to have [1024].")
    ] = None,
    max_inputs: Annotated[int | None, typer.Option(help="Texts in a request [256].")] = None,
    max_chars: Annotated[int | None, typer.Option(help="Characters of a text [65536].")] = None,
    max_body_bytes: Annotated[int | None, typer.Option(help="Of a request [2097152].")] = None,
    cache: Annotated[
        list[str] | None,
        typer.Option(
            "--cache",
            metavar="MODEL=ENTRIES",
            help="Keep so many answers of a model for texts that are asked again.",
        ),
    ] = None,
    cache_bytes: Annotated[
        int | None, typer.Option(help="Memory for one model's kept answers [67108864].")
    ] = None,
    traces: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send OpenTelemetry traces there, over OTLP/HTTP."),
    ] = None,
    usage: Annotated[
        Path | None, typer.Option(help="SQLite file that keeps what each token used.")
    ] = None,
    log_requests: Annotated[
        bool | None, typer.Option("--log-requests", help="Log a line a request, without its text.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Folder to keep texts and answers in; without it none are kept."),
    ] = None,
    mask: Annotated[
        bool | None, typer.Option("--mask", help="Replace personal data in what is recorded.")
    ] = None,
    mask_names: Annotated[
        Path | None, typer.Option(help="Names to replace as well: a file with one a line.")
    ] = None,
    mask_key_file: Annotated[
        Path | None, typer.Option(help="Key for pseudonyms that stay the same.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the addresses as one JSON object.")
    ] = False,
) -> None:
    """Answer over REST (with a page to try a model) and gRPC, until stopped.

    Every option can also be given as TAKEROOT_PORT and so on.
    """
    given = locals()  # each option under the name of its setting
    for module in ("msgspec", "uvicorn", "prometheus_client", "grpc"):
        require(module, extra="serve")
    from takeroot.serve.logs import logging_to_stderr
    from takeroot.serve.server import run
    from takeroot.serve.settings import Settings, read_settings

    settings = read_settings({name: given[name] for name in Settings.model_fields if name in given})

    def started(service: Service, addresses: Addresses) -> None:
        models = [f"{info.name} {info.version}" for info in service.models()]
        if as_json:
            body = {"rest": addresses.rest, "grpc": addresses.grpc, "models": models}
            typer.echo(json.dumps(body))
            return
        typer.echo(f"serving {', '.join(models)}")
        typer.echo(f"REST and the page: {addresses.rest}   API: {addresses.rest}/docs")
        if addresses.grpc is not None:
            typer.echo(f"gRPC: {addresses.grpc}")

    with logging_to_stderr():
        run(folder, settings, started)
