"""How a server is set up: by options of ``takeroot serve``, or by ``TAKEROOT_*`` variables.

``TAKEROOT_PORT=9000`` is ``--port 9000``; an option wins over a variable.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from takeroot.bundle.cores import usable_cores
from takeroot.errors import RecipeError

PREFIX = "TAKEROOT_"
_CACHE = re.compile(r"[a-z0-9._-]+=[1-9][0-9]{0,8}")


class Settings(BaseModel):
    """Every setting of a server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Of REST and the page; 0 for any free.")
    grpc_port: int = Field(
        8001, ge=-1, le=65_535, description="Of gRPC; 0 for any free, -1 for none."
    )
    workers: int | None = Field(None, ge=1, le=256, description="Processes; one a core if absent.")
    tokens: Path | None = Field(None, description="File of tokens; without it, anyone may call.")
    tls_cert: Path | None = Field(None, description="Certificate chain, PEM.")
    tls_key: Path | None = Field(None, description="Its private key, PEM.")
    insecure: bool = Field(False, description="Listen beyond loopback without tokens and TLS.")
    hosts: tuple[str, ...] = Field(
        (), description="Host names clients may use, beside the address itself; * for any."
    )
    origins: tuple[str, ...] = Field((), description="Web origins whose pages may call (CORS).")
    timeout_s: float = Field(30.0, gt=0, description="Longest a request may take.")
    drain_delay_s: float = Field(
        1.0, ge=0, description="Between readiness turned off and the listener closed, at the end."
    )
    queue_texts: int = Field(512, ge=1, description="Texts that may wait; beyond, 429.")
    wait_s: float = Field(
        0.3, gt=0, description="Longest a request may be expected to wait; beyond, 429."
    )
    queue_answers: int = Field(32, ge=1, description="Texts to write that may wait; beyond, 429.")
    max_new_tokens: int = Field(
        1024, ge=1, le=65_536, description="Tokens one request may ask a text to have."
    )
    max_inputs: int = Field(256, ge=1, description="Texts in one request.")
    max_chars: int = Field(65_536, ge=1, description="Characters of one text.")
    max_body_bytes: int = Field(2 << 20, ge=1024, description="Of a request, unpacked.")
    max_json_depth: int = Field(32, ge=4, description="Levels of a request's JSON.")
    cache: tuple[str, ...] = Field(
        (), description="MODEL=ENTRIES: so many answers of a model are kept; none if absent."
    )
    cache_bytes: int = Field(64 << 20, ge=1024, description="Memory one model's kept answers take.")
    traces: str | None = Field(
        None,
        pattern=r"^https?://[^/]+",
        description="Collector of OpenTelemetry traces (OTLP/HTTP); none are made if absent.",
    )
    usage: Path | None = Field(None, description="SQLite file usage is kept in; memory if absent.")
    log_requests: bool = Field(False, description="A line in the log for every request.")
    record: Path | None = Field(
        None, description="Folder that texts and answers are kept in; none are kept if absent."
    )
    mask: bool = Field(False, description="Replace personal data in what is recorded.")
    mask_names: Path | None = Field(None, description="Names to replace as well, one a line.")
    mask_key_file: Path | None = Field(None, description="Key for stable pseudonyms.")

    @cached_property
    def cache_entries(self) -> dict[str, int]:
        """How many answers are kept, by model."""
        return {name: int(count) for name, _, count in (each.partition("=") for each in self.cache)}

    @property
    def processes(self) -> int:
        """How many workers there are."""
        return self.workers or usable_cores()

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.tls_cert is not None

    @property
    def url_host(self) -> str:
        """The host as a URL has it."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @field_validator("cache")
    @classmethod
    def _readable(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            if not _CACHE.fullmatch(each):
                raise ValueError("write MODEL=ENTRIES, such as shop=10000")
        return given

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if not self.loopback and not self.insecure and not (self.tls and self.tokens):
            raise ValueError(
                f"host {self.host!r} can be reached from other machines; it needs tokens, tls_cert "
                "and tls_key, or --insecure to do without"
            )
        if self.record is None and (self.mask or self.mask_names or self.mask_key_file):
            raise ValueError(
                "mask is about what is recorded: without --record FOLDER no text is kept or "
                "logged, and there is nothing to mask"
            )
        return self


def read_settings(
    options: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> Settings:
    """The settings given by options, and by variables where an option is None.

    Raises:
        RecipeError: If a value is not allowed; the message names option or variable.
    """
    values: dict[str, Any] = {}
    source = {}
    for name, about in Settings.model_fields.items():
        variable = PREFIX + name.upper()
        if options.get(name) is not None:
            values[name], source[name] = (
                options[name],
                "--" + name.removesuffix("_s").replace("_", "-"),
            )
        elif variable in environment:
            text = environment[variable]
            several = "tuple" in str(about.annotation)
            values[name] = tuple(filter(None, text.split(","))) if several else text
            source[name] = variable
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        where = f"{source.get(name, name)}: " if name else ""
        message = str(first["msg"]).removeprefix("Value error, ")
        given = f", got {first['input']!r:.80}" if name else ""
        raise RecipeError(f"{where}{message}{given}") from error
