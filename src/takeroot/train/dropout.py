"""One dropout probability throughout a network (Srivastava et al. 2014)."""

from __future__ import annotations

from torch import nn

QUERIES = ("q", "q_proj")  # of modules that attend
NUMBERS = ("dropout", "activation_dropout")  # what modules call a probability


def set_dropout(model: nn.Module, probability: float) -> None:
    """Drop hidden units with ``probability``, and attention weights never.

    A layer marked with ``own_probability``, as an adapter's is, stays as it was made.

    NOTE: a self-attention layer of transformers reads the probability for its weights off a
    dropout layer of its own; it is known by the query layer beside it. Encoder-decoders keep
    probabilities as plain numbers.
    """
    for module in model.modules():
        if isinstance(module, nn.Dropout) and not getattr(module, "own_probability", False):
            module.p = probability
    for module in model.modules():
        own = getattr(module, "dropout", None)
        if hasattr(module, "query") and isinstance(own, nn.Dropout):
            own.p = 0.0
        attends = any(hasattr(module, name) for name in QUERIES)
        for name in NUMBERS:
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0 if attends else probability)
