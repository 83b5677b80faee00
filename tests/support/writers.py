"""Tiny random models that write texts, converted for CTranslate2 and put into bundles."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from takeroot.bundle import BundleWriter, Spec

WORDS = ["user assistant system hello world", "你好 世界 我要退款", "where is my parcel 😀"]
START, END = "<|im_start|>", "<|im_end|>"
FRAMES = {
    "start": f"{START}system\nYou help.{END}\n",
    "system": (f"{START}system\n", f"{END}\n"),
    "user": (f"{START}user\n", f"{END}\n"),
    "assistant": (f"{START}assistant\n", f"{END}\n"),
    "answer": f"{START}assistant\n",
}


def byte_tokenizer() -> Tokenizer:
    """Byte-level BPE, so that one character may be several tokens; chat tokens as Qwen's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", START, END, "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(WORDS, trainer)
    return tokenizer


def piece_tokenizer() -> Tokenizer:
    """Unigram over pieces of words, whose vocabulary has ``</s>`` as a piece too."""
    letters = sorted({letter for line in WORDS for letter in line if letter != " "})
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(f"▁{word}", -4.0) for line in WORDS for word in line.split()]
    pieces += [(letter, -5.0) for letter in letters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    return tokenizer


def padded_last_tokenizer() -> Tokenizer:
    """``piece_tokenizer`` with padding as its last token, as Marian's have it."""
    made = piece_tokenizer()
    pieces = [(made.id_to_token(number), -5.0) for number in range(1, made.get_vocab_size())]
    tokenizer = Tokenizer(models.Unigram([*pieces, ("<pad>", 0.0)], unk_id=1))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["</s>", "<unk>", "<pad>"])
    return tokenizer


def llama(seed: int = 0) -> Any:
    """A random Llama of two layers over ``byte_tokenizer``'s tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=byte_tokenizer().get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    network = _wild(LlamaForCausalLM, config, seed)
    network.lm_head.weight.data[0] = 0  # <|endoftext|> is never the likeliest: a text without end
    return network


def qwen2(seed: int = 0) -> Any:
    """A random Qwen2 of two layers, tied, with more rows than ``byte_tokenizer`` has tokens."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=byte_tokenizer().get_vocab_size() + 5,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    return _wild(Qwen2ForCausalLM, config, seed)


def gated_t5(seed: int = 0) -> Any:
    """A random T5 as ``t5``, gated and with an output layer of its own."""
    import torch

    network = t5(seed, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    network.config.tie_word_embeddings = False  # as such folders say; transformers forgets it
    network.lm_head.weight = torch.nn.Parameter(0.3 * torch.randn_like(network.lm_head.weight))
    return network


def t5(seed: int = 0, **changes: Any) -> Any:
    """A random T5 of two layers over ``piece_tokenizer``'s tokens."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=piece_tokenizer().get_vocab_size(),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        **changes,
    )
    return _wild(T5ForConditionalGeneration, config, seed)


PAIR: dict[str, Any] = {  # sizes of an encoder and a decoder of the same kind
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 64,
}


def bart(seed: int = 0) -> Any:
    """A random BART of two layers and 64 positions over ``piece_tokenizer``'s tokens."""
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=piece_tokenizer().get_vocab_size(),
        **PAIR,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
        decoder_start_token_id=1,
        normalize_before=False,  # read by the converter
    )
    return _wild(BartForConditionalGeneration, config, seed)


def marian(seed: int = 0) -> Any:
    """A random Marian of two layers and 64 positions; padding is never written."""
    from transformers import MarianConfig, MarianMTModel

    size = padded_last_tokenizer().get_vocab_size()
    config = MarianConfig(
        vocab_size=size,
        **PAIR,
        pad_token_id=size - 1,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=size - 1,
        activation_function="swish",
        scale_embedding=True,
    )
    network = _wild(MarianMTModel, config, seed)
    network.model.shared.weight.data[-1] = 0  # an answer starts after nothing
    network.final_logits_bias[0, -1] = -1e9
    return network


def _wild(kind: Any, config: Any, seed: int) -> Any:
    """A network with weights so large that its texts vary."""
    import torch

    torch.manual_seed(seed)
    network = kind(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


def convert(network: Any, tokenizer: Tokenizer, folder: Path, precision: str = "fp32") -> Path:
    """CTranslate2's files of a network, in a folder."""
    from ctranslate2.converters import TransformersConverter
    from transformers import PreTrainedTokenizerFast

    names = {"unk_token": "<unk>"} | (
        {"bos_token": START, "eos_token": END, "pad_token": "<|endoftext|>"}
        if tokenizer.token_to_id(START)
        else {"bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>"}
    )
    source = folder / "hf"
    network.save_pretrained(source)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = TransformersConverter(str(source))
        quantization = "int8" if precision == "int8" else None
        converter.convert(str(folder / "ct2"), quantization=quantization)
    return folder / "ct2"


def write_bundle(out: Path, files: Path, tokenizer: Tokenizer, spec: dict[str, Any]) -> Path:
    """A bundle of CTranslate2's files."""
    with BundleWriter(out, created="2025-01-01T00:00:00Z") as writer:
        writer.write_spec(Spec.model_validate(spec))
        writer.write_bytes("tokenizer.json", tokenizer.to_str().encode())
        for path in sorted(files.iterdir()):
            writer.copy_file(path.name, path)
    return out


def generate_spec(**changes: Any) -> dict[str, Any]:
    """bundle.json of the Llama."""
    generation = {"frames": FRAMES, "end": (END,), "max_new_tokens": 12}
    generation |= changes.pop("generation", {})
    spec = {"name": "talk", "task": "generate", "runtime": "ctranslate2", "max_tokens": 200}
    return spec | {"precision": "fp32", "normalisation": "none", "generation": generation} | changes


def seq2seq_spec(**changes: Any) -> dict[str, Any]:
    """bundle.json of the T5 or BART."""
    generation = {"end": ("</s>",), "after": ("</s>",), "max_new_tokens": 12}
    generation |= changes.pop("generation", {})
    spec = {"name": "turn", "task": "seq2seq", "runtime": "ctranslate2", "max_tokens": 60}
    return spec | {"precision": "fp32", "normalisation": "none", "generation": generation} | changes
