from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from takeroot.errors import ModelError
from takeroot.models.load import load
from takeroot.models.masked import check, load_masked, proposals_of, sha256_of
from takeroot.models.vocabulary import SPACE
from takeroot.pretraining.network import going_on, weights

Build = Callable[..., Any]


@pytest.fixture
def masked_folder(tiny_folder: Build) -> Build:
    """Writes the folder of a random encoder with a random layer that predicts tokens."""

    def write(kind: str = "bert") -> Path:
        folder: Path = tiny_folder(kind, tie_word_embeddings=True)
        torch.manual_seed(3)
        start = going_on(load(str(folder)))
        with torch.no_grad():
            for parameter in start.model.head.parameters():
                parameter.add_(0.5 * torch.randn_like(parameter))
        save_file(weights(start), folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return write


@pytest.mark.parametrize("kind", ["bert", "electra", "roberta"])
def test_chances_are_those_of_transformers(masked_folder: Build, kind: str) -> None:
    from transformers import AutoModelForMaskedLM

    folder = masked_folder(kind)
    rows = [np.array([2, 4, 10, 11, 3]), np.array([2, 12, 4, 3])]

    masked = load_masked(str(folder), None)
    found = masked.likeliest(rows, np.array([[0, 1], [1, 2]]), ["my", "my"], 5)

    theirs = AutoModelForMaskedLM.from_pretrained(folder).eval()
    for (ids, chances), row, place in zip(found, rows, (1, 2), strict=True):
        logits = theirs(input_ids=torch.from_numpy(row)[None]).logits[0, place].detach()
        able = set(masked.proposals.words.tolist()) - set(masked.proposals.same["my"].tolist())
        best = sorted(able, key=lambda number: -float(logits[number]))[:5]
        assert ids.tolist() == best
        np.testing.assert_allclose(chances, logits[best].softmax(0), atol=1e-5)


def test_only_whole_words_are_proposed_and_never_the_word_itself(tiny_tokenizer: Tokenizer) -> None:
    proposals = proposals_of(tiny_tokenizer)

    able, same = proposals.instead_of("My")

    tokens = [tiny_tokenizer.id_to_token(number) for number in able.tolist()]
    assert "card" in tokens
    assert all(token.isalpha() and token.isascii() for token in tokens)  # no [CLS], ##s, 卡 or !
    assert [tiny_tokenizer.id_to_token(number) for number in same.tolist()] == ["my"]


def test_characters_are_replaced_by_characters(tiny_tokenizer: Tokenizer) -> None:
    proposals = proposals_of(tiny_tokenizer)

    able, _ = proposals.instead_of("卡")

    assert {proposals.written[number] for number in able.tolist()} == set("我的卡丢了在哪里")
    assert not proposals.can_replace("卡丢")  # no token of two
    assert not proposals.can_replace("12") and not proposals.can_replace("!")


def test_a_vocabulary_that_keeps_blanks_tells_words_by_them() -> None:
    vocabulary = {"[UNK]": 0, f"{SPACE}card": 1, "s": 2, f"{SPACE}pin": 3, "卡片": 4, f"{SPACE}": 5}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")

    proposals = proposals_of(tokenizer)

    assert proposals.words.tolist() == [1, 3]
    assert proposals.han[2].tolist() == [4]


def test_a_model_without_the_layer_is_refused_by_what_is_missing(tiny_folder: Build) -> None:
    folder = tiny_folder()

    with pytest.raises(ModelError, match=r"has not kept the layer .*'cls\.predictions\.transform"):
        check("model", str(folder))


def test_a_tokenizer_without_a_mask_is_refused(masked_folder: Build) -> None:
    folder = masked_folder()
    file = folder / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace("[MASK]", "[MUSK]"), encoding="utf-8")

    with pytest.raises(ModelError, match=r"has none of \[MASK\], <mask> to hide words with"):
        check("model", str(folder))


def test_a_layer_of_another_shape_is_refused(masked_folder: Build) -> None:
    folder = masked_folder()
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"cls.predictions.bias": torch.zeros(7)}, folder / "model.safetensors")

    with pytest.raises(ModelError, match=r"cls\.predictions\.bias has shape \(7,\), config\.json"):
        load_masked(str(folder), None)


def test_layers_in_parts_and_under_old_names_are_found(masked_folder: Build) -> None:
    folder = masked_folder()
    expected = load_masked(str(folder), None).head.state_dict()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): t for name, t in tensors.items()}
    names = sorted(old)
    save_file({name: old[name] for name in names[::2]}, folder / "model-00001-of-00002.safetensors")
    save_file(
        {name: old[name] for name in names[1::2]}, folder / "model-00002-of-00002.safetensors"
    )

    found = load_masked(str(folder), None).head.state_dict()

    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_the_encoder_of_a_run_is_used_again(masked_folder: Build) -> None:
    folder = masked_folder()
    given = load(str(folder))

    assert load_masked(str(folder), given).encoder is given.encoder


def test_another_weight_gives_another_hash(masked_folder: Build) -> None:
    folder = masked_folder()
    before = sha256_of(str(folder))
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t + 1 for n, t in tensors.items()}, folder / "model.safetensors")

    assert before.startswith("sha256 ") and sha256_of(str(folder)) != before
