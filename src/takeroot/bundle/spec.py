"""The contents of bundle.json: everything a runtime must know beside the weights.

The schema is closed (an unknown key is refused) and frozen. ``format`` counts up when the meaning
of a key changes; ``MIGRATIONS`` holds one small function a step, from older to newer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from takeroot.bundle.chat import Chat
from takeroot.errors import BundleError

Input = str | tuple[str, str]  # one text, or the two texts of a pair
AnyInput = Input | Chat  # and for generate a chat

MOST_FRAME = 10_000  # characters
Share = Annotated[float, Field(ge=0, le=1)]
_Frame = Annotated[str, Field(max_length=MOST_FRAME)]
Frame = tuple[_Frame, _Frame]  # before and after
WRITING = ("generate", "seq2seq")  # the tasks whose answers are texts

MIGRATIONS: list[Callable[[dict[str, Any]], dict[str, Any]]] = []  # entry k: format k+1 to k+2
FORMAT = len(MIGRATIONS) + 1


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class InputSpec(_Closed):
    """The column names the model was trained on."""

    text: str = Field("text", description="Column of the (first) text.")
    second: str | None = Field(None, description="Column of the second text (pair).")
    label: str | None = Field(None, description="Column of the label.")


class Calibration(_Closed):
    """How logits become probabilities (Guo et al. 2017, arXiv:1706.04599, section 4)."""

    temperature: float = Field(1.0, gt=0, description="Logits are divided by it.")


class Abstention(_Closed):
    """When the model would rather not answer."""

    method: Literal["energy", "max_softmax", "mahalanobis", "knn"] = Field(
        description="The score, an entry of takeroot.bundle.abstain.OUT_OF_SCOPE."
    )
    threshold: float = Field(description="A text with a score below it is out of scope.")
    neighbours: int = Field(1, ge=1, description="Which neighbour's distance counts (knn).")


class ChatFrames(_Closed):
    """What stands around the turns of a chat: the model's chat template, without its code.

    A chat is ``start`` (where its first turn is not the system's), then each turn's content
    between the two texts of its role, then ``answer``.
    """

    start: str = Field("", max_length=MOST_FRAME, description="Begins a chat without system turn.")
    system: Frame | None = Field(None, description="Around a system turn; None: it has none.")
    user: Frame = Field(description="Around a user's turn.")
    assistant: Frame = Field(description="Around an answer that was given before.")
    answer: str = Field("", max_length=MOST_FRAME, description="Asks for the answer.")


class Generation(_Closed):
    """How a model that writes text is asked and when it stops (generate, seq2seq)."""

    frames: ChatFrames | None = Field(None, description="Of a chat; None: prompts stand bare.")
    end: tuple[str, ...] = Field(min_length=1, max_length=16, description="Tokens that end it.")
    max_new_tokens: int = Field(128, ge=1, le=65_536, description="Of an answer, unless asked.")
    context: int | None = Field(
        None,
        ge=2,
        le=1 << 20,
        description="Most tokens of prompt and answer together (generate),"
        " or of an answer (seq2seq); None: as many as one likes.",
    )
    beams: int = Field(1, ge=1, le=16, description="Answers followed at once; 1 is greedy.")
    before: tuple[str, ...] = Field(
        (), max_length=2048, description="Tokens put before an input, and before the frames."
    )
    after: tuple[str, ...] = Field((), max_length=16, description="Tokens put after a bare input.")


class Spec(_Closed):
    """What bundle.json says."""

    format: int = Field(FORMAT, ge=1, le=FORMAT, description="Version of this schema.")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="Name of the model.")
    task: Literal["classify", "multilabel", "pair", "tag", "generate", "seq2seq"]
    labels: tuple[str, ...] = Field(
        (), max_length=100_000, description="In the order of the outputs; none where texts are."
    )
    runtime: Literal["onnx", "linear", "ctranslate2"] = Field(description="Entry of RUNTIMES.")
    precision: Literal["fp32", "int8", "none"] = Field("none", description="Of the weights.")
    normalisation: Literal["nfkc", "none"] = Field("nfkc", description="Done to texts first.")
    max_tokens: int = Field(64, ge=4, le=65_536, description="Tokens of a text, specials included.")
    pack_tokens: int = Field(96, ge=1, le=65_536, description="Tokens a pack is filled to.")
    input: InputSpec = InputSpec()
    calibration: Calibration = Calibration()
    thresholds: dict[str, Share] = Field({}, description="By label (multilabel); 0.5 where absent.")
    abstention: Abstention | None = None
    position_offset: int = Field(0, ge=0, le=1024, description="First position id.")
    token_types: bool = Field(False, description="Whether the graph takes token_type_ids.")
    word_shapes: bool = Field(False, description="Whether they tell the shapes of words (tag).")
    mask: bool = Field(False, description="Whether a server that records masks the texts first.")
    generation: Generation | None = Field(None, description="How texts are written.")

    @property
    def writes(self) -> bool:
        """Whether answers are texts."""
        return self.generation is not None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Check what one field alone cannot show."""
        if self.task in WRITING:
            return self._consistent_writer()
        if self.generation is not None or self.runtime == "ctranslate2":
            raise ValueError(f"generation: not for {self.task}; it is for {', '.join(WRITING)}")
        self._check_labels()
        if self.task == "tag" and (self.normalisation, self.runtime) != ("none", "onnx"):
            raise ValueError("tag needs runtime 'onnx' and normalisation 'none': offsets must hold")
        method = self.abstention.method if self.abstention else None
        if self.word_shapes and not (self.task == "tag" and self.token_types):
            raise ValueError("word_shapes: only for tag, and a graph that takes token_type_ids")
        if self.task == "tag" and method is not None:
            raise ValueError("abstention: tag has none")
        if self.runtime == "linear" and method in ("mahalanobis", "knn"):
            raise ValueError(f"abstention: {method!r} needs text vectors, 'linear' has none")
        return self

    def _check_labels(self) -> None:
        """Check what names labels."""
        least = 2 if self.task in ("classify", "pair") else 1
        if len(self.labels) < least:
            raise ValueError(f"labels: {self.task} needs {least} or more, got {self.labels}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("labels: a name repeats")
        unknown = sorted(set(self.thresholds) - set(self.labels))
        if unknown:
            raise ValueError(f"thresholds: {unknown[0]!r} is not a label")

    def _consistent_writer(self) -> Self:
        """Check what belongs to a model that writes texts."""
        if self.generation is None or (self.runtime, self.normalisation) != ("ctranslate2", "none"):
            raise ValueError(
                f"{self.task} needs generation, runtime 'ctranslate2' and normalisation 'none'"
            )
        if self.labels or self.thresholds or self.abstention or self.word_shapes:
            raise ValueError(f"{self.task} has no labels, thresholds, abstention or word_shapes")
        how = self.generation
        if how.frames is not None and (self.task == "seq2seq" or how.after):
            raise ValueError("generation.frames: only for generate, without after")
        least = how.max_new_tokens + (self.max_tokens if self.task == "generate" else 0)
        if how.context is not None and how.context < least:
            raise ValueError(
                f"generation.context: {how.context} tokens do not hold max_tokens and "
                f"max_new_tokens, {least} together"
            )
        return self


def parse_spec(data: bytes, where: str = "bundle.json") -> Spec:
    """The spec written in JSON, brought up to the current format.

    Raises:
        BundleError: If it is not JSON, of an unknown format, or breaks the schema.
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: not JSON: {error}") from error
    version = values.get("format") if isinstance(values, dict) else None
    if type(version) is not int or not 1 <= version <= FORMAT:
        raise BundleError(f"{where}: format {version!r} is unknown; this version reads 1–{FORMAT}")
    for migrate in MIGRATIONS[version - 1 :]:
        values = migrate(values)
    try:
        return Spec.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "spec"
        raise BundleError(f"{where}: {key}: {first['msg']}, got {first['input']!r:.80}") from error
