"""The model folder: what ``fit`` and transformers read, the curves, and a page for people."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save
from tokenizers import Tokenizer

from takeroot.models.load import load
from takeroot.pretraining.network import Start, weights
from takeroot.pretraining.report import render_page
from takeroot.recipe import PretrainRecipe

WORK = "work"  # inside the hidden folder, for what is needed on the way only
SUMMARY = "pretraining.json"
FORMAT = 1  # of it
CLASSES = {  # family: class of transformers that reads the folder with its head
    "bert": "BertForMaskedLM",
    "ernie": "ErnieForMaskedLM",
    "electra": "ElectraForMaskedLM",
    "roberta": "RobertaForMaskedLM",
    "camembert": "CamembertForMaskedLM",
    "xlm-roberta": "XLMRobertaForMaskedLM",
}


def write_folder(
    folder: Path,
    start: Start,
    tokenizer: Tokenizer,
    recipe: PretrainRecipe,
    summary: dict[str, Any],
) -> None:
    """Write all files of the model into ``folder``, and read them as a fit would.

    Raises:
        ModelError: If what was written is not a model.
    """
    config = start.config | {"architectures": [CLASSES[start.config["model_type"]]]}
    config |= {"pad_token_id": config.get("pad_token_id", 0), "tie_word_embeddings": True}
    _write_json(folder / "config.json", config)
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.no_padding()
    plain.no_truncation()
    plain.save(str(folder / "tokenizer.json"))
    tensors = save(weights(start), metadata={"format": "pt"})
    (folder / "model.safetensors").write_bytes(tensors)
    kept = {"format": FORMAT, "recipe": recipe.model_dump(mode="json"), **summary}
    _write_json(folder / SUMMARY, kept)
    (folder / "report.html").write_text(render_page(kept), encoding="utf-8")
    load(str(folder))
    shutil.rmtree(folder / WORK)


def summary_of(folder: Path) -> dict[str, Any]:
    """What is known of a pretraining that is finished."""
    kept = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return {name: value for name, value in kept.items() if name not in ("format", "recipe")}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
