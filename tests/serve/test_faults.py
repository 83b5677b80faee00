"""The fixed catalogue of refusals."""

from __future__ import annotations

import re
from typing import Any

import pytest

from takeroot.serve.faults import FAULTS, ServeError

GRPC = {"INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "NOT_FOUND"}
GRPC |= {"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "UNAVAILABLE", "INTERNAL"}


@pytest.mark.parametrize("code", FAULTS)
def test_every_fault_has_a_status_in_both_protocols(code: str) -> None:
    fault = FAULTS[code]

    assert 400 <= fault.http < 600
    assert fault.grpc in GRPC


@pytest.mark.parametrize("code", FAULTS)
def test_every_fault_can_be_raised_without_its_fields(code: str) -> None:
    error = ServeError(code)

    assert (error.code, error.message, str(error)) == (code, FAULTS[code].message, error.message)


@pytest.mark.parametrize("code", [code for code in FAULTS if FAULTS[code].more])
def test_every_field_is_shown_where_it_is_given(code: str) -> None:
    (field,) = re.findall(r"{(\w+)}", FAULTS[code].more)

    assert "31" in ServeError(code, **{field: 31}).message


def test_names_are_joined() -> None:
    assert ServeError("unknown_model", known=["a", "b"]).message.endswith("; there are: a, b")


def test_braces_in_a_value_stand_for_themselves() -> None:
    assert ServeError("invalid_request", reason="{limit}").message.endswith(": {limit}")


def test_an_unknown_code_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        ServeError("teapot")


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(None, None), (0.0, "1"), (0.2, "1"), (1.0, "1"), (2.4, "3"), (60, "60")],
)
def test_a_client_is_never_told_to_come_again_too_early(seconds: Any, header: str | None) -> None:
    assert ServeError("overloaded", retry_after_s=seconds).retry_after == header
