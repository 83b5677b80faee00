"""``takeroot serve``: answer over REST and gRPC, with a page to try a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
        bool, typer.Option("--insecure", help="Be reachable without tokens and TLS.")
    ] = False,
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
    max_inputs: Annotated[int | None, typer.Option(help="Texts in a request [256].")] = None,
    max_chars: Annotated[int | None, typer.Option(help="Characters of a text [65536].")] = None,
    max_body_bytes: Annotated[int | None, typer.Option(help="Of a request [2097152].")] = None,
    usage: Annotated[
        Path | None, typer.Option(help="SQLite file that keeps what each token used.")
    ] = None,
    log_requests: Annotated[
        bool, typer.Option("--log-requests", help="Log a line a request, without its text.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the addresses as one JSON object.")
    ] = False,
) -> None:
    """Answer over REST (with a page to try a model) and gRPC, until stopped.

    Every option can also be given as TAKEROOT_PORT and so on.
    """
    for module in ("msgspec", "uvicorn", "prometheus_client", "grpc"):
        require(module, extra="serve")
    from takeroot.serve.server import logging_to_stderr, run
    from takeroot.serve.settings import read_settings

    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "grpc_port": grpc_port,
        "workers": workers,
        "tokens": tokens,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "insecure": insecure or None,
        "hosts": tuple(hosts) if hosts else None,
        "origins": tuple(origins) if origins else None,
        "timeout_s": timeout_s,
        "drain_delay_s": drain_delay_s,
        "queue_texts": queue_texts,
        "max_inputs": max_inputs,
        "max_chars": max_chars,
        "max_body_bytes": max_body_bytes,
        "usage": usage,
        "log_requests": log_requests or None,
    }
    settings = read_settings(options)

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
