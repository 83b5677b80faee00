"""The one tree of errors a user can cause, each with the exit code the command ends with.

A message says where (file and line, recipe key, bundle file), what was found, and what is allowed
or what to do. Each error is also a fitting builtin, so that callers may catch either.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class TakerootError(Exception):
    """Anything a user can put right; the command prints it as one line and ends with exit_code."""

    exit_code = 1


class RecipeError(TakerootError, ValueError):
    """A recipe key or command-line option that cannot be used."""


class DataError(TakerootError, ValueError):
    """A file, row or label that cannot be used."""


class ModelError(TakerootError, ValueError):
    """A pretrained model that is missing, not allowed, or does not fit the task."""


class BundleError(TakerootError, ValueError):
    """A bundle that is incomplete, changed, linked, of an unknown format, or cannot be written."""


class CheckpointError(TakerootError, ValueError):
    """A checkpoint that is damaged or cannot be written, or a run that cannot be gone on with."""


class MissingExtraError(TakerootError, ImportError):
    """A package of an optional extra is not installed."""


class GateError(TakerootError):
    """A required figure was not reached."""

    exit_code = 2


class DiskFullError(TakerootError, OSError):
    """No space was left to write to; nothing half-written was left behind."""

    exit_code = 3


class OutOfMemoryError(TakerootError, MemoryError):
    """The work does not fit into the memory this process may use."""

    exit_code = 4


def require(module: str, extra: str) -> ModuleType:
    """The imported module.

    Args:
        module: Its import name, such as ``torch``.
        extra: The extra of takeroot that installs it.

    Raises:
        MissingExtraError: If it is not installed; the message is the exact pip command.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f'{module} is not installed; run: pip install "takeroot[{extra}]"'
        ) from error
