"""What every entry of ARCHITECTURES must keep, so that serving computes what was trained."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from takeroot.models.attention import packed_attention
from takeroot.models.config import ARCHITECTURES
from takeroot.models.load import load
from takeroot.models.text_model import TextModel
from takeroot.tasks import Classify, Tag

TEXTS = [[2, 20, 30, 40, 3], [2, 25, 3], [2, 50, 51, 52, 53, 54, 3]]
TYPES = [[0, 0, 0, 1, 1], [0, 0, 0], [0, 0, 0, 0, 1, 1, 1]]

Build = Callable[..., Any]


def packed(model: TextModel, kind: str, texts: list[list[int]], types: list[list[int]]) -> Tensor:
    architecture = ARCHITECTURES[kind]
    ids = torch.tensor([[*chain(*texts)]])
    starts = [torch.arange(len(text)) + architecture.position_offset for text in texts]
    segments = torch.cat([torch.full((len(text),), k) for k, text in enumerate(texts)])[None]
    kinds = torch.tensor([[*chain(*types)]]) if architecture.token_types else None
    with torch.inference_mode():
        return model.packed(ids, torch.cat(starts)[None], kinds, segments)


def alone(model: TextModel, number: int) -> Tensor:
    ids, types = torch.tensor([TEXTS[number]]), torch.tensor([TYPES[number]])
    with torch.inference_mode():
        return model.embed(ids, torch.ones_like(ids), types)[0]


def padded(model: TextModel) -> Tensor:
    longest = max(map(len, TEXTS))
    ids, mask, types = np.zeros((3, 3, longest), np.int64)
    for row, text in enumerate(TEXTS):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
        types[row, : len(text)] = TYPES[row]
    with torch.inference_mode():
        return model.embed(torch.tensor(ids), torch.tensor(mask), torch.tensor(types))


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_packed_text_is_computed_as_if_alone(kind: str, tiny_model: Build):
    model = tiny_model(Tag(("x",)), kind)

    together = packed(model, kind, TEXTS, TYPES).split([len(text) for text in TEXTS])

    for number, found in enumerate(together):
        torch.testing.assert_close(found, alone(model, number), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_padded_text_is_computed_as_if_alone(kind: str, tiny_model: Build):
    model = tiny_model(Classify(("x", "y")), kind)

    together = padded(model)

    for number, found in enumerate(together):
        torch.testing.assert_close(found, alone(model, number), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_texts_place_in_a_pack_does_not_change_one_bit(kind: str, tiny_model: Build):
    model = tiny_model(Tag(("x",)), kind)
    first = packed(model, kind, [TEXTS[0], TEXTS[2]], [TYPES[0], TYPES[2]])

    last = packed(model, kind, [TEXTS[2], TEXTS[0]], [TYPES[2], TYPES[0]])

    assert torch.equal(first[: len(TEXTS[0])], last[-len(TEXTS[0]) :])


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_token_order_and_token_types_matter(kind: str, tiny_model: Build):
    model = tiny_model(Tag(("x",)), kind)
    plain = packed(model, kind, [TEXTS[0]], [TYPES[0]])

    turned = packed(model, kind, [TEXTS[0][::-1]], [TYPES[0]])
    typed = packed(model, kind, [TEXTS[0]], [[0] * 5])

    assert not torch.allclose(plain, turned.flip(0), atol=1e-3)
    assert torch.equal(plain, typed) is not ARCHITECTURES[kind].token_types


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_saved_encoder_comes_back_the_same(
    kind: str, tiny_folder: Callable[..., Path], tiny_encoder: Build
):
    pretrained = load(str(tiny_folder(kind)))

    saved = tiny_encoder(kind).state_dict()
    for name, tensor in pretrained.encoder.state_dict().items():
        assert torch.equal(tensor, saved[name]), name
    assert pretrained.hidden_size == 32
    assert pretrained.max_tokens == 66 - ARCHITECTURES[kind].position_offset


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_longest_text_fits_its_positions(kind: str, tiny_model: Build):
    model = tiny_model(Tag(("x",)), kind)
    longest = [20] * (66 - ARCHITECTURES[kind].position_offset)

    vectors = packed(model, kind, [longest], [[0] * len(longest)])

    assert bool(torch.isfinite(vectors).all())


def test_the_attention_is_put_back_after_use(tiny_encoder: Build):
    encoder = tiny_encoder()

    with pytest.raises(KeyError), packed_attention(encoder):
        raise KeyError

    assert encoder.config._attn_implementation == "eager"


def test_text_vectors_have_unit_length(tiny_model: Build):
    vectors = padded(tiny_model(Classify(("x", "y"))))

    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
