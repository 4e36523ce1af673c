"""How many patients are answered rightly by the mean probability of their scans."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from fewscan.cli.score_words import score_lines
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.by_patient import PatientScore, patient_score
from fewscan.evaluation.evaluate import EVALUATION_FILE, Evaluation, evaluate
from fewscan.evaluation.metrics import Labels, Probabilities
from fewscan.images.patients import FILE_PREFIX
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.made import remade

ROWS = np.arange(40)
WHOSE = [f"p{row // 4}" for row in ROWS]  # ten patients of four images each
LABELS = ROWS // 4 % 4


@pytest.fixture(scope="module")
def images(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    return make_dataset(40, groups=[row // 4 for row in range(40)])


@pytest.fixture
def of(images: Snapshot) -> Callable[..., Snapshot]:
    """The images with these patients, None where nobody knows one."""

    def dataset(whose: list[str | None], **columns: object) -> Snapshot:
        manifest = images.manifest.assign(patient=pd.array(whose, dtype="str"), **columns)
        return Snapshot(images.folder, images.description, manifest, images.store)

    return dataset


def said(labels: Labels, right: float = 0.9) -> Probabilities:
    """Probabilities (N, 4) that are `right` for the label, and the rest for the class after it."""
    rows = np.arange(len(labels))
    probabilities = np.zeros((len(labels), 4), np.float32)
    probabilities[rows, labels] = right
    probabilities[rows, (labels + 1) % 4] = 1 - right
    return probabilities


def scored(dataset: Snapshot, probabilities: Probabilities, labels: Labels = LABELS) -> PatientScore:
    found = patient_score(dataset, ROWS, probabilities, labels)
    assert found is not None
    return found


def test_a_patient_is_answered_by_the_mean_probability_and_not_by_a_majority_of_scans(of: Callable[..., Snapshot]) -> None:
    probabilities = said(LABELS)
    # Of the first patient three of four scans are barely wrong and one is surely right; of the second the other way round.
    probabilities[1:4] = said(LABELS[1:4], 0.45)
    probabilities[4:7] = said(LABELS[4:7], 0.55)
    probabilities[7] = said(LABELS[7:8], 0.05)[0]
    found = scored(of(WHOSE), probabilities)
    assert (found.called, found.patients, found.right, found.mixed, found.unknown) == ("patient", 10, 9, 0, 0)
    assert [(one.patients, one.right) for one in found.classes] == [(3, 3), (3, 2), (2, 2), (2, 2)]
    exact = binomtest(9, 10).proportion_ci(method="exact")
    assert found.accuracy.value == 0.9
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((exact.low, exact.high), abs=0.02)
    assert found.classes[2].accuracy.low is None  # two patients say nothing of how patients differ


def test_patients_whose_scans_have_different_labels_and_scans_of_unknown_patients_are_left_out_and_counted(
    of: Callable[..., Snapshot],
) -> None:
    labels = LABELS.copy()
    labels[0] = 3
    found = scored(of([*WHOSE[:36], None, None, None, None]), said(LABELS), labels)
    assert (found.patients, found.right, found.mixed, found.unknown) == (8, 8, 1, 4)
    assert "; 1 whose scans" in found.sentence
    assert "; 4 scans whose" in found.sentence


def test_where_every_patient_has_scans_of_several_labels_none_is_scored(of: Callable[..., Snapshot]) -> None:
    found = scored(of(WHOSE), said(LABELS), ROWS % 4)
    assert (found.patients, found.right, found.mixed, found.accuracy.value) == (0, 0, 10, None)
    assert "mean" not in found.sentence


def test_patients_whom_copies_tie_together_do_not_count_as_independent(of: Callable[..., Snapshot]) -> None:
    probabilities = said(LABELS)
    probabilities[:8] = said(LABELS[:8], 0.1)
    alone = scored(of(WHOSE), probabilities).accuracy
    tied = scored(of(WHOSE, group=ROWS // 8), probabilities).accuracy
    assert alone.value == tied.value == 0.8
    assert None not in (alone.low, tied.low)
    assert tied.low < alone.low  # type: ignore[operator]


def test_slices_of_a_file_whose_patient_nobody_knows_are_one_volume(of: Callable[..., Snapshot]) -> None:
    volumes = [f"{FILE_PREFIX}{row // 4}" for row in ROWS]
    assert scored(of(volumes), said(LABELS)).words == "volumes"
    assert scored(of([*WHOSE[:20], *volumes[20:]]), said(LABELS)).words == "patients or volumes"


@pytest.mark.parametrize("whose", [[None] * 40, [f"p{row}" for row in ROWS], [f"p{row}" for row in ROWS[:9]] + [None] * 31])
def test_where_nobody_has_several_scans_there_is_nothing_to_say(of: Callable[..., Snapshot], whose: list[str | None]) -> None:
    assert patient_score(of(whose), ROWS, said(LABELS), LABELS) is None


@pytest.mark.slow
def test_a_score_on_the_test_set_says_how_many_patients_are_right_and_an_older_one_still_opens(
    make_dataset: Callable[..., Snapshot], untrained_run: Callable[[Snapshot], Run]
) -> None:
    made = make_dataset(40, groups=[row % 20 for row in range(40)])  # two images each, of one class
    known = made.manifest.assign(patient=[f"p{row % 20}" for row in range(40)], copy_set=range(40))
    dataset = split(remade(made, known), labeled=8, test=16)
    run = untrained_run(dataset)
    run.log({"epoch": 1})
    score = evaluate(run, dataset)
    assert score.patients is not None
    assert score.patients.patients == len(np.unique(dataset.manifest["patient"].iloc[dataset.rows("test")]))
    lines = score_lines(score, "", solved=False)
    assert any(line.split() == ["patients", *score.patients.sentence.split()] for line in lines)
    for one in score.patients.classes:
        assert any(one.name in line and f"patients: {one.said}" in line for line in lines)
    content = json.loads((run.folder / EVALUATION_FILE).read_text())
    older = {name: value for name, value in content.items() if name in Evaluation.model_fields and name != "patients"}
    assert Evaluation.parse(older, where=EVALUATION_FILE).patients is None
