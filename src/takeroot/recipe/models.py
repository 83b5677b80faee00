"""Every setting of a run: one strict, frozen model per stage, each key with a default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Task = Literal["classify", "multilabel", "pair", "tag", "generate", "seq2seq"]
WRITING: tuple[Task, ...] = ("generate", "seq2seq")  # the tasks whose answers are texts
SCRATCH = "scratch"  # in place of a model: a network with random weights
Preset = Literal["fast", "balanced", "best"]
Method = Literal[
    "auto", "tfidf", "probe", "contrastive", "full", "zero_shot",
    "lora", "adalora", "ia3", "adapter", "prefix", "prompt",
]  # fmt: skip
_CLOSED = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Fill(BaseModel):
    """Fill empty text cells instead of dropping their rows."""

    model_config = _CLOSED

    fill: str = Field(description="What an empty text cell is read as.")


class AlsoRecipe(BaseModel):
    """Other labelled rows that are learnt along with the task's own, over the same encoder."""

    model_config = _CLOSED

    path: str | None = Field(None, description="Labelled file; the recipe's own when absent.")
    text: str | None = Field(None, description="Text column; the recipe's own when absent.")
    second: str | None = Field(None, description="Second text column, for task pair.")
    label: str = Field(description="Label column.")
    task: Literal["classify", "multilabel", "pair", "tag"] | None = Field(
        None, description="Inferred from the labels when absent."
    )
    weight: float = Field(
        1.0, gt=0, le=100, description="How much a row counts beside one of the task's own."
    )


class DataRecipe(BaseModel):
    """What is read, which columns mean what, and what is held out."""

    model_config = _CLOSED

    path: str | None = Field(None, description="Labelled file: csv, tsv, jsonl, parquet or conll.")
    test: str | None = Field(None, description="Labelled file for the final figures only.")
    unlabelled: str | None = Field(
        None, description="File of texts without labels, to learn from as well."
    )
    also: tuple[AlsoRecipe, ...] = Field(
        (), strict=False, description="Other label columns or files, learnt along with this one."
    )
    labels: dict[str, str | None] | None = Field(
        None, description="What each label means, by its name; null where the name says it."
    )
    text: str | None = Field(
        None, description="Text column, or of prompts, sources or chats; inferred when absent."
    )
    second: str | None = Field(None, description="Second text column, for task pair.")
    label: str | None = Field(
        None, description="Label column, or of responses or targets; inferred when absent."
    )
    group: str | None = Field(None, description="Column whose values never straddle the split.")
    time: str | None = Field(None, description="Column that orders the rows in time.")
    format: str | None = Field(
        None, description="Such as conll, where the files' names do not tell."
    )
    encoding: str | None = Field(None, description="Such as gb18030; UTF-8 and BOMs need none.")
    header: tuple[str, ...] | None = Field(
        None, strict=False, description="Column names of a file that does not name them."
    )
    missing: Literal["drop"] | Fill = Field("drop", description="Drop rows without text, or fill.")
    valid_share: float = Field(0.1, gt=0, lt=0.9, description="Share of rows held out, 0 to 0.9.")
    split_by: Literal["group", "time"] | None = Field(
        None, description="Hold out whole groups, or the latest rows, instead of by row hash."
    )
    max_chars: int = Field(65_536, ge=1, description="Longest text kept, in characters.")

    @model_validator(mode="after")
    def _split_has_its_column(self) -> Self:
        if self.split_by is not None and getattr(self, self.split_by) is None:
            raise ValueError(f"split_by {self.split_by!r} needs data.{self.split_by}: COLUMN")
        return self


class AdapterRecipe(BaseModel):
    """Settings of an adapter; each method takes some of them and has its own defaults."""

    model_config = _CLOSED

    rank: int | None = Field(None, ge=1, le=1024, description="Of lora's and adalora's updates.")
    alpha: float | None = Field(
        None, gt=0, description="lora's and adalora's updates count alpha / rank times."
    )
    dropout: float | None = Field(
        None, ge=0, lt=1, description="Of what enters lora's and adalora's updates, in [0, 1)."
    )
    targets: str | None = Field(
        None, description="Pattern of the modules that lora, adalora and ia3 adapt."
    )
    size: int | None = Field(None, ge=1, le=8192, description="Of adapter's bottlenecks.")
    tokens: int | None = Field(
        None, ge=1, le=1024, description="Learned by prefix in each layer, by prompt once."
    )


class NliRecipe(BaseModel):
    """A bundle of task pair that tells whether a text says what a label means, for zero_shot."""

    model_config = _CLOSED

    bundle: str | None = Field(
        None, description="Folder of a bundle of task pair that labels data.unlabelled."
    )
    label: str | None = Field(
        None, description="Its label for pairs that agree; found by name, as entailment is."
    )
    template: str | None = Field(
        None, description="Second text of a pair, {} being the label; by language when absent."
    )

    @model_validator(mode="after")
    def _template_has_one_place(self) -> Self:
        if self.template is not None and self.template.count("{}") != 1:
            raise ValueError(
                f"template {self.template!r} must hold {{}} once, where the label goes"
            )
        if self.bundle is None and (self.label, self.template) != (None, None):
            raise ValueError("label and template are for a bundle, and none is named")
        return self


class FitRecipe(BaseModel):
    """How candidates are trained and how long that may take."""

    model_config = _CLOSED

    method: Method = Field(
        "auto", description="One candidate only, or auto: the best by validation."
    )
    adapter: AdapterRecipe = Field(AdapterRecipe(), description="What an adapter is made like.")
    nli: NliRecipe = Field(NliRecipe(), description="What labels the texts of zero_shot.")
    freeze: int = Field(
        0, ge=0, le=96, description="Lowest layers of the encoder left as they are."
    )
    preset: Preset = Field("balanced", description="How much work auto may do.")
    time_limit_s: float | None = Field(None, gt=0, description="Seconds for the whole run.")
    seed: int = Field(0, ge=0, lt=2**32, description="Of everything random, 0 to 2**32 - 1.")
    max_tokens: int | None = Field(None, ge=8, le=8192, description="Longest text in tokens.")
    epochs: int | None = Field(None, ge=1, le=1000, description="Passes over the rows.")
    learning_rate: float | None = Field(None, gt=0, le=1, description="Peak learning rate.")
    batch_size: int | None = Field(None, ge=1, le=4096, description="Rows in one batch.")
    accumulate: int = Field(1, ge=1, le=1024, description="Batches in one optimizer step.")
    label_smoothing: float | None = Field(None, ge=0, lt=1, description="In [0, 1).")
    weight_decay: float = Field(0.01, ge=0, le=1, description="AdamW's, 0 to 1.")
    warmup_share: float = Field(0.1, ge=0, le=1, description="Share of steps spent warming up.")
    schedule: Literal["linear", "cosine"] = Field("linear", description="Decay after warm-up.")
    dropout: float | None = Field(None, ge=0, lt=1, description="In [0, 1).")
    mask_tokens: float | None = Field(
        None, ge=0, lt=1, description="Share of a text's tokens hidden in training, in [0, 1)."
    )
    augment: tuple[Literal["swap", "delete", "typo", "substitute"], ...] = Field(
        (),
        strict=False,
        description="Changed copies of texts to try: swap, delete, typo, substitute.",
    )
    augment_model: str | None = Field(
        None,
        description="Masked language model of substitute: folder or hub id; model when absent.",
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="Balanced weighs each class by its inverse frequency."
    )
    patience: int | None = Field(None, ge=1, description="Epochs without gain before stopping.")
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    recompute: bool = Field(
        False, description="Keep less of each layer in memory, and compute it twice."
    )
    shard: bool = Field(False, description="Divide the encoder's layers among several processes.")
    checkpoint_s: float | None = Field(
        60.0, ge=0, description="Seconds between two checkpoints of a training; null for none."
    )
    watch: tuple[Literal["mlflow", "tensorboard", "wandb"], ...] = Field(
        (), strict=False, description="Where curves are drawn while it trains, beside its report."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Of training; auto takes bf16 where the processor computes it."
    )


class CompressRecipe(BaseModel):
    """How small and fast the served model may be made, and what that may cost."""

    model_config = _CLOSED

    max_drop: float = Field(0.005, ge=0, le=1, description="Largest loss of the metric, 0 to 1.")
    precision: Literal["auto", "fp32", "int8"] = Field(
        "auto", description="Of serving; auto keeps int8 where it is faster within max_drop."
    )


class AbstainRecipe(BaseModel):
    """When the model would rather not answer."""

    model_config = _CLOSED

    method: Literal["auto", "none", "energy", "max_softmax", "mahalanobis", "knn"] = Field(
        "auto", description="Out-of-scope score; auto compares them by leaving classes out."
    )
    reject_share: float = Field(
        0.02, ge=0, lt=1, description="Share of in-scope rows that may be rejected, in [0, 1)."
    )


class GenerateRecipe(BaseModel):
    """How texts are written, for tasks generate and seq2seq."""

    model_config = _CLOSED

    max_new_tokens: int | None = Field(
        None, ge=1, le=8192, description="Longest answer in tokens; from the rows when absent."
    )
    beams: int = Field(1, ge=1, le=16, description="Answers followed at once; 1 is greedy.")


class ScratchRecipe(BaseModel):
    """The size of a network that starts from random weights: model scratch, task seq2seq."""

    model_config = _CLOSED

    layers: int = Field(3, ge=1, le=24, description="Of the encoder, and of the decoder.")
    hidden: int = Field(256, ge=16, le=1024, description="Values of a token's vector.")
    heads: int = Field(4, ge=1, le=16, description="Attention heads; they divide hidden.")
    intermediate: int = Field(512, ge=16, le=4096, description="Width inside a layer.")
    vocabulary: int = Field(
        8000, ge=64, le=250_000, description="Most tokens of a tokenizer trained on the rows."
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"heads {self.heads} do not divide hidden {self.hidden}")
        return self


class OutputRecipe(BaseModel):
    """What the bundle holds."""

    model_config = _CLOSED

    name: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="The model's name, of a-z 0-9 . _ -; made from the data file's if absent.",
    )
    weights: bool = Field(True, description="Keep weights/ in the bundle, to train further.")


class ServeRecipe(BaseModel):
    """What servers of the model must keep to; the bundle carries it."""

    model_config = _CLOSED

    mask: bool = Field(
        False, description="A server that records texts masks personal data in this model's."
    )


class Recipe(BaseModel):
    """Everything a run is made from."""

    model_config = _CLOSED

    data: DataRecipe = DataRecipe()
    task: Task | None = Field(None, description="Inferred from the data when absent.")
    model: str = Field(
        "minilm-l6",
        description="Packaged name, local folder, hub id, or scratch (seq2seq); smollm2-135m where "
        "the task is generate, scratch where it is seq2seq.",
    )
    fit: FitRecipe = FitRecipe()
    generate: GenerateRecipe = GenerateRecipe()
    scratch: ScratchRecipe = ScratchRecipe()
    compress: CompressRecipe = CompressRecipe()
    abstain: AbstainRecipe = AbstainRecipe()
    output: OutputRecipe = OutputRecipe()
    serve: ServeRecipe = ServeRecipe()

    @model_validator(mode="before")
    @classmethod
    def _writers_model(cls, values: Any) -> Any:
        """Models that read texts write none: the tasks that write have defaults of their own."""
        if isinstance(values, dict) and "model" not in values:
            default = {"generate": "smollm2-135m", "seq2seq": SCRATCH}.get(str(values.get("task")))
            return values if default is None else {**values, "model": default}
        return values

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.task not in WRITING and self.generate != GenerateRecipe():
            raise ValueError(f"generate is for tasks {' and '.join(WRITING)} only")
        if self.scratch != ScratchRecipe() and (self.task, self.model) != ("seq2seq", SCRATCH):
            raise ValueError(f"scratch is for task seq2seq with model: {SCRATCH} only")
        return self


def keys(model: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[str]:
    """Every setting's dotted name, such as ``fit.seed``."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, f"{prefix}{name}.")
        else:
            yield prefix + name
