"""A run without a test set is stressed on its labeled images, each as a network says it that has not learned from it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

import fewscan
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import AuditDescription
from fewscan.evaluation import cross_fitting
from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER, trained_folds
from fewscan.evaluation.evaluate import EVALUATION_FILE, Evaluation
from fewscan.evaluation.held_out import HELD_OUT_FILE
from fewscan.evaluation.predictor import Predictor
from fewscan.exporting.export import export_model
from fewscan.reporting.model_card import write_model_card
from fewscan.reporting.page import write_report
from fewscan.stressing import stress as stressing
from fewscan.stressing import tested as testing
from fewscan.stressing.stress import StressTest
from fewscan.training.run import Run
from tests.fixtures import Once, write_squares
from tests.made import pairs_table

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def made(once: Once) -> Path:
    """A folder with a `dataset` of 40 labeled scans without a test set, and a `run` on it: evaluated, calibrated, stressed."""

    def make(folder: Path) -> None:
        dataset = fewscan.import_scans(write_squares(folder / "files", 40), folder / "dataset", size_px=16, crop="none")
        dataset = fewscan.split(dataset, protocol="random", test=0, validation=0)
        settings = {"training_images": 40, "batch_size": 20, "device": "cpu", "encoder": {"width": 16}}
        run = fewscan.train(dataset, method="supervised", out=folder / "run", **settings)
        fewscan.evaluate(run)
        fewscan.stress(run, only=["jpeg", "inversion"])

    return once("stressed without a test set", make)


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "dataset", tmp_path / "dataset")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    return Run.open(shutil.copytree(made / "run", tmp_path / "run"))


def stressed(run: Run) -> StressTest:
    test = StressTest.load(run)
    assert test is not None
    return test


@pytest.mark.slow
def test_unchanged_scans_get_the_cross_validated_score(run: Run) -> None:
    test, score = stressed(run), Evaluation.load(run)
    assert score is not None
    assert (test.part, test.images, test.folds) == ("cross-validated", 40, score.folds)
    assert test.unchanged.accuracy.value == pytest.approx(score.accuracy.value)
    assert test.unchanged.balanced_accuracy.value == pytest.approx(score.balanced_accuracy.value)
    assert (test.test_openings, test.test_set_openings) == (0, 0)
    assert not (run.folder / FOLDS_FOLDER).exists()


@pytest.mark.slow
def test_changed_scans_are_predicted_by_who_has_not_learned_from_them(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = run.open_dataset(data)
    said = []
    judged = stressing._judged

    def noted(*asked: object, **more: object) -> object:
        folds, of_all = judged(*asked, **more)  # type: ignore[arg-type]
        said.append(of_all)
        return folds, of_all

    monkeypatch.setattr(stressing, "_judged", noted)
    test = stressing.stress(run, dataset, Dataset.open(data), stressing.Asking(("inversion",), stored=True))
    (found,) = said
    rows = dataset.measuring("labeled", "validation")
    temperature = Predictor.of(run).temperature
    assert test.temperature == temperature != 1
    for fold in trained_folds(run, dataset, test.folds):
        expected = Predictor.of(fold.run, temperature).of_rows(dataset, fold.rows).probabilities
        np.testing.assert_allclose(found.probabilities[0, np.isin(rows, fold.rows)], expected, atol=1e-4)


@pytest.mark.slow
def test_networks_of_a_cross_fitting_that_was_stopped_are_taken_whatever_groups_and_labels_are_today(
    run: Run, data: Path
) -> None:
    seen = run.open_dataset(data)
    trained = [(fold.rows.tolist(), fold.run.folder.stat().st_mtime_ns) for fold in trained_folds(run, seen, 4)]
    one, other = np.flatnonzero(seen.labels == 0)[:2].tolist()
    images = len(seen.manifest)
    audit = AuditDescription(
        similarity=0.9, rows=images, pairs=1, groups=images - 1, copy_sets=images - 1, conflicting_images=0
    )
    dataset = Dataset.open(data).with_pairs(pairs_table([(one, other, "near", 0.9)]), audit)
    dataset.labels.enter([one], [None], origin="review")
    assert not np.array_equal(dataset.unsplit().groups, seen.groups)
    tested = testing.Tested.of(run, seen, dataset, validation=False, images=None)
    taken = [(fold.rows.tolist(), fold.run.folder.stat().st_mtime_ns) for fold in trained_folds(run, tested.dataset, 4)]
    assert taken == trained


@pytest.mark.slow
def test_ctrl_c_while_scans_are_changed_keeps_the_networks(
    run: Run, data: Path, fewscan: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stressing, "_said", stop)
    done = fewscan("stress", run.folder, "--data", data, "--overwrite")
    assert "interrupted; continue with" in done.stderr
    assert "1 of 5 trainings" in done.stderr


@pytest.mark.slow
def test_its_networks_serve_a_calibration_that_is_to_come(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for left in (CALIBRATION_FILE, EVALUATION_FILE):
        (run.folder / left).unlink()
    fewscan.stress(run, only=["jpeg"], images=3, data=data, overwrite=True)

    def trained_anew(*_: object, **__: object) -> Run:
        raise AssertionError

    monkeypatch.setattr(cross_fitting, "train_new", trained_anew)
    assert fewscan.calibrate(run, data=data).images == 40
    assert not (run.folder / FOLDS_FOLDER).exists()


@pytest.mark.slow
def test_a_few_of_them_are_those_that_are_drawn_each_time_even_where_a_fold_holds_none(run: Run, data: Path) -> None:
    few = [fewscan.stress(run, only=["jpeg"], images=3, data=data, overwrite=True) for _ in range(2)]
    assert few[0] == few[1]
    assert (few[0].images, len(few[0].conditions)) == (3, 5)


@pytest.mark.slow
def test_labels_count_as_they_are_today(run: Run, data: Path) -> None:
    rows = run.open_dataset(data).measuring("labeled", "validation")
    Dataset.open(data).labels.enter(rows[:5], [None] * 5, origin="review")
    fewer = fewscan.stress(run, only=["jpeg"], data=data, overwrite=True)
    assert (fewer.images, fewer.since_training.without_label) == (35, 5)
    assert fewer.changes()


@pytest.mark.slow
def test_page_card_and_command_say_what_was_tested(run: Run, data: Path, tmp_path: Path, fewscan: Command) -> None:
    told = fewscan("stress", run.folder, "--data", data, "--only", "jpeg", "--overwrite").stdout
    dataset = run.open_dataset(data)
    page = write_report(run, dataset, tmp_path / "report.html").read_text()
    exported = export_model(run, dataset, tmp_path, tmp_path, "safetensors")
    card = write_model_card(run, dataset, exported, tmp_path).read_text()
    for text in (told, page, card):
        assert "40 held-out images" in text


@pytest.mark.slow
def test_images_are_said_to_have_calibrated_the_run_only_where_they_had(run: Run, data: Path, tmp_path: Path) -> None:
    def told() -> str:
        page = write_report(run, run.open_dataset(data), tmp_path / "report.html").read_text()
        return re.sub(r"</?span.*?>", "", page.partition('id="stress"')[2])

    of_then = Calibration.load(run)
    assert of_then is not None
    as_it_was = told()
    of_then.model_copy(update={"temperature": 2 * of_then.temperature}).save(run, [HELD_OUT_FILE])
    both = [[words in page for words in ("fitted on these", "stress RUN --overwrite")] for page in (as_it_was, told())]
    assert both == [[True, False], [False, True]]
