"""Model folders of the tiny random networks that write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import writers
from safetensors.torch import save_file

FAMILIES = {
    "llama": (writers.llama, writers.byte_tokenizer),
    "qwen2": (writers.qwen2, writers.byte_tokenizer),
    "t5": (writers.t5, writers.piece_tokenizer),
    "gated-t5": (writers.gated_t5, writers.piece_tokenizer),
    "bart": (writers.bart, writers.piece_tokenizer),
    "marian": (writers.marian, writers.padded_last_tokenizer),
}
CAUSAL = ("llama", "qwen2")
TEMPLATE = (  # as Qwen's and SmolLM's are
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def model_folder(
    place: Path, family: str = "llama", template: str | None = TEMPLATE, **changes: Any
) -> Path:
    """A family's model in a new folder ``place``, values of its config changed."""
    make, tokenizer = FAMILIES[family]
    network = make()
    place.mkdir(parents=True)
    config = {**network.config.to_dict(), **changes}
    (place / "config.json").write_text(json.dumps(config, default=str), encoding="utf-8")
    named = {name: each.detach().contiguous() for name, each in network.named_parameters()}
    if family == "marian":
        named["final_logits_bias"] = network.final_logits_bias
    save_file(named, place / "model.safetensors")
    tokenizer().save(str(place / "tokenizer.json"))
    if family in CAUSAL and template is not None:
        settings = json.dumps({"chat_template": template})
        (place / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    return place
