from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from takeroot.bundle import Answer, load_predictor, open_bundle
from takeroot.errors import BundleError, DataError, RecipeError
from takeroot.search import Run, fit_recipe
from takeroot.search import nli as nlis
from takeroot.search.nli import Nli, ask, opened
from takeroot.tasks import Classify
from takeroot.train.clock import Clock

Build = Callable[..., Any]
Row = tuple[str, str]
LABELS = ("card", "code", "money")
NAMES = {"card": "lost", "code": "pin", "money": "refund"}  # the words that the texts have


class Agreeing:
    """Says yes with 0.8 where the last word of a hypothesis stands in the text, else with 0.1."""

    spec = SimpleNamespace(name="agreeing")
    sha256 = "abc"

    def predict(self, pairs: Sequence[Row]) -> list[Answer]:
        yes = [0.8 if second.split()[-1] in first.split() else 0.1 for first, second in pairs]
        return [Answer(probabilities={"yes": chance, "no": 1 - chance}) for chance in yes]


def agreeing(template: str | None = "it says {}") -> Nli:
    return Nli(Agreeing(), "yes", template)  # type: ignore[arg-type]  # it does all that is asked


@pytest.fixture
def judge(fit: Build) -> Run:
    """A bundle of task pair whose labels are those of the rows."""
    return fit("pair", fit={"method": "tfidf"})


@pytest.fixture
def recipe(recipe_of: Build, tmp_path: Path, shop_examples: Build, judge: Run) -> Build:
    """A recipe that names labels, texts, and what is asked about them."""
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(row.text for row in shop_examples(30)[12:]), encoding="utf-8")

    def make(**nli: Any) -> Any:
        asked = {"bundle": str(judge.path), "label": "card", **nli}
        data = {"labels": NAMES, "unlabelled": str(texts)}
        return recipe_of(data=data, fit={"method": "zero_shot", "nli": asked})

    return make


def test_chances_of_even_names_are_the_bundle_s_normalised_over_labels(
    work_of: Build, shop_examples: Build
) -> None:
    rows = shop_examples(3)
    work = work_of(rows, Classify(LABELS), data={"labels": NAMES})

    found = ask(work, agreeing(), rows, np.full((3, 3), 1 / 3))

    expected = np.where(np.eye(3), 0.8, 0.1)
    np.testing.assert_allclose(found.chances, expected)
    assert found.evidence["texts"] == 3 and found.evidence["pairs"] == 9


def test_only_the_nearest_labels_are_asked_about(
    work_of: Build, shop_examples: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nlis, "SHORTLIST", 2)
    rows = shop_examples(1)  # of the first label
    work = work_of(rows, Classify(LABELS), held=[0], data={"labels": NAMES})

    found = ask(work, agreeing(), rows, np.array([[0.1, 0.5, 0.4]]))

    np.testing.assert_allclose(found.chances, [[0.0, 5 / 9, 4 / 9]])  # it says 0.1 of both
    assert found.evidence["pairs"] == 2


def test_as_many_texts_are_asked_about_as_the_time_limit_allows(
    work_of: Build, shop_examples: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nlis, "BLOCK", 4)
    rows, left = shop_examples(12), iter([9.0, 9.0, -1.0])
    clock = Clock(100.0, recall=lambda read: next(left))
    work = replace(work_of(rows, Classify(LABELS)), clock=clock)

    found = ask(work, agreeing(), rows, np.full((12, 3), 1 / 3))

    assert len(set(found.texts.tolist())) == len(found.chances) == 8
    assert found.evidence["texts"] == 8


def test_hypotheses_say_what_a_label_means_in_its_own_script() -> None:
    nli = agreeing(template=None)

    assert nli.hypotheses(["cardLost", "b"], {"b": "a pin"}) == [
        "This text is about card Lost.",
        "This text is about a pin.",
    ]
    assert nli.hypotheses(["退款"], {}) == ["这句话说的是退款。"]


def test_a_bundle_is_made_and_says_who_guessed_its_labels(recipe: Build, tmp_path: Path) -> None:
    asked = recipe()

    run = fit_recipe(asked, tmp_path / "run")

    source = open_bundle(Path(asked.fit.nli.bundle) / "bundle")
    fitted = json.loads((run.bundle / "evidence/fit.json").read_text(encoding="utf-8"))
    assert fitted["nli"]["sha256"] == source.sha256
    assert fitted["nli"]["texts"] == fitted["rows_unlabelled"] == 18
    assert fitted["notes"][1].endswith("was asked about 18 of 18 texts")
    assert source.sha256 in (run.bundle / "card.md").read_text(encoding="utf-8")


def test_texts_are_learnt_from_without_a_bundle_too(recipe: Build, tmp_path: Path) -> None:
    run = fit_recipe(recipe(bundle=None, label=None), tmp_path / "run")

    assert load_predictor(run.bundle, threads=1).predict(["lost"])[0].label == "card"


def test_texts_that_hold_the_test_rows_are_refused(
    recipe: Build, shop_table: Build, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"texts\.txt: holds the test rows: 18 of the 30"):
        fit_recipe(recipe(), tmp_path / "run", test=shop_table(30))


def test_a_bundle_of_another_task_is_refused(recipe: Build, fit: Build) -> None:
    with pytest.raises(RecipeError, match="is of task classify; it must be of task pair"):
        opened(recipe(bundle=str(fit().path)))


def test_a_folder_that_is_no_bundle_is_refused_by_its_key(recipe: Build, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"fit\.nli\.bundle: .*nothing: not a bundle folder"):
        opened(recipe(bundle=str(tmp_path / "nothing")))


def test_a_label_of_agreement_must_be_known_or_named(recipe: Build) -> None:
    with pytest.raises(RecipeError, match=r"say which .* agree: card, code, money; by itself"):
        opened(recipe(label=None))
    with pytest.raises(RecipeError, match="'yes' is no label of the bundle; allowed: card, code"):
        opened(recipe(label="yes"))


@pytest.mark.parametrize("label", ["entailment", "Entailed", "蕴含"])
def test_usual_names_of_agreement_are_found(label: str) -> None:
    assert nlis._entailed(None, ("neutral", label)) == label


def test_a_bundle_without_texts_or_beside_labelled_rows_is_refused_before_it_is_read(
    recipe_of: Build, tmp_path: Path
) -> None:
    nli = {"bundle": "no/such"}

    with pytest.raises(RecipeError, match=r"fit\.nli\.bundle: needs data\.unlabelled"):
        fit_recipe(recipe_of(fit={"method": "zero_shot", "nli": nli}), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"probe learns from labelled rows; the method"):
        fit_recipe(recipe_of(fit={"method": "probe", "nli": nli}), tmp_path / "run")


@pytest.mark.parametrize("template", ["about it", "{} or {}"])
def test_a_template_has_one_place_for_the_label(recipe: Build, template: str) -> None:
    with pytest.raises(RecipeError, match=r"fit\.nli: template .* must hold \{\} once"):
        recipe(template=template)
