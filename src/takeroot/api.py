"""The Python interface: ``takeroot.fit`` makes a model, ``takeroot.load`` opens one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    from takeroot.stop import Stop
    from takeroot.train.progress import Progress

    Chat = Sequence[Mapping[str, str]]
    Input = str | tuple[str, str] | Chat

RUNS = Path("runs")
MODELS = Path("models")
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

    def predict(
        self, inputs: Sequence[Input], *, max_new_tokens: int | None = None
    ) -> list[Answer]:
        """An answer for each text, each pair of texts (pair), or each chat (generate).

        Args:
            inputs: Texts; a chat is a list of ``{"role", "content"}``, its last turn a user's.
            max_new_tokens: Most tokens of an answer that is a text; the bundle's limit if absent.

        Raises:
            DataError: If ``inputs`` is one bare text; give a list of one.
        """
        if isinstance(inputs, str):
            raise DataError(
                f"predict: takes a list of texts, got one text; write [{inputs[:40]!r}]"
            )
        return self.predictor.predict(
            [_asked(item) for item in inputs], max_new_tokens=max_new_tokens
        )

    def stream(self, item: str | Chat, *, max_new_tokens: int | None = None) -> Iterator[str]:
        """The text a model writes for one input, in pieces, as they are written.

        Args:
            item: A prompt or source; for generate also a chat, as ``predict`` takes it.
            max_new_tokens: Most tokens; the bundle's limit if absent.

        Raises:
            DataError: If the model does not write texts, or the input is not one.
        """
        return self.predictor.stream(_asked(item), max_new_tokens=max_new_tokens)

    def predict_proba(self, inputs: Sequence[Input]) -> NDArray[np.float64]:
        """Calibrated probabilities, a row a text, a column a label.

        Raises:
            DataError: If the task is tag: an entity has a probability, a text has none.
        """
        import numpy as np

        if self.spec.task == "tag":
            raise DataError("predict_proba: not for task tag; see each entity's confidence")
        if self.spec.writes:
            raise DataError(
                f"predict_proba: not for task {self.spec.task}, whose answers are texts"
            )
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


def _asked(item: Any) -> Any:
    """The input as a predictor takes it: a chat as turns, anything else as it is."""
    from takeroot.bundle.chat import read_chat

    if isinstance(item, list | tuple) and item and isinstance(item[0], dict):
        return read_chat(item)
    return item


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
    resume: str | Path | None = None,
    processes: int | None = None,
) -> Model:
    """A model trained on labelled data and checked on this machine.

    Args:
        data: Path, DataFrame (pandas, polars, Arrow) or list of dicts; the recipe's if absent.
        test: The same for the final figures; never trained on or chosen by.
        text: Text column; inferred when absent.
        label: Label column; inferred when absent.
        second: Second text column, for task pair.
        task: ``classify``, ``multilabel``, ``pair`` or ``tag``, inferred when absent; or
            ``generate`` or ``seq2seq``, for models that write.
        model: Packaged name, local folder, or hub id.
        preset: ``fast``, ``balanced`` or ``best``.
        time_limit_s: Seconds for the whole run.
        seed: Of everything random.
        out: New folder for the run; a free name under ``runs/`` when absent.
        recipe: YAML file, or nested dict, with any further settings.
        allow_download: Whether a hub id may be fetched from the network.
        progress: Is told how far the work is.
        resume: Folder of a run that was cut off, to go on with: it has its own recipe, and only
            data that was given as an object must be given again.
        processes: How many processes of this machine train together.

    Raises:
        TakerootError: If the data, a setting or the output folder cannot be used.
    """
    if resume is not None:
        given: dict[str, Any] = {"data": _file(data), "test": _file(test), "text": text}
        given |= {"label": label, "second": second, "task": task, "model": model}
        given |= {"preset": preset, "time_limit_s": time_limit_s, "seed": seed}
        given |= {"out": out, "recipe": recipe}
        return go_on(
            resume,
            [name for name, value in given.items() if value is not None],
            table=_table(data),
            test=_table(test),
            allow_download=allow_download,
            progress=progress,
            processes=processes,
        )
    wanted = settings(
        recipe,
        data=_file(data),
        test=_file(test),
        text=text,
        label=label,
        second=second,
        task=task,
        model=model,
        preset=preset,
        time_limit_s=time_limit_s,
        seed=seed,
    )
    return run(
        wanted,
        out,
        table=_table(data),
        test=_table(test),
        allow_download=allow_download,
        progress=progress,
        processes=processes,
    )


def _file(data: Any) -> str | Path | None:
    """Data that is named by its path."""
    return data if isinstance(data, str | Path) else None


def _table(data: Any) -> Table | None:
    """Data that is an object."""
    return None if data is None or isinstance(data, str | Path) else read_any(data)


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
    stop: Stop | None = None,
    processes: int | None = None,
) -> Model:
    """The model a recipe makes; see :func:`fit`."""
    if table is None and recipe.data.path is None and recipe.fit.method != "zero_shot":
        raise RecipeError("data.path: nothing to fit on; name a labelled file")
    folder = run_folder(recipe, out)
    require("torch", "train")
    # What makes models imports torch: seconds that opening one must not cost.
    from takeroot.train.helpers import together

    if recipe.task in recipes.WRITING:
        from takeroot.generation import fit_recipe
    else:
        from takeroot.search import fit_recipe

    with together(processes):
        done = fit_recipe(
            recipe,
            folder,
            table=table,
            test=test,
            progress=progress,
            allow_download=allow_download,
            stop=stop,
        )
    return Model(done.bundle, done.summary)


def go_on(
    folder: str | Path,
    given: Sequence[str] = (),
    *,
    table: Table | None = None,
    test: Table | None = None,
    allow_download: bool = False,
    progress: Progress | None = None,
    stop: Stop | None = None,
    processes: int | None = None,
) -> Model:
    """The model of a run that was cut off; of one that is finished, its model.

    Args:
        folder: The run's folder.
        given: Names of settings that were given beside it, of which there may be none.
        table: Labelled rows, where the run began with an object.
        test: Test rows, likewise.
        allow_download: Whether a hub id may be fetched from the network.
        progress: Is told how far the work is.
        stop: Asked to stop.
        processes: As in :func:`fit`; a training goes on with as many as it began with.

    Raises:
        RecipeError: If anything was given.
        CheckpointError: If there is no such run, or what it was made from has changed.
    """
    if given:
        raise RecipeError(
            f"--resume {folder}: a run goes on with its own settings; leave out " + ", ".join(given)
        )
    require("torch", "train")
    from takeroot.train.helpers import together  # imports torch, as run's do
    from takeroot.train.run_folder import writes

    if writes(Path(folder)):
        from takeroot.generation import resume
    else:
        from takeroot.search import resume

    with together(processes):
        done = resume(
            Path(folder),
            table=table,
            test=test,
            progress=progress,
            allow_download=allow_download,
            stop=stop,
        )
    return Model(done.bundle, done.summary)


def pretrain(
    recipe: str | Path | Mapping[str, Any] | None = None,
    changes: Sequence[str] = (),
    *,
    out: str | Path | None = None,
    allow_download: bool = False,
    progress: Progress | None = None,
    processes: int | None = None,
    resume: str | Path | None = None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """What is known of an encoder made from texts without labels; ``["model"]`` is its folder.

    Args:
        recipe: YAML file, or nested dict, as docs/pretraining.md has it.
        changes: Settings that differ, as ``key=value``.
        out: New model folder; a free name under ``models/`` when absent.
        allow_download: Whether a hub id may be fetched from the network.
        progress: Is told how far the work is.
        processes: How many processes of this machine train together.
        resume: Model folder whose pretraining was cut off, to go on with in place of a recipe.
        stop: Asked to stop.

    Raises:
        TakerootError: If the texts, a setting or the folder cannot be used.
    """
    if resume is not None:
        return _pretrain_on(
            resume, (recipe, out, *changes), allow_download, progress, processes, stop
        )
    if recipe is None:
        raise RecipeError("pretrain: name a recipe, or a folder to go on with (--resume)")
    if isinstance(recipe, str | Path):
        wanted = recipes.load_kind(recipes.PretrainRecipe, Path(recipe), changes)
        name = Path(recipe).stem
    else:
        wanted = recipes.from_dict_of(recipes.PretrainRecipe, recipe, changes)
        name = "encoder"
    folder = Path(out) if out is not None else MODELS / _free(MODELS, name)
    require("torch", "train")
    from takeroot.pretraining import pretrain_recipe  # imports torch, as run's does
    from takeroot.train.helpers import together

    with together(processes):
        done = pretrain_recipe(
            wanted, folder, progress=progress, allow_download=allow_download, stop=stop
        )
    return done.summary


def _pretrain_on(
    folder: str | Path,
    given: Sequence[Any],
    allow_download: bool,
    progress: Progress | None,
    processes: int | None,
    stop: Stop | None,
) -> dict[str, Any]:
    """What a pretraining that was cut off comes to.

    Raises:
        RecipeError: If anything was given beside the folder.
    """
    if any(value is not None for value in given):
        raise RecipeError(f"--resume {folder}: a pretraining goes on with its own settings only")
    require("torch", "train")
    from takeroot.pretraining import resume  # imports torch, as run's does
    from takeroot.train.helpers import together

    with together(processes):
        done = resume(Path(folder), progress=progress, allow_download=allow_download, stop=stop)
    return done.summary


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
            begun = (folder / "run.json").is_file() and not (folder / "bundle").exists()
            hint = f"; or go on with its run: takeroot fit --resume {folder}" if begun else ""
            raise RecipeError(
                f"--out {folder}: is already there; name a new folder or remove it{hint}"
            )
        return folder
    name = recipe.output.name or Path(recipe.data.path or "model").stem
    return RUNS / _free(RUNS, name)


def _free(folder: Path, name: str) -> str:
    """The name, or the name with the first number that nothing in the folder has."""
    taken = {path.name for path in folder.glob(f"{name}*")} if folder.is_dir() else set()
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in names if candidate not in taken)
