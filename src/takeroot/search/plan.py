"""Which methods a run tries: the one its recipe names, or what suits rows, task and encoder."""

from __future__ import annotations

from takeroot.errors import RecipeError
from takeroot.search import finetune
from takeroot.search.methods import METHODS
from takeroot.search.work import Work

AUTO = ("tfidf", "probe", "full")
AUTO_OF_FEW = ("tfidf", "probe", "contrastive")  # where labels are few


def methods_of(work: Work) -> list[str]:
    """The methods to try, cheapest first.

    Raises:
        RecipeError: If the method asked for does not fit the task or the way of abstaining, or
            nothing that auto would try takes a setting.
    """
    wanted = work.recipe.fit.method
    away = work.recipe.abstain.method
    if away in ("mahalanobis", "knn") and (wanted == "tfidf" or work.pretrained is None):
        raise RecipeError(
            f"abstain.method: {away!r} compares an encoder's vectors; TF-IDF has none"
        )
    able = [name for name, each in METHODS.items() if work.task.name in each.tasks]
    if wanted != "auto":
        if wanted not in able:
            raise RecipeError(
                f"fit.method: {wanted!r} does not do task {work.task.name}; allowed: "
                + ", ".join(["auto", *able])
            )
        return [wanted, *_by_itself(work)]
    few = finetune.few_labelled(work.task, work.own)
    # Settings that contrastive training does not take.
    whole = "fit.freeze" if work.recipe.fit.freeze else "data.also" if work.also else ""
    tried = AUTO_OF_FEW if few and not whole else AUTO
    found = [name for name in able if name in tried and _worth_trying(work, name)]
    if whole and "full" not in found:
        raise RecipeError(
            f"{whole}: fit.method: auto trains no network here (fit.preset: "
            f"{work.recipe.fit.preset}), so nothing would come of it; name the method, such as "
            "full, or leave it out"
        )
    return [*found, *_by_itself(work)]


def _by_itself(work: Work) -> list[str]:
    """Self-training, where there are texts without labels to learn from.

    Raises:
        RecipeError: If the task or the method asked for cannot.
    """
    if not work.unlabelled:
        return []
    able = METHODS["self_training"].tasks
    if work.task.name not in able or work.recipe.fit.method == "tfidf":
        raise RecipeError(
            f"data.unlabelled: task {work.task.name} by {work.recipe.fit.method} learns from "
            f"labelled rows only; tasks that do: {', '.join(able)}, by any method but tfidf"
        )
    return ["self_training"] if work.pretrained is not None else []


def _worth_trying(work: Work, name: str) -> bool:
    """Whether auto tries a method: encoder, preset and way of abstaining must fit it."""
    method = METHODS[name]
    if method.encoder and work.pretrained is None:
        return False
    if not method.encoder:
        return work.recipe.abstain.method not in ("mahalanobis", "knn")
    alone = work.task.name == "tag"  # nothing cheaper does it
    return alone or not method.trained or work.recipe.fit.preset != "fast"
