"""The losses are those of the reference implementation and of cases worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM

from takeroot.errors import ModelError
from takeroot.pretraining.layout import Frame, frame_of, lay_out
from takeroot.pretraining.masking import draw_words, replace_drawn
from takeroot.pretraining.network import Start, from_scratch, weights
from takeroot.pretraining.objective import Language
from takeroot.pretraining.rows import Row
from takeroot.recipe import NetworkRecipe, TrainingRecipe

VOCABULARY = 40


def frame() -> Frame:
    return Frame((2,), (3,), (3,), 0, 4, torch.arange(5, VOCABULARY))


def row(*ids: int) -> Row:
    return Row(np.array(ids), np.ones(len(ids), bool))


def language(**settings: Any) -> Language:
    return Language(TrainingRecipe.model_validate(settings), frame())


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture
def start() -> Start:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    made = from_scratch(NetworkRecipe(layers=2, hidden=16, heads=2, positions=32), VOCABULARY)
    with torch.no_grad():  # large enough weights that every part changes the result
        for parameter in made.model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    made.model.eval()
    return made


def reference(start: Start) -> BertForMaskedLM:
    """transformers' network with the same weights."""
    config = BertConfig(**{k: v for k, v in start.config.items() if k != "model_type"})
    network = BertForMaskedLM(config).eval()
    network.load_state_dict({**weights(start)}, strict=False)
    network.tie_weights()
    return network


def test_masked_loss_is_the_reference_s(start: Start) -> None:
    rows = [row(*range(6, 26)), row(*range(30, 39))]
    torch.manual_seed(3)
    found = float(language().loss(start.model, rows, torch.float32))

    torch.manual_seed(3)
    ids, mask = torch.zeros(2, 22).long(), torch.zeros(2, 22).long()
    for place, each in enumerate(rows):
        ids[place, : len(each.ids) + 2] = torch.tensor([2, *each.ids, 3])
        mask[place, : len(each.ids) + 2] = 1
    drawn = torch.zeros(2, 22).bool()
    for place, each in enumerate(rows):
        drawn[place, 1 : len(each.ids) + 1] = draw_words(torch.tensor(each.starts), 0.15)
    labels = torch.where(drawn, ids, -100)
    hidden = replace_drawn(ids, drawn, 4, torch.arange(5, VOCABULARY))
    expected = reference(start)(input_ids=hidden, attention_mask=mask, labels=labels).loss

    assert found == pytest.approx(float(expected), abs=1e-5)


def test_causal_loss_sees_no_token_before_its_time(start: Start) -> None:
    objective = language(objective="causal")
    ids = [7, 8, 9, 10]

    by_hand = []
    for place in range(5):  # after [CLS], then after each token; the last is the end
        seen = torch.tensor([[2, *ids][: place + 1]])
        vectors = start.model.vectors(seen, torch.ones_like(seen), torch.zeros_like(seen))
        causal = start.model.vectors(
            seen, torch.ones_like(seen), torch.zeros_like(seen), causal=True
        )
        by_hand.append(
            float(
                F.cross_entropy(start.model.guess(causal[:, -1]), torch.tensor([[*ids, 3][place]]))
            )
        )
        assert place == 0 or not torch.allclose(vectors, causal, atol=1e-4)

    found = objective.loss(start.model, [row(*ids)], torch.float32)
    assert float(found) == pytest.approx(np.mean(by_hand), abs=1e-5)


def test_padding_changes_no_loss(start: Start) -> None:
    objective = language(objective="causal")
    short, long = row(7, 8), row(*range(9, 29))

    alone = [objective.look(start.model, [each], torch.float32) for each in (short, long)]
    both = objective.look(start.model, [short, long], torch.float32)

    assert float(both.loss) == pytest.approx(sum(float(each.loss) for each in alone), rel=1e-5)
    assert both.tokens == 3 + 21


@pytest.mark.parametrize("pairs", ["next", "order"])
def test_pairs_are_laid_out_as_bert_s(pairs: str) -> None:
    rows = [row(*range(5, 13)), row(*range(20, 28))]
    torch.manual_seed(1)

    laid, same = lay_out(rows, pairs, frame())

    for place, right in enumerate(same.tolist()):
        ids = laid.ids[place, : int(laid.mask[place].sum())].tolist()
        middle = ids.index(3)
        own = rows[place].ids.tolist()
        assert (ids[0], ids[-1]) == (2, 3)
        assert laid.types[place, : len(ids)].tolist() == [0] * (middle + 1) + [1] * (
            len(ids) - middle - 1
        )
        assert (ids[1:middle] + ids[middle + 1 : -1] == own) == bool(right)
        assert laid.free[place].tolist() == [int(token > 4) for token in laid.ids[place].tolist()]


@pytest.mark.parametrize("pairs", ["next", "order"])
def test_half_of_the_pairs_are_right(pairs: str) -> None:
    torch.manual_seed(0)
    rows = [row(*range(5, 13))] * 8

    right = torch.cat([lay_out(rows, pairs, frame())[1] for _ in range(200)])

    assert float(right.float().mean()) == pytest.approx(0.5, abs=0.0625)  # five deviations


def test_contrast_is_cross_entropy_over_the_batch(start: Start) -> None:
    rows = [row(*range(5, 15)), row(*range(20, 30)), row(*range(10, 20))]
    objective = language(pairs="contrast", mask_share=0.01)
    torch.manual_seed(5)
    found = objective.look(start.model, rows, torch.float32)

    torch.manual_seed(5)
    laid, _ = lay_out(rows, "contrast", frame())
    drawn = torch.zeros_like(laid.mask).bool()
    for place in range(6):
        may = laid.free[place].bool()
        drawn[place, may] = draw_words(laid.starts[place, may], 0.01)
    hidden = replace_drawn(laid.ids, drawn, 4, objective.frame.others)
    means = []
    for place in range(6):  # each part alone
        size = int(laid.mask[place].sum())
        ids = hidden[place : place + 1, :size]
        vectors = start.model.vectors(ids, torch.ones_like(ids), torch.zeros_like(ids))
        means.append(vectors[0].mean(dim=0) / vectors[0].mean(dim=0).norm())
    near = torch.stack([torch.stack([a @ b for b in means[3:]]) for a in means[:3]]) / 0.05
    diagonal = torch.diag(near)
    expected = (near.logsumexp(0) + near.logsumexp(1) - 2 * diagonal).mean() / 2

    assert found.pair_loss is not None
    assert float(found.pair_loss) == pytest.approx(float(expected), abs=1e-4)


def test_held_out_rows_are_judged_by_the_same_hidden_tokens(start: Start) -> None:
    rows = [row(*range(6, 26)), row(*range(30, 39))]
    objective = language()

    first = objective.measure(start.model, rows, torch.float32)
    torch.manual_seed(99)
    second = objective.measure(start.model, rows, torch.float32)

    assert first == second
    assert objective.score(start.model, rows, torch.float32) == pytest.approx(
        math.exp(-first["loss"])
    )
    assert first["perplexity"] == pytest.approx(math.exp(first["loss"]))


def test_judging_leaves_torch_s_generator_alone(start: Start) -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)

    language().measure(start.model, [row(*range(6, 26))], torch.float32)

    assert torch.equal(torch.rand(3), expected)


def test_a_tokenizer_without_mask_token_is_refused(start: Start) -> None:
    blind = Frame((2,), (3,), (3,), 0, None, torch.arange(5, VOCABULARY))

    with pytest.raises(ModelError, match="has no mask token; take objective causal"):
        Language(TrainingRecipe(), blind).loss(start.model, [row(5, 6, 7)], torch.float32)


def test_special_tokens_are_the_tokenizer_s(tiny_tokenizer: Tokenizer) -> None:
    found = frame_of(tiny_tokenizer)

    assert (found.first, found.between, found.last) == ((2,), (3,), (3,))
    assert (found.padding, found.mask, found.extra) == (0, 4, 3)
    assert not set(range(5)) & set(found.others.tolist())


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "ernie"])
def test_going_on_keeps_the_encoder_and_the_saved_head(
    kind: str, tiny_folder: Callable[..., Any], tmp_path: Any
) -> None:
    from safetensors.torch import save_file

    from takeroot.models.load import load
    from takeroot.pretraining.network import going_on

    folder = tiny_folder(kind)
    first = going_on(load(str(folder)))
    save_file(weights(first), folder / "model.safetensors")
    second = going_on(load(str(folder)))

    assert (first.fresh_head, second.fresh_head) == (True, False)
    assert weights(second).keys() == weights(first).keys()
    assert all(torch.equal(weights(second)[name], each) for name, each in weights(first).items())
