"""What every entry of ADAPTERS must keep."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import chain
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from takeroot.errors import ModelError, RecipeError
from takeroot.export.graph import export_graph
from takeroot.export.quantize import quantize
from takeroot.models.adapters import ADAPTERS, Attached
from takeroot.models.adapters.attach import attach, chosen, put, trained
from takeroot.models.config import ARCHITECTURES
from takeroot.models.text_model import TextModel
from takeroot.recipe import AdapterRecipe
from takeroot.tasks import Classify

Build = Callable[..., Any]
every = pytest.mark.parametrize("method", ADAPTERS)

TEXTS = [[2, 20, 30, 40, 3], [2, 25, 3], [2, 50, 51, 52, 53, 54, 3]]
TARGETS = torch.tensor([0, 1, 2])


@pytest.fixture
def base(tiny_model: Build) -> TextModel:
    found: TextModel = tiny_model(Classify(("a", "b", "c")))
    return found


def attached(base: TextModel, method: str, seed: int = 0, lowest: int = 0) -> Any:
    """A copy of the network with the adapter, and the adapter."""
    model = copy.deepcopy(base)
    torch.manual_seed(seed)
    adapter = chosen(method, {})
    assert adapter is not None
    return model, attach(adapter, model.encoder, lowest)


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """The texts padded: ids, mask, types."""
    ids = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(text) for text in TEXTS], batch_first=True, padding_value=0
    )
    return ids, (ids != 0).long(), torch.zeros_like(ids)


def logits(model: TextModel) -> Tensor:
    with torch.inference_mode():
        return model(*inputs())[0].clone()


def steps(model: TextModel, adapter: Attached, first: int, last: int, total: int) -> None:
    """Steps of a plain gradient descent, which holds no state of its own."""
    for number in range(first, last):
        loss = F.cross_entropy(model(*inputs())[0], TARGETS)
        (loss if adapter.penalty is None else loss + adapter.penalty()).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.sub_(0.5 * parameter.grad)
        if adapter.after_step is not None:
            adapter.after_step(number + 1, total)
        model.zero_grad()


def learnt(base: TextModel, method: str) -> Any:
    """A network with an adapter that has learnt something, and the adapter."""
    model, adapter = attached(base, method)
    steps(model, adapter, 0, 10, 10)
    adapter.settle()
    return model, adapter


def packed(
    model: TextModel, offset: int = 0, texts: Sequence[list[int]] = TEXTS
) -> dict[str, np.ndarray]:
    """The texts as the graph takes them."""
    lengths = [len(text) for text in texts]
    pool = np.zeros((3, sum(lengths)), np.float32)
    segments = np.repeat(np.arange(3), lengths)
    pool[segments, np.arange(sum(lengths))] = 1 / np.array(lengths, np.float32)[segments]
    feeds = {
        "input_ids": np.array([[*chain(*texts)]]),
        "position_ids": np.concatenate([np.arange(k) + offset for k in lengths])[None],
        "segments": segments[None],
        "pool": pool,
    }
    if model.token_types:
        feeds["token_type_ids"] = np.zeros_like(feeds["input_ids"])
    return feeds


def run(graph: bytes, feeds: dict[str, np.ndarray]) -> Tensor:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], feeds)[0])


@every
def test_training_begins_with_what_the_base_computes(method: str, base: TextModel) -> None:
    model, _ = attached(base, method)

    assert torch.equal(logits(model), logits(base))


@every
def test_only_its_own_parameters_and_the_head_are_trained(method: str, base: TextModel) -> None:
    before = {value.sum().item() for value in base.encoder.parameters()}
    model, adapter = attached(base, method)
    own = [p for p in model.encoder.parameters() if p.requires_grad]
    start = [value.detach().clone() for value in own]
    steps(model, adapter, 0, 10, 10)

    kept = {p.sum().item() for p in model.encoder.parameters() if not p.requires_grad}

    assert before <= kept
    assert own and not any(map(torch.equal, own, start))


@every
def test_it_learns(method: str, base: TextModel) -> None:
    model, _ = learnt(base, method)

    assert (logits(model) - logits(base)).abs().max() > 0.01


@every
def test_merged_equals_unmerged(method: str, base: TextModel) -> None:
    model, adapter = learnt(base, method)
    before = logits(model)

    adapter.merge()

    torch.testing.assert_close(logits(model), before, atol=1e-5, rtol=0)
    assert not any("lora" in name or "ia3" in name for name, _ in model.named_modules())


@every
def test_what_was_trained_comes_back_on_another_copy(method: str, base: TextModel) -> None:
    model, _ = learnt(base, method)
    other, _ = attached(base, method, seed=1)

    put(other, trained(model))

    assert torch.equal(logits(other), logits(model))


@every
def test_the_same_seed_gives_the_same_result(method: str, base: TextModel) -> None:
    first, second = (trained(learnt(base, method)[0]) for _ in range(2))

    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@every
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_packed_texts_are_computed_as_padded_ones(
    method: str, kind: str, tiny_model: Build
) -> None:
    model, adapter = learnt(tiny_model(Classify(("a", "b", "c")), kind), method)
    adapter.merge()
    feeds = packed(model, ARCHITECTURES[kind].position_offset)

    found = run(export_graph(model), feeds)

    torch.testing.assert_close(found, logits(model), atol=1e-4, rtol=0)


@every
def test_a_texts_place_in_a_pack_does_not_change_one_bit(method: str, base: TextModel) -> None:
    model, adapter = learnt(base, method)
    adapter.merge()
    graph = export_graph(model)

    first = run(graph, packed(model))
    second = run(graph, packed(model, texts=TEXTS[::-1]))

    assert torch.equal(first.flip(0), second)


def test_more_learned_words_than_positions(base: TextModel) -> None:
    adapter = chosen("prompt", {"tokens": 100})  # the encoder has 66
    assert adapter is not None

    attach(adapter, base.encoder).merge()

    assert bool(torch.isfinite(logits(base)).all())


@every
def test_int8_stays_close(method: str, base: TextModel) -> None:
    model, adapter = learnt(base, method)
    adapter.merge()

    found = run(quantize(export_graph(model), [packed(model)]), packed(model))

    exact = logits(model)
    # A hundredth of the range is what uint8 activations round to, and some products add it up.
    torch.testing.assert_close(found, exact, atol=0.05 * exact.abs().max().item(), rtol=0)


@every
def test_frozen_layers_have_no_adapter(method: str, base: TextModel) -> None:
    model, _ = attached(base, method, lowest=1)

    names = [name for name, p in model.encoder.named_parameters() if p.requires_grad]

    assert any("layer.1." in name for name in names)
    assert not any("layer.0." in name for name in names)


@every
def test_a_training_gone_on_with_from_its_state_ends_the_same(method: str, base: TextModel) -> None:
    whole, adapter = attached(base, method)
    steps(whole, adapter, 0, 6, 20)
    state = copy.deepcopy(whole.state_dict())
    steps(whole, adapter, 6, 20, 20)

    other, again = attached(base, method, seed=1)
    other.load_state_dict(state)
    steps(other, again, 6, 20, 20)

    assert torch.equal(logits(other), logits(whole))


def test_recipe_has_the_settings_of_all_adapters_and_no_others() -> None:
    taken = {field.name for kind in ADAPTERS.values() for field in fields(kind)}  # type: ignore[arg-type]

    assert taken == set(AdapterRecipe.model_fields)


def test_ranks_shared_out_average_to_the_one_asked_for(base: TextModel) -> None:
    model, _ = learnt(base, "adalora")

    values = [p for name, p in model.named_parameters() if "lora_E" in name]

    assert sum(int((p != 0).sum()) for p in values) == 6 * len(values)
    assert len({int((p != 0).sum()) for p in values}) > 1


def test_a_schedule_cut_short_still_takes_the_ranks_away(base: TextModel) -> None:
    model, adapter = attached(base, "adalora")
    steps(model, adapter, 0, 5, 1000)

    steps(model, adapter, 5, 6, 6)

    values = [p for name, p in model.named_parameters() if "lora_E" in name]
    assert sum(int((p != 0).sum()) for p in values) == 6 * len(values)


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("lora", {"tokens": 4}, r"fit.adapter.tokens: lora .*takes: rank, alpha, dropout, targets"),
        ("full", {"rank": 4}, r"fit.adapter.rank: .*full takes no adapter.*: lora, adalora$"),
    ],
)
def test_a_setting_of_another_method_is_refused(
    method: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        chosen(method, settings)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("quer", r"'quer' matches no module.*encoder.layer.N.attention.self.query, .*output.dense"),
        ("(query", r"fit.adapter.targets: '\(query': not a pattern"),
    ],
)
def test_a_pattern_that_names_nothing_is_refused(
    pattern: str, message: str, base: TextModel
) -> None:
    adapter = chosen("lora", {"targets": pattern})
    assert adapter is not None

    with pytest.raises(RecipeError, match=message):
        attach(adapter, base.encoder)


def test_a_pattern_chooses_modules_by_the_end_of_their_names(base: TextModel) -> None:
    adapter = chosen("lora", {"targets": "query|attention.output.dense"})
    assert adapter is not None

    attach(adapter, base.encoder)

    names = {
        name.partition(".lora_")[0]
        for name, p in base.encoder.named_parameters()
        if p.requires_grad
    }
    ends = {name.split(".", 3)[3] for name in names}
    assert ends == {"attention.self.query", "attention.output.dense"}
    assert len(names) == 4


def test_freezing_all_layers_is_refused(base: TextModel) -> None:
    adapter = chosen("lora", {})
    assert adapter is not None

    with pytest.raises(RecipeError, match=r"fit.freeze: 2 of 2 layers .*allowed: 0 to 1"):
        attach(adapter, base.encoder, 2)


def test_a_method_that_does_not_fit_names_those_that_do() -> None:
    encoder = torch.nn.Module()
    encoder.layers = torch.nn.ModuleList([torch.nn.Linear(4, 4)])  # not as BERT's are
    encoder.config = type("Config", (), {"num_hidden_layers": 1})()  # type: ignore[assignment]
    adapter = chosen("prefix", {})
    assert adapter is not None

    with pytest.raises(RecipeError, match=r"'prefix' does not fit Module; .* lora, adalora, probe"):
        attach(adapter, encoder)


def test_weights_of_another_adapter_are_refused(base: TextModel) -> None:
    lora, _ = attached(base, "lora")
    prefix, _ = attached(base, "prefix")

    with pytest.raises(ModelError, match=r"adapter: the model .* it was saved from another one"):
        put(prefix, trained(lora))


def test_an_adapters_dropout_is_its_own(base: TextModel) -> None:
    from takeroot.train.dropout import set_dropout

    adapter = chosen("lora", {"dropout": 0.5, "targets": "query"})
    assert adapter is not None
    attach(adapter, base.encoder)

    set_dropout(base, 0.0)

    found = {module.p for name, module in base.named_modules() if "lora_dropout.default" in name}
    assert found == {0.5}
