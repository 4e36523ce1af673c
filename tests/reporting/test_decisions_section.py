import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewscan.atomic import write_text
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibrate import calibrate
from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation, evaluate
from fewscan.evaluation.held_out import HELD_OUT_FILE
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.predictor import Predictor
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.reporting.checklist import checklist
from fewscan.reporting.decisions_section import TARGET_ERRORS, describe_decisions
from fewscan.reporting.page import write_report
from fewscan.splits.split import split
from fewscan.training.fit import fit
from fewscan.training.run import OPENINGS_FILE, Run
from fewscan.training.settings import RunSettings


@pytest.fixture(scope="module")
def calibrated(make_dataset: Callable[..., Snapshot], tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Snapshot]:
    """A run that mostly learned its 60 labels, calibrated on 160 images and evaluated."""
    dataset = split(make_dataset(400), labeled=220, test=100, validation=0.72)
    quick = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 8, "device": "cpu", "views": {"flip_probability": 0}}
    settings = RunSettings.resolve("supervised", "fewscan", quick, labeled=60, unlabeled=80)
    run = Run.create(tmp_path_factory.mktemp("calibrated") / "run", settings, dataset, 0)
    fit(run, dataset, resume=False)
    calibrate(run, dataset)
    evaluate(run, dataset)
    return run, dataset


@pytest.mark.slow
def test_what_a_threshold_comes_to_on_the_test_set(calibrated: tuple[Run, Snapshot]) -> None:
    run, dataset = calibrated
    openings = (run.folder / OPENINGS_FILE).read_text()
    evaluation = Evaluation.load(run)
    assert evaluation is not None
    grounds = Grounds.of(run, dataset)
    odd = grounds.gate.out_of_distribution(dataset.pixels[dataset.rows("test")])
    predictions = pd.read_csv(run.folder / PREDICTIONS_FILE).assign(out_of_distribution=odd)
    section = describe_decisions(grounds, dataset, evaluation, predictions)
    rows = dataset.rows("test")
    logits = Predictor.of(run).predict(dataset.pixels, rows).logits.astype(np.float64)
    raw = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = raw.argmax(axis=1) == dataset.labels[rows]
    grounds = Grounds.of(run, dataset)
    assert [promise.target_error for promise in section.promises] == list(TARGET_ERRORS)
    for promise in section.promises:
        threshold = grounds.rule(Asked(promise.target_error)).threshold
        assert promise.threshold == threshold
        if threshold is not None:
            accepted = ~odd & (raw.max(axis=1) >= threshold)
            assert promise.share == pytest.approx(accepted.mean(), abs=0.011)
            assert promise.error == pytest.approx((~right[accepted]).mean(), abs=0.011)
    assert section.promises[-1].threshold is not None
    assert (run.folder / OPENINGS_FILE).read_text() == openings


@pytest.mark.slow
def test_scores_that_round_to_one_are_held_against_thresholds_as_they_were(calibrated: tuple[Run, Snapshot]) -> None:
    run, dataset = calibrated
    evaluation = Evaluation.load(run)
    assert evaluation is not None
    predictions = pd.read_csv(run.folder / PREDICTIONS_FILE)
    # Probabilities of 1 say nothing any more of the score behind them.
    scores = np.linspace(0, 1, len(predictions), dtype=np.float32)
    sure = predictions.assign(score=scores, out_of_distribution=scores > 0.9)
    section = describe_decisions(Grounds.of(run, dataset), dataset, evaluation, sure)
    for promise in section.promises:
        if promise.threshold is not None:
            assert promise.share == pytest.approx(((scores >= promise.threshold) & (scores <= 0.9)).mean())


def with_record(run: Run, folder: Path, **changes: object) -> Run:
    """A copy of a run that was trained under another record, in all its files."""
    copy = replace(run, folder=shutil.copytree(run.folder, folder), record=run.record.model_copy(update=changes))
    evaluation, calibration = Evaluation.load(run), Calibration.load(run)
    assert evaluation is not None
    assert calibration is not None
    copy.save_network(run.load_network())
    copy.store(EVALUATION_FILE, evaluation, [PREDICTIONS_FILE])
    calibration.save(copy)
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"protocol": "study"}, {"leaking_pairs": 3}, {"leaking_pairs": None}])
def test_where_copies_may_cross_the_page_promises_nothing(
    changes: dict[str, object], calibrated: tuple[Run, Snapshot], tmp_path: Path
) -> None:
    run, dataset = calibrated
    words = "90 of 100 cases"
    assert words in " ".join(write_report(run, dataset).read_text().split())
    leaking = with_record(run, tmp_path / "run", **changes)
    page = " ".join(write_report(leaking, dataset).read_text().split())
    assert words not in page
    assert "Nothing is promised here" in page
    rule = Grounds.of(leaking, dataset).rule(Asked(0.9, 0.5))
    assert rule.threshold is None
    assert not rule.inclusion.any()
    assert [reason for reason in rule.reasons if "nothing is accepted" in reason] == list(rule.reasons)
    # Without a calibration it is the leak that is said, too: no calibration helps against it.
    for name in (CALIBRATION_FILE, HELD_OUT_FILE):
        (leaking.folder / name).unlink()
    assert Grounds.of(leaking, dataset).rule(Asked(0.9, 0.5)).reasons == rule.reasons


@pytest.mark.slow
def test_a_newer_temperature_is_not_taken_for_that_of_the_score(calibrated: tuple[Run, Snapshot], tmp_path: Path) -> None:
    run, dataset = calibrated
    copy = replace(run, folder=shutil.copytree(run.folder, tmp_path / "run"))
    then = Calibration.load(run)
    assert then is not None
    assert "that the run had then" not in write_report(copy, dataset).read_text()
    then.model_copy(update={"temperature": 2 * then.temperature}).save(copy)
    page = " ".join(write_report(copy, dataset).read_text().split())
    assert f"the temperature {then.temperature:.2f} that the run had then" in page


@pytest.mark.slow
def test_a_temperature_that_hurt_on_the_test_set_is_said(calibrated: tuple[Run, Snapshot], tmp_path: Path) -> None:
    run, dataset = calibrated
    copy = replace(run, folder=shutil.copytree(run.folder, tmp_path / "run"))
    evaluation = Evaluation.load(copy)
    assert evaluation is not None

    def with_errors(before: float, after: float) -> Evaluation:
        errors = {"calibration_error_before": before, "calibration_error": after}
        return evaluation.model_copy(update={name: Interval(value=value, low=0, high=1) for name, value in errors.items()})

    # The third are the same as people see them.
    differences = ((0.05, 0.03), (0.0, 0.0), (0.0301, 0.0304), (0.03, 0.05))
    assert [with_errors(*errors).temperature_hurt for errors in differences] == [False, False, False, True]
    write_text(copy.folder / EVALUATION_FILE, with_errors(0.03, 0.05).model_dump_json())
    assert "The temperature made it larger on the test set" in " ".join(write_report(copy, dataset).read_text().split())


@pytest.mark.slow
def test_the_page_shows_what_calibration_did_and_names_no_folder(calibrated: tuple[Run, Snapshot]) -> None:
    run, dataset = calibrated
    calibration = Calibration.load(run)
    assert calibration is not None
    page = " ".join(write_report(run, dataset).read_text().split())
    assert f"{calibration.temperature:.2f}" in page
    assert calibration.calibration_error_after.percent in page
    assert "Not calibrated" not in page
    assert str(run.folder.parent) not in page


@pytest.mark.slow
def test_a_run_that_is_not_calibrated_is_told_how(calibrated: tuple[Run, Snapshot], tmp_path: Path) -> None:
    run, dataset = calibrated
    copy = Run.create(tmp_path / "run", run.settings, dataset, 0)
    copy.log(run.metrics()[-1])
    copy.save_network(run.load_network())
    evaluate(copy, dataset)
    page = write_report(copy, dataset).read_text()
    assert "fewscan calibrate RUN" in page
    # The page has no paths, so it says what RUN is.
    assert "RUN stands for this run's folder" in page
    assert str(copy.folder.parent) not in page
    assert page.count("the run is not calibrated; run &#39;fewscan calibrate RUN&#39;") == 1


@pytest.mark.slow
def test_every_topic_of_the_checklist_is_answered_or_left_to_the_user(calibrated: tuple[Run, Snapshot]) -> None:
    run, dataset = calibrated
    for evaluation, calibration in ((None, None), (Evaluation.load(run), Calibration.load(run))):
        items = checklist(run, dataset, evaluation, calibration)
        assert all(item.answer or item.write for item in items)
        assert all(item.tripod or item.claim for item in items)
        # Both guidelines number their items from 1, one of them with letters for parts.
        assert {int(number) for item in items for number in re.findall(r"\d+", item.tripod)} == set(range(1, 28))
        assert {int(number) for item in items for number in re.findall(r"\d+", item.claim)} == set(range(1, 43))
    scored = {item.topic: item for item in checklist(run, dataset, Evaluation.load(run), Calibration.load(run))}
    evaluation = Evaluation.load(run)
    assert evaluation is not None
    assert evaluation.accuracy.percent in scored["scores"].answer
    # A PDF beside the scans, or a file that a table names and nobody has, is no unreadable one.
    assert "unreadable" not in scored["missing data"].answer
