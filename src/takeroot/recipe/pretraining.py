"""Every setting of a pretraining: what ``takeroot pretrain`` reads."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_CLOSED = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CorpusRecipe(BaseModel):
    """Which texts are learnt from, and which of them are held out."""

    model_config = _CLOSED

    paths: tuple[str, ...] = Field(
        (), strict=False, description="Files: txt (a document a line), csv, tsv, jsonl, parquet."
    )
    text: tuple[str, ...] | None = Field(
        None, strict=False, description="Text columns, joined; `text` or the only one if absent."
    )
    format: str | None = Field(None, description="Where the files' names do not tell.")
    encoding: str | None = Field(None, description="Such as gb18030; UTF-8 and BOMs need none.")
    header: tuple[str, ...] | None = Field(
        None, strict=False, description="Column names of files that do not name them."
    )
    max_chars: int = Field(65_536, ge=1, description="Longest document kept, in characters.")
    valid_share: float = Field(0.05, gt=0, lt=0.5, description="Documents held out, 0 to 0.5.")


class TokenizerRecipe(BaseModel):
    """How texts are cut into tokens; trained on the documents that are not held out."""

    model_config = _CLOSED

    kind: Literal["wordpiece", "bpe", "unigram"] = Field(
        "wordpiece", description="With wordpiece every Han character is a token."
    )
    vocabulary: int = Field(8000, ge=32, le=250_000, description="Most tokens, special ones too.")
    lowercase: bool = Field(True, description="Read capitals as small letters.")


class NetworkRecipe(BaseModel):
    """The size of a network that starts from random weights, as BERT's."""

    model_config = _CLOSED

    layers: int = Field(4, ge=1, le=24, description="Transformer layers.")
    hidden: int = Field(256, ge=16, le=1024, description="Values of a token's vector.")
    heads: int = Field(4, ge=1, le=16, description="Attention heads; they divide hidden.")
    intermediate: int | None = Field(
        None, ge=16, le=4096, description="Width inside a layer; four times hidden if absent."
    )
    start: Literal["cooccurrence", "random"] = Field(
        "cooccurrence", description="Token embeddings: from which tokens stand together, or random."
    )
    positions: int = Field(256, ge=8, le=2048, description="Longest text in tokens.")

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"heads {self.heads} do not divide hidden {self.hidden}")
        return self


class TrainingRecipe(BaseModel):
    """What is learnt from the texts, and for how long."""

    model_config = _CLOSED

    objective: Literal["masked", "causal"] = Field(
        "masked", description="Guess hidden words, or each next token."
    )
    pairs: Literal["none", "next", "order", "contrast"] = Field(
        "none",
        description="Beside masked: do two parts follow each other, in which order do they stand, "
        "or which two of a batch are of one document.",
    )
    mask_share: float = Field(0.15, gt=0, lt=0.9, description="Share of tokens hidden.")
    max_tokens: int = Field(128, ge=8, le=2048, description="Longest row in tokens.")
    epochs: float = Field(3.0, gt=0, le=1000, description="Passes over the rows.")
    time_limit_s: float | None = Field(None, gt=0, description="Seconds for the training.")
    batch_size: int = Field(64, ge=1, le=4096, description="Rows in one batch.")
    accumulate: int = Field(1, ge=1, le=1024, description="Batches in one optimizer step.")
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="Peak; 1e-3 from scratch, 2e-4 where a model goes on."
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="AdamW's, 0 to 1.")
    warmup_share: float = Field(0.06, ge=0, le=1, description="Share of steps spent warming up.")
    schedule: Literal["linear", "cosine"] = Field("linear", description="Decay after warm-up.")
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    dropout: float = Field(0.0, ge=0, lt=1, description="In [0, 1).")
    patience: int | None = Field(None, ge=1, description="Epochs without gain before stopping.")
    checkpoint_s: float | None = Field(
        60.0, ge=0, description="Seconds between two checkpoints; null for none."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Auto takes bf16 where the processor computes it."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Of everything random, 0 to 2**32 - 1.")

    @model_validator(mode="after")
    def _pairs_fit(self) -> Self:
        if self.pairs != "none" and self.objective != "masked":
            raise ValueError(f"pairs {self.pairs!r} goes with objective 'masked' only")
        return self


class PretrainRecipe(BaseModel):
    """Everything a pretraining is made from."""

    model_config = _CLOSED

    data: CorpusRecipe = CorpusRecipe()
    model: str | None = Field(
        None, description="Goes on from this packaged name, folder or hub id; else from scratch."
    )
    tokenizer: TokenizerRecipe = TokenizerRecipe()
    network: NetworkRecipe = NetworkRecipe()
    pretrain: TrainingRecipe = TrainingRecipe()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.model is not None:
            for name, default in (("tokenizer", TokenizerRecipe()), ("network", NetworkRecipe())):
                if getattr(self, name) != default:
                    raise ValueError(f"{name} is that of model {self.model!r}; leave it out")
        elif self.pretrain.max_tokens > self.network.positions:
            raise ValueError(
                f"pretrain.max_tokens {self.pretrain.max_tokens} is more than network.positions "
                f"{self.network.positions}"
            )
        return self
