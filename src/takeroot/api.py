"""The Python interface: ``takeroot.fit`` makes a model, ``takeroot.load`` opens one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takeroot import recipe as recipes
from takeroot.errors import BundleError, DataError, RecipeError, require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from takeroot.bundle import Answer, Predictor, Spec
    from takeroot.data.table import Table
    from takeroot.recipe import Preset, Recipe, Task
    from takeroot.train.progress import Progress

    Input = str | tuple[str, str]

RUNS = Path("runs")
_KEYS = {
    "data": "data.path",
    "test": "data.test",
    "text": "data.text",
    "label": "data.label",
    "second": "data.second",
    "encoding": "data.encoding",
    "format": "data.format",
    "header": "data.header",
    "task": "task",
    "model": "model",
    "preset": "fit.preset",
    "time_limit_s": "fit.time_limit_s",
    "seed": "fit.seed",
}


class Model:
    """A verified bundle, ready to answer.

    Args:
        bundle: The bundle's folder.
        summary: What ``fit`` found out about it, where it was just made.
        threads: How many texts are worked on at once; every usable core when absent.

    Raises:
        BundleError: If any file of the bundle is missing, changed, or should not be there.
    """

    def __init__(
        self, bundle: Path, summary: dict[str, Any] | None = None, threads: int | None = None
    ) -> None:
        from takeroot.bundle import load_predictor

        self.bundle = bundle
        self.summary = summary or {}
        self.predictor: Predictor = load_predictor(bundle, threads)

    def __repr__(self) -> str:
        return f"Model({str(self.bundle)!r}, task={self.spec.task!r}, labels={len(self.labels)})"

    @property
    def spec(self) -> Spec:
        """What the model reads and answers."""
        return self.predictor.spec

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it knows; their order is that of ``predict_proba``'s columns."""
        return self.spec.labels

    @property
    def report_path(self) -> Path:
        """The HTML report."""
        return self.bundle / "report.html"

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """An answer for each text, or each pair of texts for task pair.

        Raises:
            DataError: If ``inputs`` is one bare text; give a list of one.
        """
        if isinstance(inputs, str):
            raise DataError(
                f"predict: takes a list of texts, got one text; write [{inputs[:40]!r}]"
            )
        return self.predictor.predict(inputs)

    def predict_proba(self, inputs: Sequence[Input]) -> NDArray[np.float64]:
        """Calibrated probabilities, a row a text, a column a label.

        Raises:
            DataError: If the task is tag: an entity has a probability, a text has none.
        """
        import numpy as np

        if self.spec.task == "tag":
            raise DataError("predict_proba: not for task tag; see each entity's confidence")
        answers = self.predict(inputs)
        rows = [[answer.probabilities[label] for label in self.labels] for answer in answers]
        return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(self.labels))

    def evaluate(
        self,
        data: Any,
        *,
        text: str | None = None,
        label: str | None = None,
        second: str | None = None,
        encoding: str | None = None,
        out_of_scope_label: str | None = None,
    ) -> dict[str, Any]:
        """Figures on labelled data: accuracy, F1, calibration, abstention, with intervals.

        Args:
            data: Path, DataFrame (pandas, polars, Arrow) or list of dicts.
            text: Text column; as in training when absent.
            label: Label column; as in training when absent.
            second: Second text column; as in training when absent.
            encoding: Of a file that is neither UTF-8 nor has a byte-order mark.
            out_of_scope_label: Label of rows that no label of the model covers.
        """
        from takeroot.scoring import score

        columns = {"text": text, "label": label, "second": second}
        table = read_any(data, encoding=encoding)
        return score(self.predictor, table, columns, out_of_scope_label).to_json()


def fit(
    data: Any = None,
    *,
    test: Any = None,
    text: str | None = None,
    label: str | None = None,
    second: str | None = None,
    task: Task | None = None,
    model: str | None = None,
    preset: Preset | None = None,
    time_limit_s: float | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    recipe: str | Path | Mapping[str, Any] | None = None,
    allow_download: bool = False,
    progress: Progress | None = None,
) -> Model:
    """A model trained on labelled data and checked on this machine.

    Args:
        data: Path, DataFrame (pandas, polars, Arrow) or list of dicts; the recipe's if absent.
        test: The same for the final figures; never trained on or chosen by.
        text: Text column; inferred when absent.
        label: Label column; inferred when absent.
        second: Second text column, for task pair.
        task: ``classify``, ``multilabel``, ``pair`` or ``tag``; inferred when absent.
        model: Packaged name, local folder, or hub id.
        preset: ``fast``, ``balanced`` or ``best``.
        time_limit_s: Seconds for the whole run.
        seed: Of everything random.
        out: New folder for the run; a free name under ``runs/`` when absent.
        recipe: YAML file, or nested dict, with any further settings.
        allow_download: Whether a hub id may be fetched from the network.
        progress: Is told how far the work is.

    Raises:
        TakerootError: If the data, a setting or the output folder cannot be used.
    """
    wanted = settings(
        recipe,
        data=data if isinstance(data, str | Path) else None,
        test=test if isinstance(test, str | Path) else None,
        text=text,
        label=label,
        second=second,
        task=task,
        model=model,
        preset=preset,
        time_limit_s=time_limit_s,
        seed=seed,
    )
    tables = {
        "table": None if data is None or isinstance(data, str | Path) else read_any(data),
        "test": None if test is None or isinstance(test, str | Path) else read_any(test),
    }
    return run(wanted, out, allow_download=allow_download, progress=progress, **tables)


def settings(
    recipe: str | Path | Mapping[str, Any] | None, overrides: Sequence[str] = (), **options: Any
) -> Recipe:
    """A recipe with changes.

    Args:
        recipe: YAML file, nested mapping, or None for the defaults.
        overrides: Changes as ``key=value``.
        options: Changes by the keywords of :func:`fit`; None leaves the recipe's value.
    """
    given = {_KEYS[name]: value for name, value in options.items() if value is not None}
    for key in ("data.path", "data.test"):
        if key in given:
            given[key] = str(given[key])
    if isinstance(recipe, str | Path):
        return recipes.load(Path(recipe), overrides, given)
    return recipes.from_dict(recipe or {}, overrides, given)


def run(
    recipe: Recipe,
    out: str | Path | None = None,
    *,
    table: Table | None = None,
    test: Table | None = None,
    allow_download: bool = False,
    progress: Progress | None = None,
) -> Model:
    """The model a recipe makes; see :func:`fit`."""
    if table is None and recipe.data.path is None:
        raise RecipeError("data.path: nothing to fit on; name a labelled file")
    folder = run_folder(recipe, out)
    require("torch", "train")
    from takeroot.search import (
        fit_recipe,
    )  # imports torch: seconds that opening a model must not cost

    done = fit_recipe(
        recipe, folder, table=table, test=test, progress=progress, allow_download=allow_download
    )
    return Model(done.bundle, done.summary)


def load(path: str | Path, threads: int | None = None) -> Model:
    """The model in a bundle folder, or in the run folder around one.

    Raises:
        BundleError: If there is none, or any of its files is not as it was written.
    """
    folder = Path(path)
    if not (folder / "manifest.json").is_file() and (folder / "bundle").is_dir():
        folder = folder / "bundle"
    if not folder.is_dir():
        raise BundleError(f"{path}: no such folder; give a bundle that takeroot fit has made")
    return Model(folder, threads=threads)


def read_any(data: Any, **how: Any) -> Table:
    """The rows of a file (read as ``how`` tells ``data.read``), DataFrame or list of dicts."""
    from takeroot.data.read import read, read_object

    if isinstance(data, str | Path):
        return read(data, **how)
    return read_object(data)


def run_folder(recipe: Recipe, out: str | Path | None) -> Path:
    """The folder a run goes to, checked before hours are spent.

    Raises:
        RecipeError: If the folder is taken.
    """
    if out is not None:
        folder = Path(out)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RecipeError(f"--out {folder}: is already there; name a new folder or remove it")
        return folder
    name = recipe.output.name or Path(recipe.data.path or "model").stem
    taken = {path.name for path in RUNS.glob(f"{name}*")} if RUNS.is_dir() else set()
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return RUNS / next(candidate for candidate in names if candidate not in taken)
