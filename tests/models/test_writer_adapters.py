"""What every adapter must keep in every family of networks that write."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from folders import CAUSAL, FAMILIES, model_folder
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.errors import RecipeError
from takeroot.models.adapters import ADAPTERS, Attached
from takeroot.models.adapters.attach import attach, chosen, put, trained
from takeroot.models.adapters.words import Worded
from takeroot.models.generator import load_generator
from takeroot.models.layers import named_stacks

Networks = Callable[[str], Any]
IDS = torch.tensor([[4, 5, 6, 7, 8], [9, 10, 11, 12, 13]])
TAKEN = [
    (method, family)
    for method, family in product(("lora", "adalora", "ia3", "adapter", "prompt"), FAMILIES)
    if (method, family) != ("prompt", "marian")
]
every = pytest.mark.parametrize(("method", "family"), TAKEN)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """A family's network; each is read once."""
    place, made = tmp_path_factory.mktemp("models"), {}

    def network(family: str) -> Any:
        if family not in made:
            folder: Path = model_folder(place / family, family)
            made[family] = load_generator(str(folder), causal=family in CAUSAL).network
        return made[family]

    return network


def attached(base: nn.Module, method: str, seed: int = 0) -> tuple[Any, Attached]:
    """A copy of the network with the adapter, and the adapter."""
    network = copy.deepcopy(base)
    torch.manual_seed(seed)
    adapter = chosen(method, {})
    assert adapter is not None
    return network, attach(adapter, network)


def asked(network: Any, method: str) -> Tensor:
    """The token ids of what is read: behind two learned words where there are some."""
    size = network.config.vocab_size
    words = torch.tensor([[size, size + 3]] * len(IDS)) if method == "prompt" else IDS[:, :0]
    return torch.cat([words, IDS], dim=1)


def logits(network: Any, ids: Tensor = IDS) -> Tensor:
    more = {"decoder_input_ids": IDS} if network.config.is_encoder_decoder else {}
    return torch.as_tensor(network(input_ids=ids, **more).logits)


def learnt(base: nn.Module, method: str) -> tuple[Any, Attached]:
    """A network with an adapter that has made some steps of a plain gradient descent."""
    network, adapter = attached(base, method)
    for number in range(4):
        found = logits(network, asked(network, method))[:, -IDS.shape[1] :]
        loss = F.cross_entropy(found.flatten(0, 1), IDS.flatten())
        (loss if adapter.penalty is None else loss + adapter.penalty()).backward()
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.grad is not None:
                    parameter.sub_(0.05 * parameter.grad)
        if adapter.after_step is not None:
            adapter.after_step(number + 1, 4)
        network.zero_grad()
    adapter.settle()
    return network, adapter


@every
def test_training_begins_with_what_the_network_computes(
    method: str, family: str, networks: Networks
) -> None:
    network, _ = attached(networks(family), method)

    with torch.inference_mode():
        torch.testing.assert_close(logits(network), logits(networks(family)), atol=1e-5, rtol=1e-5)


@every
def test_only_its_own_parameters_are_trained(method: str, family: str, networks: Networks) -> None:
    before = {value.sum().item() for value in networks(family).parameters()}
    start = trained(attached(networks(family), method)[0])

    network, _ = learnt(networks(family), method)

    kept = {p.sum().item() for p in network.parameters() if not p.requires_grad}
    assert before <= kept
    assert start and not any(
        torch.equal(start[name], own) for name, own in trained(network).items()
    )


@every
def test_it_reaches_every_stack_of_layers(method: str, family: str, networks: Networks) -> None:
    stems = [name for name, _ in named_stacks(networks(family))]

    own = trained(attached(networks(family), method)[0])

    if method == "prompt":
        assert [name.rpartition(".")[2] for name in own] == ["words"]
    else:
        assert all(any(name.startswith(stem) for name in own) for stem in stems)


@every
def test_merged_equals_unmerged(method: str, family: str, networks: Networks) -> None:
    network, adapter = learnt(networks(family), method)
    ids = asked(network, method)
    with torch.inference_mode():
        before = logits(network, ids)
        adapter.merge()
        after = logits(network, ids)

    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-4)
    plain = {type(module).__module__.split(".")[0] for module in network.modules()}
    assert plain <= {"torch", "transformers"}


@every
def test_what_was_trained_comes_back_on_another_copy(
    method: str, family: str, networks: Networks
) -> None:
    network, _ = learnt(networks(family), method)
    other, _ = attached(networks(family), method, seed=1)

    put(other, trained(network))

    ids = asked(network, method)
    with torch.inference_mode():
        assert torch.equal(logits(other, ids), logits(network, ids))


@every
def test_the_same_seed_gives_the_same_result(method: str, family: str, networks: Networks) -> None:
    first, second = (trained(learnt(networks(family), method)[0]) for _ in range(2))

    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_merged_adapter_widens_every_block_and_the_config(
    family: str, networks: Networks
) -> None:
    network = copy.deepcopy(networks(family))
    adapter = chosen("adapter", {"size": 5})
    assert adapter is not None
    lowest = 1 if family in CAUSAL else 0  # a frozen layer is as wide as the others

    attach(adapter, network, lowest).merge()

    widths = {k: v for k, v in network.config.to_dict().items() if v == 69}
    assert widths.keys() <= {"d_ff", "intermediate_size", "encoder_ffn_dim", "decoder_ffn_dim"}
    again = type(network)(network.config)
    again.load_state_dict(network.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(logits(again.eval()), logits(networks(family)))


def test_words_beyond_the_vocabulary_are_the_learned_ones() -> None:
    table = nn.Embedding(10, 3)
    made = Worded(table, 2)

    found = made(torch.tensor([[11, 0, 10]]))

    wanted = torch.stack([made.words[1], table.weight[0], made.words[0]])
    assert torch.equal(found[0], wanted)


@pytest.mark.parametrize(
    ("method", "family", "able"),
    [
        ("prefix", "llama", "lora, adalora, ia3, adapter, prompt"),
        ("prompt", "marian", "lora, adalora, ia3, adapter"),
    ],
)
def test_what_does_not_fit_names_what_does(
    method: str, family: str, able: str, networks: Networks
) -> None:
    with pytest.raises(RecipeError, match=f"'{method}' does not fit .*; methods that do: {able}, "):
        attach(ADAPTERS[method](), networks(family))
