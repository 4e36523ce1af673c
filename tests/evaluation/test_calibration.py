from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from fewscan.cli.runs import calibrate as calibrate_verb
from fewscan.datasets.candidates import candidates
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation import calibrate as calibrating
from fewscan.evaluation.calibrate import calibrate
from fewscan.evaluation.calibration import CALIBRATION_FILE, TEMPERATURES, Calibration, fit_temperature
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER, trained_folds
from fewscan.evaluation.held_out import HELD_OUT_FILE, HeldOut, group_folds, most_folds, predict_held_out
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.metrics import calibration_error
from fewscan.evaluation.predictor import Predictor
from fewscan.training.fit import fit
from fewscan.training.run import OPENINGS_FILE, Run
from fewscan.training.settings import RunSettings
from tests.made import calibrated, copied_run, remade


def overconfident(images: int, factor: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax would be right, and labels drawn from it; the logits are then multiplied by `factor`."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(images, 4)) * 2
    labels = np.array([random.choice(4, p=row) for row in softmax(logits, axis=1)])
    return (logits * factor).astype(np.float32), labels


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_known_factor(factor: float) -> None:
    logits, labels = overconfident(20_000, factor)
    assert fit_temperature(logits, labels) == pytest.approx(factor, rel=0.05)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 4))
def test_no_temperature_of_a_fine_grid_is_better(seed: int, factor: float) -> None:
    logits, labels = overconfident(60, factor, seed)

    def unlikelihood(temperature: float) -> float:
        """Of 60 images, each called rightly or wrongly to 61 parts of 62: one loop an image."""
        total = 0.0
        for row, label in zip(softmax(logits.astype(np.float64) / temperature, axis=1), labels, strict=True):
            right = 61 / 62 if row.argmax() == label else 1 / 62
            total -= right * np.log(row.max()) + (1 - right) * np.log(np.delete(row, row.argmax()).sum())
        return total / 60

    found = fit_temperature(logits, labels)
    assert TEMPERATURES[0] <= found <= TEMPERATURES[1]
    best = min(unlikelihood(temperature) for temperature in np.geomspace(*TEMPERATURES, 100))
    assert unlikelihood(found) <= best + 1e-6


def test_a_few_labels_that_the_network_finds_all_but_impossible_do_not_decide_how_sure_it_is() -> None:
    """Of one image in twenty the label is the class that the network holds for least likely, as slips of a hand are."""
    logits, labels = overconfident(20_000, 2.0)
    slips = np.random.default_rng(1).choice(len(labels), len(labels) // 20, replace=False)
    labels[slips] = logits[slips].argmin(axis=1)
    sure = softmax(logits / fit_temperature(logits, labels), axis=1)
    # How often the called class is right is said by its probability on the whole, which likely labels would not give.
    assert sure.max(axis=1).mean() == pytest.approx((logits.argmax(axis=1) == labels).mean(), abs=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 200), st.floats(0.5, 20))
def test_images_that_are_all_right_do_not_make_it_sure_without_bound(images: int, factor: float) -> None:
    labels = np.arange(images) % 4
    logits = (np.eye(4)[labels] * factor).astype(np.float32)
    sure = softmax(logits / fit_temperature(logits, labels), axis=1)[np.arange(images), labels]
    assert sure == pytest.approx((images + 1) / (images + 2), abs=0.002)


def test_dividing_by_the_temperature_makes_probabilities_mean_what_they_say() -> None:
    logits, labels = overconfident(5000, 3.0)
    temperature = fit_temperature(logits, labels)
    before = calibration_error(softmax(logits, axis=1), labels)
    after = calibration_error(softmax(logits / temperature, axis=1), labels)
    assert before > 0.1
    assert after < 0.03


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 100), st.integers(30, 60))
def test_folds_hold_out_every_image_once_and_cut_no_group(folds: int, seed: int, images: int) -> None:
    random = np.random.default_rng(seed)
    groups = random.integers(0, 25, images)
    labels = groups % 2
    parts = group_folds(labels, groups, folds, seed)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(images))
    for part in parts:
        others = np.setdiff1d(np.arange(images), part)
        assert not set(groups[part]) & set(groups[others])


def test_a_class_of_one_patient_cannot_be_held_out() -> None:
    with pytest.raises(FewscanError, match="one patient"):
        group_folds(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2]), 5)


def test_all_classes_of_one_patient_are_named() -> None:
    with pytest.raises(FewscanError, match=r"cyst and tumor .*patient"):
        most_folds(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 2, 2, 3]), 5, ("none", "cyst", "tumor"))


def test_one_image_stands_for_a_group() -> None:
    groups = np.array([3, 3, 3, 1, 1, 7])
    held_out = HeldOut(np.arange(6), groups, np.zeros(6, dtype=np.int64), np.zeros((6, 2), dtype=np.float32))
    kept = held_out.one_a_group()
    assert sorted(kept.groups) == [1, 3, 7]
    assert (groups[kept.rows] == kept.groups).all()
    drawn = {int(held_out.one_a_group(seed).rows[0]) for seed in range(30)}
    assert drawn == {0, 1, 2}


@pytest.fixture(scope="module")
def trained(split_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    quick = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 6, "device": "cpu", "views": {"flip_probability": 0}}
    settings = RunSettings.resolve("supervised", "fewscan", quick, labeled=12, unlabeled=40)
    dataset = Dataset.open(split_folder).snapshot()
    made = Run.create(tmp_path_factory.mktemp("trained") / "run", settings, dataset, 0)
    fit(made, dataset, resume=False)
    return made


@pytest.fixture
def run(trained: Run, split_dataset: Snapshot, tmp_path: Path) -> Run:
    return copied_run(trained, tmp_path / "run", split_dataset)


@pytest.mark.slow
def test_few_labels_are_held_out_in_turn_and_the_test_set_stays_sealed(run: Run, split_dataset: Snapshot) -> None:
    assert Predictor.of(run).temperature == 1
    calibration = calibrate(run, split_dataset, folds=2)
    granted = split_dataset.rows("labeled", "validation")
    held_out = HeldOut.load(run, split_dataset)
    assert held_out is not None
    assert calibration.source == "cross-fitting"
    assert sorted(held_out.rows) == sorted(granted)
    assert (held_out.labels == split_dataset.labels[held_out.rows]).all()
    assert calibration.temperature == pytest.approx(fit_temperature(held_out.logits, held_out.labels))
    assert Calibration.load(run) == calibration
    assert Predictor.of(run).temperature == calibration.temperature
    assert not (run.folder / OPENINGS_FILE).exists()
    assert not (run.folder / FOLDS_FOLDER).exists()
    # The run itself has learned these labels: what it says of them is something else.
    own = Predictor.of(run).predict(split_dataset.pixels, held_out.rows).logits
    assert not np.allclose(own, held_out.logits, atol=1e-3)


@pytest.mark.slow
def test_probabilities_are_those_of_logits_over_temperature(run: Run, split_dataset: Snapshot) -> None:
    calibrate(run, split_dataset, folds=2)
    predicted = Predictor.of(run).predict(split_dataset.pixels, np.arange(10))
    calibration = Calibration.load(run)
    assert calibration is not None
    expected = softmax(predicted.logits.astype(np.float64) / calibration.temperature, axis=1)
    np.testing.assert_allclose(predicted.probabilities, expected, atol=1e-6)


@pytest.mark.slow
def test_what_is_kept_of_other_folds_is_not_asked(run: Run, split_dataset: Snapshot) -> None:
    folds = list(trained_folds(run, split_dataset, 2))
    kept = run.folder / FOLDS_FOLDER
    # As if an earlier version had cut them otherwise.
    for name, other in (("1-of-2", "left"), ("2-of-2", "1-of-2"), ("left", "2-of-2")):
        (kept / name).rename(kept / other)
    for fold, before in zip(trained_folds(run, split_dataset, 2), folds, strict=True):
        assert fold.rows.tolist() == before.rows.tolist() == fold.run.open_dataset().rows("validation").tolist()


@pytest.mark.slow
def test_cross_fitting_goes_on_where_it_was_stopped(run: Run, split_dataset: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    from fewscan.evaluation import cross_fitting

    trained: list[str] = []
    train = cross_fitting.train_new

    def stop_at_the_second(dataset: Snapshot, settings: RunSettings, folder: Path, **options: Any) -> Run:
        if trained:
            raise KeyboardInterrupt
        trained.append(folder.name)
        return train(dataset, settings, folder, **options)

    with monkeypatch.context() as patched:
        patched.setattr(cross_fitting, "train_new", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            calibrate(run, split_dataset, folds=2)
    weights = (run.folder / FOLDS_FOLDER / "1-of-2" / "model.safetensors").stat().st_mtime_ns
    assert Calibration.load(run) is None

    def only_the_second(dataset: Snapshot, settings: RunSettings, folder: Path, **options: Any) -> Run:
        assert folder.name == "2-of-2"
        assert (folder.parent / "1-of-2" / "model.safetensors").stat().st_mtime_ns == weights
        return train(dataset, settings, folder, **options)

    monkeypatch.setattr(cross_fitting, "train_new", only_the_second)
    calibration = calibrate(run, split_dataset, folds=2)
    assert calibration.images == len(split_dataset.rows("labeled", "validation"))
    # How sure the networks are of images whose label none was given; and none of them is a run that anybody would choose.
    assert calibration.surety is not None
    assert len(calibration.surety.others) == 2
    assert all(0.25 <= score <= 1 for score in (calibration.surety.network, *calibration.surety.others))
    assert candidates(split_dataset.folder) == {run.identity}


def test_a_fold_learns_neither_its_labels_nor_the_rest_of_their_groups(split_dataset: Snapshot) -> None:
    from fewscan.auditing.leaks import leaking_pairs
    from fewscan.evaluation.cross_fitting import _without_labels_of

    granted, unlabeled = split_dataset.rows("labeled", "validation"), split_dataset.rows("unlabeled")
    manifest = split_dataset.manifest.copy()
    manifest.loc[unlabeled[0], "group"] = manifest.loc[granted[0], "group"]
    grouped = remade(split_dataset, manifest)
    without = _without_labels_of(grouped, granted[:5], as_pile=False)
    assert without.rows("validation").tolist() == sorted(granted[:5].tolist())
    # Nor more labels than the run: who knows more of them would speak too well of it.
    learned, own = without.rows("labeled"), np.setdiff1d(split_dataset.rows("labeled"), granted[:5])
    assert np.isin(own, learned).all()
    assert np.isin(learned, np.setdiff1d(granted, granted[:5])).all()
    assert len(learned) == min(len(split_dataset.rows("labeled")), len(granted) - 5)
    assert unlabeled[0] not in without.rows("unlabeled")
    assert without.rows("test").tolist() == split_dataset.rows("test").tolist()
    assert leaking_pairs(without) == []
    without.require_split()


def test_a_senseless_number_of_folds_and_damaged_files_are_named(run: Run, split_dataset: Snapshot) -> None:
    with pytest.raises(FewscanError, match="at least 2"):
        calibrate(run, split_dataset, folds=1)
    (run.folder / CALIBRATION_FILE).write_text("{")
    (run.folder / HELD_OUT_FILE).write_text("row,group\n1,2\n")
    with pytest.raises(FewscanError, match="fewscan calibrate"):
        Calibration.load(run)
    with pytest.raises(FewscanError, match="fewscan calibrate"):
        HeldOut.load(run, split_dataset)


@pytest.mark.slow
def test_a_cross_fitting_is_not_replaced_unasked(run: Run, split_dataset: Snapshot) -> None:
    kept = calibrate(run, split_dataset, folds=2)
    with pytest.raises(FewscanError, match="give --folds 5"):
        calibrate(run, split_dataset)
    assert Calibration.load(run) == kept


@pytest.mark.slow
@pytest.mark.parametrize("names", [("01", "02"), ("None", "NA")])
def test_classes_may_have_names_that_look_like_numbers_or_nothing(
    names: tuple[str, ...], run: Run, split_dataset: Snapshot
) -> None:
    classes = (*names, *split_dataset.classes[2:])
    named = replace(run, record=run.record.model_copy(update={"classes": classes}))
    rows = split_dataset.rows("labeled")
    held_out = predict_held_out(Predictor.of(run), split_dataset, rows)
    held_out.save(run.folder, classes)
    loaded = HeldOut.load(named, split_dataset)
    assert loaded is not None
    assert loaded.labels.tolist() == split_dataset.labels[rows].tolist()
    np.testing.assert_allclose(loaded.logits, held_out.logits, rtol=1e-5)


@pytest.mark.slow
def test_a_class_with_one_group_among_the_held_out_images_is_no_obstacle(split_dataset: Snapshot, run: Run) -> None:
    rows = split_dataset.rows("labeled")
    labels = split_dataset.labels[rows]
    few = np.sort(np.concatenate([rows[labels == 0][:3], rows[labels == 1][:1]]))
    only = replace(split_dataset, manifest=split_dataset.manifest.assign(split=None))
    only.manifest.loc[few, "split"] = "validation"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(calibrating, "ENOUGH_VALIDATION", 4)
        assert calibrate(run, only).images == 4


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after", "no_better"), [(0.028, 0.034, True), (0.03, 0.03, True), (0.034, 0.028, False)])
def test_a_temperature_that_makes_the_calibration_error_no_smaller_is_said_to(
    before: float,
    after: float,
    *,
    no_better: bool,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    errors = {"calibration_error_before": before, "calibration_error_after": after}
    calibrated(run, 1.4, **{name: Interval(value=value, low=None, high=None) for name, value in errors.items()})
    known = Calibration.load(run)
    assert known is not None
    monkeypatch.setattr("fewscan.api.calibrate", lambda *_, **__: known)
    calibrate_verb(run.folder)
    assert ("no smaller" in capsys.readouterr().out) == no_better
