"""The score of a run without a test set is the one of images that were held out, group by group."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation import cross_fitting
from fewscan.evaluation import cross_validate as cross_validating
from fewscan.evaluation.calibrate import cross_calibrated
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.cross_validate import cross_validate
from fewscan.evaluation.evaluate import EVALUATION_FILE, HELD_OUT_PREDICTIONS_FILE, Evaluation, evaluate
from fewscan.evaluation.held_out import HELD_OUT_FILE, HeldOut
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.predictor import Predictor
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.made import remade

Untrained = Callable[[Snapshot], Run]


@pytest.fixture
def dataset(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    """40 images of 20 patients, four of them without a label; all labels are learned from."""
    made = make_dataset(40, groups=[row % 20 for row in range(40)])
    labels = made.manifest["label"].where(~made.manifest.index.isin([0, 1, 22, 23]))
    return split(remade(made, made.manifest.assign(label=labels, copy_set=range(40))), test=0, validation=0)


@pytest.fixture
def run(dataset: Snapshot, untrained_run: Untrained) -> Run:
    made = untrained_run(dataset)
    made.log({"epoch": 1, "seconds": 1.0})
    return made


def held_out_known(run: Run, dataset: Snapshot, wrong: list[int]) -> HeldOut:
    """Write into the run what three networks said of its labeled images: the right class, but for some positions."""
    rows = dataset.rows("labeled")
    labels = dataset.labels[rows]
    called = labels.copy()
    called[wrong] = (labels[wrong] + 1) % 4
    logits = np.eye(4, dtype=np.float32)[called] * 4
    held_out = HeldOut(rows, dataset.groups[rows], labels, logits)
    held_out.save(run.folder, dataset.classes)
    nothing = Interval(value=None, low=None, high=None)
    Calibration(
        temperature=1.5, source="cross-fitting", folds=3, images=len(rows), groups=20, calibration_error_before=nothing,
        calibration_error_after=nothing, dataset_fingerprint=dataset.description.fingerprint,
    ).save(run, [HELD_OUT_FILE])  # fmt: skip
    return held_out


@pytest.mark.slow
def test_what_calibration_held_out_is_scored_and_no_test_set_is_opened(run: Run, dataset: Snapshot) -> None:
    wrong = [3, 10, 11]
    held_out = held_out_known(run, dataset, wrong)
    found = api.evaluate(run)
    assert (found.kind, found.folds, found.images, found.groups) == ("cross-validated", 3, 36, 20)
    assert found.accuracy.value == pytest.approx(33 / 36)
    assert np.array(found.confusion).sum() == 36
    assert np.diag(found.confusion).sum() == 33
    for number, score in enumerate(found.classes):
        own = held_out.labels == number
        assert score.images == own.sum()
        assert score.sensitivity.value == pytest.approx(1 - np.isin(np.flatnonzero(own), wrong).mean())
    assert found.accuracy.low is not None
    assert 0 < found.accuracy.low < 33 / 36
    assert (found.test_openings, found.test_set_openings) == (0, 0)
    assert not list(dataset.folder.glob("test_openings*")) + list(run.folder.glob("test_*"))
    assert Evaluation.load(run) == found
    table = pd.read_csv(run.folder / HELD_OUT_PREDICTIONS_FILE)
    assert (table["label"] != table["predicted"]).sum() == 3


@pytest.mark.slow
def test_labels_from_the_page_are_counted_among_the_images_that_are_named_with_them(run: Run, dataset: Snapshot) -> None:
    held_out_known(run, dataset, wrong=[])
    from_page = replace(dataset, manifest=dataset.manifest.assign(label_from="review"))
    grounds = Grounds.of(run, from_page)
    assert grounds.held_out is not None
    one_each = len(grounds.held_out.rows)  # of 20 patients, not counting who is out of distribution
    assert one_each <= 20
    for said, images in (
        (cross_validate(run, from_page).changes, 36),
        ([words for reason in grounds.rule(Asked()).reasons for words in reason.split(". ")], one_each),
    ):
        (sentence,) = (words for words in said if "review page" in words)
        assert re.findall(r"\d+", sentence) == [str(images)] * 2


@pytest.mark.slow
def test_it_is_by_the_labels_of_today(run: Run, dataset: Snapshot) -> None:
    held_out = held_out_known(run, dataset, wrong=[3, 10])
    log = Dataset.open(dataset.folder).labels
    # What was called wrongly was labeled wrongly: one is corrected, of one nobody knows any more.
    log.enter([held_out.rows[3]], [dataset.classes[(held_out.labels[3] + 1) % 4]], origin="review")
    log.enter([held_out.rows[10]], [None], origin="review")
    found = api.evaluate(run)
    assert (found.accuracy.value, found.images) == (1.0, 35)
    assert (found.since_training.relabeled, found.since_training.without_label) == (1, 1)
    assert len(found.changes) == 2
    log.enter(held_out.rows, [None] * len(held_out.rows), origin="review")
    with pytest.raises(FewscanError, match="fewscan labels set"):
        api.evaluate(run, overwrite=True)


def test_held_out_images_of_one_patient_tell_no_temperature(dataset: Snapshot) -> None:
    rows = dataset.rows("labeled")
    held_out = HeldOut(rows, np.zeros(len(rows), np.int64), dataset.labels[rows], np.zeros((len(rows), 4), np.float32))
    with pytest.raises(FewscanError, match="one patient"):
        cross_calibrated(held_out)


def test_what_was_held_out_must_be_of_the_runs_classes_and_images(run: Run, dataset: Snapshot) -> None:
    held_out_known(run, dataset, wrong=[])
    path = run.folder / HELD_OUT_FILE
    path.write_text(path.read_text().replace("glioma", "cyst", 3).replace("cyst", "glioma", 1))
    with pytest.raises(FewscanError, match="fewscan calibrate"):
        HeldOut.load(run, dataset)


def test_where_the_validation_set_calibrated_the_folds_are_trained_for_the_score_and_go_with_it(
    run: Run, dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = held_out_known(run, dataset, wrong=[3])
    calibration = Calibration.load(run)
    assert calibration is not None
    calibration.model_copy(update={"folds": None, "source": "validation"}).save(run, [HELD_OUT_FILE])

    def fitted(run: Run, dataset: Snapshot, folds: int) -> cross_fitting.CrossFit:
        (run.folder / cross_fitting.FOLDS_FOLDER).mkdir()
        return cross_fitting.CrossFit(held_out, folds, None)

    monkeypatch.setattr(cross_validating, "cross_fit", fitted)
    assert cross_validate(run, dataset).accuracy.value == pytest.approx(35 / 36)
    assert not (run.folder / cross_fitting.FOLDS_FOLDER).exists()


@pytest.mark.slow  # page, model card, labels: every verb after it once
def test_nothing_of_it_is_called_a_test_score(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    held_out_known(run, dataset, wrong=[3, 10])
    found = api.evaluate(run)
    assert found.meaning is not None
    assert "2/3 of the labels" in found.meaning
    page = api.report(run).read_text(encoding="utf-8")
    api.export(run, format="safetensors", out=tmp_path / "out")
    card = (tmp_path / "out" / "model_card.md").read_text(encoding="utf-8")
    for text in (page, card):
        assert "ross-validated score" in text
        assert found.accuracy.percent in " ".join(text.split())
        for word in ("test image", "opened the test set", "on the test set", "Score on"):
            assert word.lower() not in text.lower().replace("scores on scans of another hospital", "")
    assert page.count("held out: scan") == 2
    assert not (run.folder / "test_openings.jsonl").exists()
    assert api.label(run, out=tmp_path / "labels.csv").scans == 4
    with pytest.raises(FewscanError, match="no test set"):
        api.check_evidence(run)
    with pytest.raises(FewscanError, match="test set"):
        api.compare(dataset.folder, out=tmp_path / "comparison")


@pytest.mark.slow
def test_every_fold_is_scored_by_a_network_that_knows_none_of_its_groups(
    run: Run, dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = cross_fitting.train_new
    seen: list[Snapshot] = []
    right: list[bool] = []
    monkeypatch.setattr("fewscan.evaluation.calibrate.FOLDS", 2)

    def watched(without: Snapshot, settings: Any, folder: Path, **options: Any) -> Run:
        seen.append(without)
        trained = train(without, settings, folder, **options)
        rows = without.rows("validation")
        logits = Predictor.of(trained).predict(without.pixels, rows).logits
        right.extend((logits.argmax(axis=1) == without.labels[rows]).tolist())
        return trained

    monkeypatch.setattr(cross_fitting, "train_new", watched)
    found = api.evaluate(run)
    judged = np.concatenate([without.rows("validation") for without in seen])
    assert sorted(judged) == dataset.rows("labeled").tolist()
    for without in seen:
        learned = set(without.groups[without.rows("labeled", "unlabeled")])
        assert not learned & set(without.groups[without.rows("validation")])
    assert found.folds == len(seen) == 2
    assert found.accuracy.value == pytest.approx(np.mean(right))
    # The same trainings have calibrated the run.
    calibration = Calibration.load(run)
    assert calibration is not None
    assert (calibration.source, calibration.folds, found.temperature) == ("cross-fitting", 2, calibration.temperature)
    assert not (run.folder / "folds").exists()


@pytest.mark.slow
def test_a_run_with_a_test_set_is_scored_on_it(split_dataset: Snapshot, untrained_run: Untrained) -> None:
    run = untrained_run(split_dataset)
    run.log({"epoch": 1, "seconds": 1.0})
    found = api.evaluate(run)
    assert (found.kind, found.folds, found.meaning) == ("test set", None, None)


@pytest.mark.slow
def test_a_class_of_one_patient_cannot_be_scored_and_says_so(
    make_dataset: Callable[..., Snapshot], untrained_run: Untrained
) -> None:
    made = make_dataset(24, groups=[0 if row % 4 == 0 else row for row in range(24)])
    dataset = split(remade(made, made.manifest.assign(copy_set=range(24))), test=0, validation=0)
    run = untrained_run(dataset)
    run.log({"epoch": 1, "seconds": 1.0})
    with pytest.raises(FewscanError, match="one patient"):
        cross_validate(run, dataset)
    assert not (run.folder / EVALUATION_FILE).exists()
    with pytest.raises(FewscanError, match="no test image"):
        evaluate(run, dataset)
