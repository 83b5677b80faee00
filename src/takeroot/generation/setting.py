"""How a model is asked and when it stops: what stands around prompts, what ends an answer."""

from __future__ import annotations

from takeroot.bundle.spec import ChatFrames, Generation
from takeroot.errors import RecipeError
from takeroot.generation.frames import frames_of
from takeroot.models.generator import PretrainedGenerator
from takeroot.recipe import Recipe


def how_asked(recipe: Recipe, pretrained: PretrainedGenerator, *, chats: bool) -> Generation:
    """How the model is asked; the longest answer is not known yet.

    Args:
        recipe: For the beams.
        pretrained: The model.
        chats: Whether rows are chats.

    Raises:
        ModelError: If its chat template cannot be kept as texts.
        RecipeError: If rows are chats, and the model has no chat template.
    """
    causal = pretrained.config.family.causal
    frames = frames_of(pretrained) if causal else None
    if chats and frames is None:
        raise RecipeError(
            f"model: {pretrained.name!r} has no chat template, and the rows are chats; take a chat "
            "model, or rows of prompt and response"
        )
    before, after = ((), ()) if frames is not None else _around(pretrained)
    return Generation(
        frames=frames,
        end=_ends(pretrained, frames),
        context=pretrained.config.max_tokens,
        beams=recipe.generate.beams,
        before=before,
        after=after,
    )


def _ends(pretrained: PretrainedGenerator, frames: ChatFrames | None) -> tuple[str, ...]:
    """What ends an answer; the first is what is learnt.

    A chat's answer ends with the token its template sets behind it, where that is one by itself.
    """
    ends = list(pretrained.tokens(pretrained.config.ends))
    if frames is not None:
        found = pretrained.tokenizer.encode(frames.assistant[1], add_special_tokens=False).ids
        added = pretrained.tokenizer.get_added_tokens_decoder()
        if found and found[0] in added:
            first = str(added[found[0]].content)
            ends = [first, *(each for each in ends if each != first)]
    return tuple(ends)


def _around(pretrained: PretrainedGenerator) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tokens that the tokenizer itself puts before and after a text.

    T5's family ends a source with its end token, whether or not the tokenizer's file says so.
    """
    tokenizer = pretrained.tokenizer
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a", add_special_tokens=True).ids
    place = next((k for k in range(len(whole)) if whole[k : k + len(bare)] == bare), 0)
    before, after = whole[:place], whole[place + len(bare) :]
    if not pretrained.config.family.causal and not after:
        after = [pretrained.config.ends[0]]
    if pretrained.config.family.causal:
        after = []  # an end token behind a prompt would end what is to be gone on with
    return pretrained.tokens(tuple(before)), pretrained.tokens(tuple(after))
