from __future__ import annotations

import torch
from tokenizers import AddedToken, Tokenizer, models

from takeroot.train.masking import Masking, masking_for


def tokenizer_with(*special: str) -> Tokenizer:
    made = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    made.add_special_tokens([AddedToken(name, special=True) for name in special])
    return made


def test_the_asked_share_of_tokens_is_hidden_and_no_special_one():
    torch.manual_seed(0)
    ids = torch.tensor([[2] + [7] * 998 + [3]] * 20)

    hidden = Masking(0.2, 4, (2, 3)).hide(ids)

    assert (hidden[:, 0] == 2).all()
    assert (hidden[:, -1] == 3).all()
    assert 0.18 < (hidden == 4).float().mean() < 0.22
    assert ((hidden == 7) | (hidden == 4))[:, 1:-1].all()
    assert (ids == 4).sum() == 0


def test_the_mask_token_and_the_special_ones_are_the_tokenizers():
    found = masking_for(tokenizer_with("[CLS]", "[MASK]"), 0.1)

    assert found == Masking(0.1, 3, (2, 3))


def test_a_mask_token_numbered_0_counts():
    made = Tokenizer(models.WordLevel({"<mask>": 0, "a": 1}, unk_token="a"))

    assert masking_for(made, 0.5) == Masking(0.5, 0, ())


def test_nothing_is_hidden_without_a_share_or_a_mask_token():
    assert masking_for(tokenizer_with("[MASK]"), 0.0) is None
    assert masking_for(tokenizer_with("[CLS]"), 0.1) is None
