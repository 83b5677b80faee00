"""What a pretraining begins with: a network, a tokenizer, and the documents as rows on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from takeroot.data.check import UNREADABLE_SHARE
from takeroot.errors import DataError, RecipeError
from takeroot.models.load import Pretrained as Loaded
from takeroot.models.vocabulary import train_tokenizer
from takeroot.pretraining.cooccurrence import embeddings
from takeroot.pretraining.corpus import Corpus
from takeroot.pretraining.layout import Frame, frame_of
from takeroot.pretraining.network import Start, from_scratch, going_on
from takeroot.pretraining.objective import Language
from takeroot.pretraining.rows import Rows, cut
from takeroot.pretraining.token_file import write_tokens
from takeroot.recipe import PretrainRecipe
from takeroot.train import Progress
from takeroot.train.run_folder import Kept

MOST_JUDGED = 2000  # held-out rows that are measured, taken evenly


@dataclass(frozen=True)
class Texts:
    """The documents as rows of tokens."""

    tokenizer: Tokenizer
    frame: Frame
    train: Rows
    held: Rows
    figures: dict[str, Any]


def prepare(
    recipe: PretrainRecipe,
    given: Loaded | None,
    corpus: Corpus,
    work: Path,
    kept: Kept,
    show: Progress,
) -> tuple[Start, Texts]:
    """The network to begin with, and the rows.

    Args:
        recipe: What to do.
        given: The model to go on from, or None.
        corpus: The documents.
        work: Folder for what is needed on the way only.
        kept: What an earlier process of this pretraining has kept.
        show: Where to report to.

    Raises:
        DataError: If the rows are too short to learn from.
        RecipeError: If settings do not fit the texts or the model.
    """
    for account in corpus.accounts:
        show.note(_told(account.to_json(), account.first))
    if given is not None:
        if recipe.pretrain.max_tokens > given.max_tokens:
            raise RecipeError(
                f"pretrain.max_tokens: {recipe.pretrain.max_tokens} is more than the "
                f"{given.max_tokens} that {given.name} has positions for"
            )
        return going_on(given), _texts(recipe, corpus, given.tokenizer, work)
    tokenizer = _tokenizer(recipe, corpus, kept)
    show.note(f"tokenizer: {recipe.tokenizer.kind}, {tokenizer.get_vocab_size():,} tokens")
    texts = _texts(recipe, corpus, tokenizer, work)
    with torch.random.fork_rng(devices=[]):  # its seed is nobody else's
        torch.manual_seed(recipe.pretrain.seed)
        start = from_scratch(recipe.network, tokenizer.get_vocab_size())
    if recipe.network.start == "cooccurrence":
        table, seed = start.model.table, recipe.pretrain.seed
        found = embeddings(texts.train.file, table.shape[0], table.shape[1], seed)
        with torch.no_grad():
            table.copy_(found)
    return start, texts


def _tokenizer(recipe: PretrainRecipe, corpus: Corpus, kept: Kept) -> Tokenizer:
    """The tokenizer of the texts; an earlier process's, as not every kind comes out the same."""

    def trained() -> str:
        return str(train_tokenizer(recipe.tokenizer, lambda: corpus.documents(held=False)).to_str())

    return Tokenizer.from_str(kept.measured("tokenizer", trained))


def _told(account: dict[str, Any], first: str) -> str:
    """A file's account in a sentence."""
    lost = sum(account["rejected"].values())
    unusable = f", {lost:,} cannot be used ({first})" if lost else ""
    return (
        f"{account['file']}: {account['kept']:,} of {account['rows_in']:,} documents, "
        f"{account['duplicates']:,} are duplicates{unusable}"
    )


def _texts(recipe: PretrainRecipe, corpus: Corpus, tokenizer: Tokenizer, work: Path) -> Texts:
    """The documents as rows.

    Raises:
        DataError: If no row is long enough.
        RecipeError: If the tokenizer does not know a good part of the held-out tokens.
    """
    frame = frame_of(tokenizer)
    files = {
        held: write_tokens(tokenizer, corpus.documents(held), work / f"tokens-{int(held)}")
        for held in (False, True)
    }
    unknown = files[True].unknown / max(len(files[True].ids), 1)
    if unknown > UNREADABLE_SHARE:
        what = f"model: {recipe.model!r}" if recipe.model else "tokenizer.vocabulary: it"
        remedy = "an encoder for their language" if recipe.model else "a larger one"
        raise RecipeError(
            f"{what} does not know {unknown:.0%} of the held-out tokens; take {remedy}"
        )
    language = Language(recipe.pretrain, frame)
    rows = {
        held: cut(file, recipe.pretrain.max_tokens - frame.extra, language.fewest)
        for held, file in files.items()
    }
    for held, found in rows.items():
        if not len(found):
            part = "held-out documents" if held else "documents"
            raise DataError(f"data.paths: none of the {part} has {language.fewest} tokens or more")
    figures = {
        "files": [account.to_json() for account in corpus.accounts],
        "documents": {"train": corpus.count(False), "held_out": corpus.count(True)},
        "rows": {"train": len(rows[False]), "held_out": len(rows[True])},
        "tokens": {"train": len(files[False].ids), "held_out": len(files[True].ids)},
        "unknown_share": unknown,
        "vocabulary": tokenizer.get_vocab_size(),
        "data_sha256": corpus.sha256,
    }
    return Texts(tokenizer, frame, rows[False], rows[True].some(MOST_JUDGED), figures)
