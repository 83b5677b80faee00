"""Which labels texts probably have, by a model that tells whether one text follows from another.

A label becomes a sentence, the hypothesis, and a text has the label whose sentence it entails most
(Yin, Hay and Roth 2019, arXiv:1909.00161, section 5). The model is any bundle of task pair that has
a label for pairs that agree: fitted on natural-language inference, paraphrases, or texts with
sentences about their topics.

    q_uk = n_uk e_uk / sum_j n_uj e_uj,    e_uk = P(entailed | text u, hypothesis of label k)

Where we differ: the paper asks about every label whenever a text is classified, so that serving
costs K passes a text. Here only texts without labels are asked about, once, and an ordinary head
learns the answers; of many labels only the SHORTLIST whose names are nearest to the text (the right
one is among them for 96 % of banking77's texts), the others have q_uk = 0; and n_uk, how likely the
label is by its name, counts as well: a product of experts, of which the one that is unsure says
little. On four sets of intents it was right more often than e_uk alone in each, by 9 to 21 points.

Cost: U x min(K, SHORTLIST) passes of the bundle's model. Shapes: U texts, K labels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from takeroot.bundle import Predictor, open_bundle
from takeroot.bundle.manifest import MANIFEST
from takeroot.data import Example
from takeroot.data.languages import script_of
from takeroot.errors import BundleError, RecipeError
from takeroot.recipe import Recipe
from takeroot.search import probe as probes
from takeroot.search.work import EXPORT_S, Work

ENTAILED = ("entailment", "entailed", "entails", "蕴含", "蕴涵")
TEMPLATE, TEMPLATE_OF_HAN = "This text is about {}.", "这句话说的是{}。"
SHORTLIST = 20  # labels that a text is asked about
BLOCK = 100  # texts asked about between two looks at the clock
LEAST = 1e-6  # P(entailed) at least, so that a text that entails nothing has chances, too


@dataclass(frozen=True)
class Nli:
    """A bundle that tells whether the second text of a pair follows from the first.

    Args:
        predictor: Of the bundle.
        label: Of pairs where it does.
        template: The second text, with {} for a label; None for one by the labels' script.
    """

    predictor: Predictor
    label: str
    template: str | None

    @property
    def name(self) -> str:
        """Name and hash of the bundle, for people."""
        return f"{self.predictor.spec.name} (sha256 {self.predictor.sha256})"

    def hypotheses(self, labels: Sequence[str], means: Mapping[str, str | None]) -> list[str]:
        """A sentence for each label: of what it means where that is said, else of its name."""
        said = [means.get(label) or probes.spoken_name(label) for label in labels]
        template = self.template
        if template is None:
            template = TEMPLATE_OF_HAN if script_of("".join(said)) == "Han" else TEMPLATE
        return [template.replace("{}", each) for each in said]


@dataclass(frozen=True)
class Asked:
    """What the bundle said.

    Args:
        texts: Numbers of the texts that it was asked about (A,), rising.
        chances: Probabilities of their labels (A, K), rows adding up to 1.
        evidence: What asked, what about, and how long it took.
    """

    texts: np.ndarray
    chances: np.ndarray
    evidence: dict[str, Any]


def opened(recipe: Recipe) -> Nli | None:
    """The verified bundle that the recipe names; None where it names none.

    Raises:
        BundleError: If there is none, or any of its files is not as it was written.
        RecipeError: If it is not for that, or no label of it says that two texts agree.
    """
    wanted = recipe.fit.nli
    if wanted.bundle is None:
        return None
    folder = Path(wanted.bundle)
    if not (folder / MANIFEST).is_file() and (folder / "bundle").is_dir():
        folder = folder / "bundle"  # of a run
    try:
        bundle = open_bundle(folder, served_only=True)
    except BundleError as error:
        raise BundleError(f"fit.nli.bundle: {error}") from error
    if bundle.spec.task != "pair":
        raise RecipeError(
            f"fit.nli.bundle: {folder} is of task {bundle.spec.task}; it must be of task pair, "
            "with a label for pairs whose second text follows from the first"
        )
    return Nli(Predictor(bundle), _entailed(wanted.label, bundle.spec.labels), wanted.template)


def _entailed(wanted: str | None, labels: Sequence[str]) -> str:
    """The label of pairs that agree: the one asked for, or found by its name."""
    if wanted is not None and wanted not in labels:
        raise RecipeError(
            f"fit.nli.label: {wanted!r} is no label of the bundle; allowed: {', '.join(labels)}"
        )
    found = [label for label in labels if label.lower() in ENTAILED]
    if wanted is None and len(found) != 1:
        raise RecipeError(
            "fit.nli.label: say which of the bundle's labels is for pairs that agree: "
            f"{', '.join(labels)}; by itself is found: {', '.join(ENTAILED)}"
        )
    return wanted if wanted is not None else found[0]


def ask(work: Work, nli: Nli, texts: Sequence[Example], likely: np.ndarray) -> Asked:
    """The bundle's opinion about as many of the texts as the time limit allows.

    Args:
        work: The material; its labels are asked about.
        nli: The bundle.
        texts: Without labels.
        likely: How likely each text's labels are by their names (U, K); the likeliest are asked
            about.
    """
    labels, started = work.task.labels, time.monotonic()
    hypotheses = nli.hypotheses(labels, work.recipe.data.labels or {})
    near = np.argsort(-likely, axis=1, kind="stable")[:, :SHORTLIST]  # (U, M)
    order = np.random.default_rng(work.recipe.fit.seed).permutation(len(texts))
    chances = np.zeros((len(texts), len(labels)))
    done = 0
    for block in _while_time_lasts(work, order):
        pairs = [(texts[u].text, hypotheses[k]) for u in block for k in near[u]]
        answers = nli.predictor.predict(pairs)
        agree = np.array([max(answer.probabilities[nli.label], LEAST) for answer in answers])
        by_name = np.take_along_axis(likely[block], near[block], axis=1)
        chances[block[:, None], near[block]] = by_name * agree.reshape(by_name.shape)
        done += len(block)
        work.progress.step("asking about texts", done, len(texts), {})
    work.progress.note(
        f"{nli.predictor.spec.name} was asked about {done:,} of {len(texts):,} texts"
    )
    asked = np.sort(order[:done])
    found = chances[asked] / chances[asked].sum(axis=1, keepdims=True)
    evidence = {
        "bundle": nli.predictor.spec.name,
        "sha256": nli.predictor.sha256,
        "label": nli.label,
        "hypothesis": hypotheses[0],
        "texts": done,
        "texts_in_all": len(texts),
        "pairs": done * near.shape[1],
        "seconds": round(time.monotonic() - started, 1),
    }
    return Asked(asked, found, evidence)


def _while_time_lasts(work: Work, order: np.ndarray) -> Iterator[np.ndarray]:
    """Some numbers at a time, until what is left of the time limit is too short for as many."""
    longest = 0.0
    for start in range(0, len(order), BLOCK):
        left = work.clock.left(EXPORT_S)
        if left is not None and left < longest:
            return
        began = time.monotonic()
        yield order[start : start + BLOCK]
        longest = max(longest, time.monotonic() - began)
