"""A small encoder-decoder with random weights, and a tokenizer made from the rows it will learn.

The network is T5's (Raffel et al. 2020, arXiv:1910.10683, section 2.1) with the gated feed-forward
of its version 1.1 (Shazeer 2020, arXiv:2002.05202): norms stand before each block, and positions
are relative, so that it trains without a long warm-up and knows no longest text. One vocabulary
and one embedding table serve source, answer and output. Byte-pair encoding keeps blanks, capitals
and full-width marks, so that tokens become the text again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from takeroot.models.generator import PretrainedGenerator, build_network
from takeroot.models.generator_config import FAMILIES, GeneratorConfig
from takeroot.models.vocabulary import PAD, SEP, SPECIAL, UNK, train_tokenizer
from takeroot.recipe import SCRATCH, ScratchRecipe, TokenizerRecipe

BUCKETS, REACH = 32, 64  # of relative positions, and the distance beyond which all are one


def from_scratch(recipe: ScratchRecipe, texts: Sequence[str], seed: int) -> PretrainedGenerator:
    """A network that knows nothing yet.

    Args:
        recipe: Its size.
        texts: What the tokenizer is made from: the training rows, both sides.
        seed: Of the weights.

    Raises:
        RecipeError: If the vocabulary is too small for the texts.
    """
    kind = TokenizerRecipe(kind="bpe", vocabulary=recipe.vocabulary, lowercase=False)
    tokenizer = train_tokenizer(kind, lambda: iter([list(texts)]), "NFC")
    tokenizer.post_processor = None  # the bundle says what stands around a source
    pad, end = SPECIAL.index(PAD), SPECIAL.index(SEP)
    values = {
        "vocab_size": tokenizer.get_vocab_size(),
        "d_model": recipe.hidden,
        "d_kv": recipe.hidden // recipe.heads,
        "d_ff": recipe.intermediate,
        "num_layers": recipe.layers,
        "num_decoder_layers": recipe.layers,
        "num_heads": recipe.heads,
        "relative_attention_num_buckets": BUCKETS,
        "relative_attention_max_distance": REACH,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": True,
        "layer_norm_epsilon": 1e-6,
        "pad_token_id": pad,
        "bos_token_id": None,
        "decoder_start_token_id": pad,
        "eos_token_id": end,
    }
    config = GeneratorConfig(FAMILIES["t5"], values, (end,), pad)
    with torch.random.fork_rng(devices=[]):  # its seed is nobody else's
        torch.manual_seed(seed)
        network = build_network(config)
    special = {"pad_token": PAD, "eos_token": SEP, "unk_token": UNK}
    return PretrainedGenerator(SCRATCH, config, network.eval(), tokenizer, None, special)
