"""From a trained network to the files that CTranslate2 runs.

A copy of the network is converted in memory (the converter takes it apart as it goes, and scales
weights in place). Weights become int8 with a scale a row, and products are computed in int8 with
activations scaled as they come, a token by itself; or all stays float32.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from takeroot.errors import ModelError, require
from takeroot.models.adapters.words import reader
from takeroot.models.generator import PretrainedGenerator

QUANTIZATION = {"fp32": "float32", "int8": "int8_float32"}
NEVER = -1e9  # a logit whose probability is 0 in every number format
NAMES = {"bos_token", "eos_token", "pad_token", "unk_token"}


def convert(
    network: nn.Module, pretrained: PretrainedGenerator, precision: str
) -> dict[str, bytes]:
    """The contents of the files of a bundle's model, tokenizer.json among them, by name.

    Args:
        network: Trained, adapters merged.
        pretrained: What it was made from: its tokenizer and special tokens.
        precision: ``fp32`` or ``int8``.

    Raises:
        ModelError: If CTranslate2 cannot take the network.
    """
    require("ctranslate2", extra="generate")
    with TemporaryDirectory(prefix="takeroot-") as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        copied: Any = copy.deepcopy(network)
        _same_vocabulary(copied)
        config = copied.config
        config.dtype = "float32"  # or else the converter asks for its old name, and is warned
        if hasattr(config, "scale_decoder_outputs"):  # T5's, which the converter knows by this name
            config.tie_word_embeddings = config.scale_decoder_outputs
        config.save_pretrained(source)
        converter = _converter(source, copied, _tokenizer(pretrained))
        try:
            converter.convert(str(target), quantization=QUANTIZATION[precision])
        except (ValueError, NotImplementedError, AttributeError, RuntimeError) as error:
            raise ModelError(f"CTranslate2 cannot take {pretrained.name!r}: {error}") from error
        files = {path.name: path.read_bytes() for path in sorted(target.iterdir())}
    return {**files, "tokenizer.json": pretrained.tokenizer_json}


def _same_vocabulary(network: Any) -> None:
    """Let all that a network knows of its vocabulary be as long as what it reads, in place.

    Learned words are tokens that are read and never written: their logits are as low as can be.
    """
    table, head = reader(network).embed_tokens.weight, network.lm_head
    size, words = len(head.weight), len(table) - len(head.weight)
    if not words:
        return
    head.weight = _longer(head.weight, table)
    if hasattr(network, "final_logits_bias"):
        network.final_logits_bias = F.pad(network.final_logits_bias, (0, words), value=NEVER)
    else:
        bias = head.weight.new_zeros(size) if head.bias is None else head.bias.detach()
        head.bias = nn.Parameter(F.pad(bias, (0, words), value=NEVER), requires_grad=False)
    if network.config.is_encoder_decoder:
        own = network.get_decoder().embed_tokens
        own.weight = _longer(own.weight, table)
    network.config.vocab_size = len(table)


def _longer(weight: nn.Parameter, table: nn.Parameter) -> nn.Parameter:
    """A matrix (V, H) with rows to the end of the table's; the table itself where it is tied."""
    if torch.equal(weight, table[: len(weight)]):
        return table
    rows = F.pad(weight.detach(), (0, 0, 0, len(table) - len(weight)))
    return nn.Parameter(rows, requires_grad=False)


def _converter(source: Path, network: nn.Module, tokenizer: Any) -> Any:
    """CTranslate2's converter, given the network and tokenizer instead of a folder of them."""
    from ctranslate2.converters import TransformersConverter

    class InMemory(TransformersConverter):  # type: ignore[misc]  # untyped library
        def load_model(self, *_: Any, **__: Any) -> nn.Module:
            return network

        def load_tokenizer(self, *_: Any, **__: Any) -> Any:
            return tokenizer

    return InMemory(str(source))


def _tokenizer(pretrained: PretrainedGenerator) -> Any:
    """The tokenizer in transformers' clothes, which the converter reads tokens and names from."""
    import transformers

    kind: Any = transformers.PreTrainedTokenizerFast
    end = pretrained.tokens(pretrained.config.ends[:1])[0]
    known: Mapping[str, int] = pretrained.tokenizer.get_vocab(with_added_tokens=True)
    special = {name: pretrained.special.get(name, end) for name in sorted(NAMES)}
    special = {name: token if token in known else end for name, token in special.items()}
    return kind(tokenizer_object=pretrained.tokenizer, **special)
