"""Read a recipe from YAML or a dict, and tell everything that is wrong with it at once.

Each problem comes with its file and line and, for an unknown key, the nearest known one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from takeroot.errors import RecipeError
from takeroot.recipe.models import Recipe, keys

_COMMAND_LINE = "command line"
_PATHS = ("path", "test", "unlabelled", "paths")  # keys under data that hold paths

Kind = TypeVar("Kind", bound=BaseModel)


def load(
    path: Path,
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe in a YAML file, with changes from the command line.

    Raises:
        RecipeError: If anything in it cannot be used; the message lists every problem.
    """
    return load_kind(Recipe, path, overrides, options)


def load_kind(
    kind: type[Kind],
    path: Path,
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Kind:
    """The recipe of some kind in a YAML file, with changes from the command line.

    Args:
        kind: Its model.
        path: The file.
        overrides: Changes as ``key=value``, such as ``fit.seed=7``; values are read as YAML.
        options: Changes by dotted key, values as they are; they win over ``overrides``.

    Raises:
        RecipeError: If anything in it cannot be used; the message lists every problem.
    """
    values, lines, problems = _parse(path)
    _resolve_paths(values, path.parent)
    where = {key: f"{path}:{line}" for key, line in lines.items()}
    return _build(kind, values, overrides, options or {}, {"": str(path), **where}, problems)


def from_dict(
    values: Mapping[str, Any],
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe with these settings, nested as in YAML; see :func:`load_kind` for the changes."""
    return from_dict_of(Recipe, values, overrides, options)


def from_dict_of(
    kind: type[Kind],
    values: Mapping[str, Any],
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Kind:
    """The recipe of some kind with these settings, nested as in YAML."""
    return _build(kind, _copy(values), overrides, options or {}, {"": "recipe"}, [])


def render(recipe: BaseModel) -> str:
    """The recipe as YAML with every key, its default where it was not set."""
    values = recipe.model_dump(mode="json")
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def schema(kind: type[BaseModel] = Recipe) -> dict[str, Any]:
    """JSON Schema of a recipe, for editors."""
    return kind.model_json_schema()


class _Loader(yaml.SafeLoader):
    """YAML without aliases (a small file could stand for gigabytes), where 1e-4 is a number."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _parse(path: Path) -> tuple[dict[str, Any], dict[str, int], list[str]]:
    """Values, the line of every dotted key, and problems of the file's form."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8-sig"))
        node = loader.get_single_node()
        values = None if node is None else loader.construct_document(node)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from error
    if values is None:
        return {}, {}, []
    if not isinstance(values, dict):
        raise RecipeError(f"{path}:1: a recipe is a mapping such as 'data: {{path: train.csv}}'")
    lines: dict[str, int] = {}
    return values, lines, list(_repeated_keys(node, str(path), "", lines))


def _repeated_keys(
    node: yaml.Node | None, path: str, prefix: str, lines: dict[str, int]
) -> Iterator[str]:
    """Problems with keys given twice; fills ``lines`` on the way."""
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        key = f"{prefix}{name.value}"
        line = name.start_mark.line + 1
        if key in lines:
            yield f"{path}:{line}: {key}: given twice, first in line {lines[key]}"
        lines[key] = line
        yield from _repeated_keys(value, path, f"{key}.", lines)


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    """Make the paths of a recipe file count from its folder."""
    given = values.get("data")
    data: dict[str, Any] = given if isinstance(given, dict) else {}
    for name in _PATHS:
        if isinstance(data.get(name), str):
            data[name] = str(folder / data[name])
        elif isinstance(data.get(name), list):
            data[name] = [str(folder / p) if isinstance(p, str) else p for p in data[name]]
    for also in data.get("also") or ():
        if isinstance(also, dict) and isinstance(also.get("path"), str):
            also["path"] = str(folder / also["path"])
    _resolve_models(values, folder)


def _resolve_models(values: dict[str, Any], folder: Path) -> None:
    """Make the models and bundles of a recipe file count from its folder, where they are there."""
    given = values.get("fit")
    fit: dict[str, Any] = given if isinstance(given, dict) else {}
    for part, name in ((values, "model"), (fit, "augment_model")):
        model = part.get(name)
        if isinstance(model, str) and "/" in model and (folder / model).is_dir():
            part[name] = str(folder / model)
    nli = fit.get("nli")
    if isinstance(nli, dict) and isinstance(nli.get("bundle"), str):
        nli["bundle"] = str(folder / nli["bundle"])


def _build(
    kind: type[Kind],
    values: dict[str, Any],
    overrides: Sequence[str],
    options: Mapping[str, Any],
    where: dict[str, str],
    problems: list[str],
) -> Kind:
    """The checked recipe after all changes; ``where`` tells each key's place."""
    changes = dict(_override(text) for text in overrides) | dict(options)
    for key, value in changes.items():
        _put(values, key, value)
        where[key] = _COMMAND_LINE
    try:
        recipe = kind.model_validate(values)
    except ValidationError as error:
        problems = [*problems, *_problems(error, where, list(keys(kind)))]
    if problems:
        raise RecipeError("\n".join(problems))
    return recipe


def _override(text: str) -> tuple[str, Any]:
    """Key and value of ``key=value``."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {text}: write it as KEY=VALUE, such as --set fit.seed=7")
    try:
        return key.strip(), yaml.load(value, _Loader)  # _Loader is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"--set {text}: the value is not valid YAML") from error


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in nested mappings."""
    *parents, name = key.split(".")
    for parent in parents:
        inner = values.get(parent)
        if not isinstance(inner, dict):
            inner = values[parent] = {}
        values = inner
    values[name] = value


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings copied, so that changes stay out of the caller's."""
    return {k: _copy(v) if isinstance(v, Mapping) else v for k, v in values.items()}


def _problems(error: ValidationError, where: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """One line a key that is wrong: place, key, what is wrong, what was found."""
    found: dict[str, list[str]] = {}
    for detail in error.errors():
        key = _key(detail["loc"], known)
        if detail["type"] == "extra_forbidden" and key not in known:
            message = f"unknown key{_nearest(key, known)}"
        else:
            message = detail["msg"].removeprefix("Value error, ").replace("Input should", "should")
            shown = repr(detail["input"])
            message += "" if detail["type"] == "value_error" else f", got {shown[:80]}"
        found.setdefault(key, []).append(message)
    return [
        ": ".join(filter(None, [_place(key, where), key, " or ".join(text)]))
        for key, text in found.items()
    ]


def _key(loc: tuple[int | str, ...], known: Sequence[str]) -> str:
    """The dotted key of an error, without the branches of a union that pydantic adds."""
    key = ".".join(str(part) for part in loc)
    leaves = [name for name in known if key.startswith(f"{name}.")]
    return leaves[0] if leaves else key


def _nearest(key: str, known: Sequence[str]) -> str:
    """A hint at the key that was probably meant."""
    section, _, name = key.rpartition(".")
    same_name = [other for other in known if other.rpartition(".")[2] == name]
    close = same_name or difflib.get_close_matches(key, known, 1, cutoff=0.7)
    if close:
        return f"; did you mean {close[0]}?"
    depth = key.count(".")
    siblings = {other.split(".")[depth] for other in known if other.startswith(section)}
    return f"; allowed: {', '.join(sorted(siblings))}"


def _place(key: str, where: Mapping[str, str]) -> str:
    """Where a key, or the nearest one above it, was given."""
    while key and key not in where:
        key = key.rpartition(".")[0]
    return where[key]
