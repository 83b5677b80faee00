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

from torch import nn

from takeroot.errors import ModelError, require
from takeroot.models.generator import PretrainedGenerator

QUANTIZATION = {"fp32": "float32", "int8": "int8_float32"}
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
        copied = copy.deepcopy(network)
        config: Any = copied.config
        config.dtype = "float32"  # or else the converter asks for its old name, and is warned
        config.save_pretrained(source)
        converter = _converter(source, copied, _tokenizer(pretrained))
        try:
            converter.convert(str(target), quantization=QUANTIZATION[precision])
        except (ValueError, NotImplementedError, AttributeError, RuntimeError) as error:
            raise ModelError(f"CTranslate2 cannot take {pretrained.name!r}: {error}") from error
        files = {path.name: path.read_bytes() for path in sorted(target.iterdir())}
    return {**files, "tokenizer.json": pretrained.tokenizer_json}


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
