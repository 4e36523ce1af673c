"""A run is shown its test images as other scanners and other software would have made them, and what it says is scored."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pytest

import fewscan
from fewscan.datasets.openings import openings
from fewscan.datasets.originals import originals
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.intervals import Interval, bootstrap
from fewscan.evaluation.metrics import scores
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.shift import Shift
from fewscan.exporting.export import export_model
from fewscan.images.options import ImageSpec
from fewscan.images.readers import fitted
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.rule import DecisionRule
from fewscan.learning.scan_views import ScanViewSettings
from fewscan.reporting.model_card import write_model_card
from fewscan.reporting.page import write_report
from fewscan.reporting.rendering import markdown
from fewscan.reporting.stress_figure import draw_stress
from fewscan.stressing.corruption import MIDDLE, STRENGTHS
from fewscan.stressing.corruptions import CORRUPTIONS
from fewscan.stressing.findings import findings
from fewscan.stressing.scans import scans_of
from fewscan.stressing.scoring import Said, condition_scores
from fewscan.stressing.stress import STRESS_FILE, STRESS_TABLE_FILE, Condition, StressTest
from fewscan.training.run import Run
from fewscan.verifying.verify import verify
from tests.made import calibrated
from tests.plain_pages import plain
from tests.stressing.conftest import STRESSED_BY

Command = Callable[..., subprocess.CompletedProcess[str]]
VIEWS, SPEC = ScanViewSettings(), ImageSpec()


@pytest.fixture
def run(stressed_folder: Path, tmp_path: Path) -> Run:
    shutil.copytree(stressed_folder / "dataset", tmp_path / "dataset")
    return Run.open(shutil.copytree(stressed_folder / "run", tmp_path / "run"))


@pytest.fixture
def dataset(run: Run, tmp_path: Path) -> Snapshot:
    return run.open_dataset(tmp_path / "dataset")


def stress_test_of(run: Run) -> StressTest:
    test = StressTest.load(run)
    assert test is not None
    return test


@pytest.mark.slow
def test_scores_are_of_what_the_network_says_of_the_corrupted_files(run: Run, dataset: Snapshot) -> None:
    test = stress_test_of(run)
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    files = [pixels for _, pixels in originals(dataset, rows) if pixels is not None]
    assert len(files) == len(rows) == test.images == 12
    predictor = Predictor.of(run)
    for condition in (test.unchanged, *test.conditions):
        copies = files
        if condition.strength:
            corruption = CORRUPTIONS[condition.corruption]
            pairs = zip(files, rows, strict=True)
            copies = [corruption.applied(scan, condition.strength, int(row)) for scan, row in pairs]
        probabilities = predictor.predict(np.stack([fitted(copy, dataset.spec) for copy in copies])).probabilities
        wanted = scores(probabilities, labels)
        assert condition.accuracy.value == pytest.approx(wanted["accuracy"])
        assert condition.balanced_accuracy.value == pytest.approx(wanted["balanced_accuracy"])
        assert condition.mean_probability == pytest.approx(probabilities.max(axis=1).mean(), abs=1e-5)
    assert [(each.corruption, each.strength) for each in test.conditions] == [
        (name, strength) for name in STRESSED_BY for strength in range(1, STRENGTHS + 1)
    ]
    of_middle = [each.accuracy.value for each in test.at(MIDDLE)]
    assert of_middle == sorted(of_middle)
    assert test.mean_accuracy[MIDDLE - 1].value == pytest.approx(np.mean(of_middle))


@pytest.mark.slow
def test_nothing_is_accepted_of_a_run_that_is_not_calibrated(run: Run) -> None:
    test = stress_test_of(run)
    assert test.threshold is None
    assert {(each.accepted.value, each.wrong_accepted.value) for each in test.conditions} == {(0.0, None)}
    # A calibration would not help: that its split leaks is said of it, too.
    assert "image by image" in test.threshold_reason
    # Report and model card quote it, and are passed on.
    assert str(run.folder) not in (run.folder / STRESS_FILE).read_text()


@pytest.mark.slow
def test_who_asks_is_told_commands_with_the_folder_of_the_run_and_what_is_kept_names_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewscan.labeling.grounds.doubt", lambda *_: None)
    test = fewscan.stress(run, only=["jpeg"], validation=True, data=tmp_path / "dataset", overwrite=True)
    assert f"fewscan calibrate {run.folder}" in test.threshold_reason
    assert f"fewscan calibrate {run.folder}" in findings(test, VIEWS, SPEC)[-1]
    assert "'fewscan calibrate RUN'" in stress_test_of(run).threshold_reason
    assert str(tmp_path) not in (run.folder / STRESS_FILE).read_text()


@pytest.mark.slow
def test_the_same_comes_out_again_whatever_else_is_asked_and_the_table_says_it_all(run: Run, tmp_path: Path) -> None:
    both = stress_test_of(run)
    alone = fewscan.stress(run, only=["rotation"], data=tmp_path / "dataset", overwrite=True)
    assert alone.unchanged == both.unchanged
    assert alone.conditions == tuple(each for each in both.conditions if each.corruption == "rotation")
    assert StressTest.load(run) == alone
    table = pd.read_csv(run.folder / STRESS_TABLE_FILE, keep_default_na=False)
    assert table["corruption"].tolist() == ["none"] + ["rotation"] * STRENGTHS
    assert table["accuracy_percent"].tolist() == [
        round(100 * (each.accuracy.value or 0), 2) for each in (alone.unchanged, *alone.conditions)
    ]


@pytest.mark.slow
def test_the_test_set_is_opened_once_and_the_validation_set_leaves_it_closed(run: Run, dataset: Snapshot) -> None:
    assert run.test_openings() == openings(dataset).by_verb == {"stress": 1}
    assert stress_test_of(run).test_openings == 1
    held_out = fewscan.stress(run, only=["jpeg"], validation=True, data=dataset.folder, overwrite=True)
    assert (held_out.part, held_out.images, held_out.test_openings) == ("validation", 6, 0)
    assert run.test_openings() == openings(dataset).by_verb == {"stress": 1}


@pytest.mark.slow
def test_the_gate_and_the_threshold_are_those_of_label(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Grounds.rule

    def accepting_all(grounds: Grounds, asked: Any) -> DecisionRule:
        return replace(rule(grounds, asked), threshold=0.0)

    monkeypatch.setattr(Grounds, "rule", accepting_all)
    test = fewscan.stress(run, only=["inversion"], data=tmp_path / "dataset", overwrite=True)
    for condition in (test.unchanged, *test.conditions):
        assert (condition.accepted.value or 0) + (condition.out_of_distribution.value or 0) == pytest.approx(1)
    (negative,) = test.at(MIDDLE)
    assert negative.out_of_distribution.value == 1
    assert negative.wrong_accepted.value is None
    assert test.unchanged.wrong_accepted.value is not None


def test_without_its_files_a_dataset_is_changed_as_stored_or_not_at_all(dataset: Snapshot, tmp_path: Path) -> None:
    rows = dataset.rows("test")
    stored = list(scans_of(dataset, rows, stored=True))
    np.testing.assert_array_equal(np.stack(stored)[:, np.newaxis], dataset.pixels[rows])
    assert [scan.shape for scan in scans_of(dataset, rows, stored=False)] == [(40, 40)] * len(rows)
    (source,) = dataset.description.sources
    moved = source.model_copy(update={"folder": str(tmp_path / "elsewhere")})
    lost = replace(dataset, description=dataset.description.model_copy(update={"sources": (moved,)}))
    with pytest.raises(FewscanError, match=r"12 of 12 files are missing.*--stored"):
        scans_of(lost, rows, stored=False)
    for row in rows:
        path = tmp_path / "elsewhere" / dataset.manifest["path"][row]
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("L", (20, 20), 9).save(path)
    with pytest.raises(FewscanError, match="another image"):
        list(scans_of(lost, rows, stored=False))


@pytest.mark.parametrize("channels", [1, 3])
def test_stored_pixels_come_as_files_show_scans(make_dataset: Callable[..., Snapshot], channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, channels, 8, 8), dtype=np.uint8)
    (scan,) = scans_of(make_dataset(pixels=pixels), np.array([5]), stored=True)
    np.testing.assert_array_equal(scan, pixels[5, 0] if channels == 1 else pixels[5].transpose(1, 2, 0))


@pytest.mark.slow
def test_from_the_command_line(run: Run, fewscan: Command, tmp_path: Path) -> None:
    asked = ["stress", run.folder, "--data", tmp_path / "dataset", "--only", "padding, blur"]
    again = fewscan(*asked)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "--overwrite" in again.stderr
    for wrong in (["--only", "fog"], ["--images", "0"], ["--target-error", "2"]):
        refused = fewscan(*asked, *wrong, "--overwrite")
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    done = fewscan(*asked, "--images", 5, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()[2:4]} == {"padding", "blur"}
    assert done.stdout.splitlines()[-1].startswith("next: fewscan ")
    assert stress_test_of(run).images == 5
    assert {path.name for path in run.folder.glob("stress.*")} == {STRESS_FILE, STRESS_TABLE_FILE, "stress.png"}


def test_what_was_edited_is_noticed(run: Run) -> None:
    checks = {check.what: check.fault for check in verify(run.folder).checks}
    assert checks["the stress test belongs to these weights"] is None
    table = run.folder / STRESS_TABLE_FILE
    table.write_text(table.read_text().replace("jpeg", "none"))
    assert any(STRESS_FILE in fault for fault in verify(run.folder).faults)
    with pytest.raises(FewscanError, match=r"fewscan stress .* --overwrite"):
        StressTest.load(run)


def test_the_report_shows_it_with_a_picture_of_each(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    page = " ".join(plain(write_report(run, dataset, tmp_path / "page.html").read_text()).split())
    test = stress_test_of(run)
    assert page.count('alt="scan under ') == len(test.corruptions)
    for condition in test.at(MIDDLE):
        assert condition.accuracy.percent in page
    for found in findings(test, VIEWS, SPEC):
        assert escape(found[1:], quote=False).replace("'", "&#39;") in page


@pytest.mark.slow
def test_page_and_card_say_that_decisions_were_those_before_another_calibration(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    exported = export_model(run, dataset, tmp_path, tmp_path, "safetensors")

    def told() -> list[bool]:
        page, card = write_report(run, dataset, tmp_path / "page.html"), write_model_card(run, dataset, exported, tmp_path)
        return ["fewscan stress RUN --overwrite" in re.sub(r"</?span.*?>", "", file.read_text()) for file in (page, card)]

    stored = stress_test_of(run)
    assert stored.temperature == 1
    calibrated(run, 1.0)
    assert told() == [False, False]
    calibrated(run, 2.0)
    assert told() == [True, True]


@pytest.mark.slow
def test_a_model_card_says_what_hurts(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    exported = export_model(run, dataset, tmp_path, tmp_path, "safetensors")
    card = write_model_card(run, dataset, exported, tmp_path).read_text()
    for found in findings(stress_test_of(run), VIEWS, SPEC):
        assert markdown(found) in card
    (run.folder / STRESS_FILE).unlink()
    assert "`fewscan stress RUN`" in write_model_card(run, dataset, exported, tmp_path).read_text()


def said_by_chance(random: np.random.Generator, conditions: int = 4, images: int = 60) -> tuple[Said, np.ndarray, np.ndarray]:
    probabilities = random.dirichlet(np.ones(3), (conditions, images)).astype(np.float32)
    odd = random.random((conditions, images)) < 0.2
    accepted = ~odd & (probabilities.max(axis=2) > 0.6)
    return (
        Said(probabilities, odd, accepted, random.normal(size=odd.shape)),
        random.integers(0, 3, images),
        np.arange(images) // 2,
    )


def test_every_condition_gets_the_scores_and_intervals_that_it_gets_alone() -> None:
    said, labels, groups = said_by_chance(np.random.default_rng(0))
    for number, found in enumerate(condition_scores(said, labels, groups)):
        probabilities, accepted = said.probabilities[number], said.accepted[number]
        right = probabilities.argmax(axis=1) == labels
        classes = np.unique(labels)

        def alone(positions: np.ndarray, probabilities: np.ndarray = probabilities, classes: np.ndarray = classes) -> Any:
            return scores(probabilities[positions], labels[positions], classes)

        wanted = bootstrap(alone, groups, raised_by_resampling=["calibration_error"])
        assert found["accuracy"] == wanted["accuracy"]
        assert found["calibration_error"].said(1, 6, "") == wanted["calibration_error"].said(1, 6, "")
        assert found["balanced_accuracy"].value == pytest.approx(wanted["balanced_accuracy"].value)
        assert found["accepted"].value == pytest.approx(accepted.mean())
        assert found["out_of_distribution"].value == pytest.approx(said.out_of_distribution[number].mean())
        assert found["wrong_accepted"].value == pytest.approx((~right[accepted]).mean())
        first = (said.probabilities[0].argmax(axis=1) == labels).mean()
        assert found["accuracy_difference"].value == pytest.approx(right.mean() - first)


def test_where_nothing_is_accepted_nothing_is_said_of_it() -> None:
    said, labels, groups = said_by_chance(np.random.default_rng(1))
    said.accepted[2] = False
    found = condition_scores(said, labels, groups)
    assert found[2]["wrong_accepted"] == Interval(value=None, low=None, high=None)
    assert found[2]["accepted"].value == 0
    assert found[1]["wrong_accepted"].value is not None


def interval(value: float | None) -> Interval:
    return Interval(value=value, low=None, high=None)


def made_up(threshold: float | None = 0.9, **accuracies: float) -> StressTest:
    """A stress test at the middle strength; of a corruption with an accuracy below a half all that is accepted is wrong."""

    def condition(name: str, accuracy: float, strength: int = MIDDLE) -> Condition:
        same = dict.fromkeys(
            ("accuracy_difference", "balanced_accuracy", "calibration_error", "out_of_distribution"), interval(0)
        )
        wrong = interval(1.0 if accuracy < 0.5 else 0.0)
        shares = {"accuracy": interval(accuracy), "accepted": interval(0.5), "wrong_accepted": wrong}
        return Condition(corruption=name, strength=strength, said="so", mean_probability=0.5, shift=None, **same, **shares)

    return StressTest(
        part="test",
        stored=False,
        images=100,
        groups=100,
        test_openings=1,
        test_set_openings=1,
        target_error=0.05,
        threshold=threshold,
        threshold_reason="too few labels",
        unchanged=condition("none", 0.8, 0),
        conditions=tuple(condition(name, accuracy) for name, accuracy in accuracies.items()),
        mean_accuracy=(interval(0.7),) * STRENGTHS,
        dataset_fingerprint="",
    )


def test_what_hurts_is_said_and_what_does_not_and_where_accepted_labels_are_wrong() -> None:
    test = made_up(blur=0.79, crop=0.7, padding=0.4, inversion=0.2)
    _, hurt, untouched, helps, *_, wrong, missed = findings(test, VIEWS, SPEC)
    assert hurt.index("inversion") < hurt.index("padding")
    assert "crop" not in hurt + untouched + wrong
    assert "blur" in untouched
    assert "padding (100.0 %)" in wrong
    assert "padding" in missed
    assert "padding" in helps
    assert test.corruptions == ["inversion", "padding", "crop", "blur"]
    nothing = findings(made_up(threshold=None, blur=0.4), VIEWS, SPEC)
    assert nothing[-1].endswith("too few labels")
    assert not any("wrong" in each for each in nothing)


def test_corruptions_that_do_no_harm_or_are_noticed_are_said_to() -> None:
    plain = made_up(blur=0.79, crop=0.78)
    assert not any("less than" in each or "nothing is promised" in each for each in findings(plain, VIEWS, SPEC))
    shift = Shift(scans=100, less_typical=0.9, p_value=1e-6)
    assert shift.noticed
    odd = {"out_of_distribution": interval(0.8), "shift": shift}
    noticed = made_up(blur=0.2).model_copy(update={"conditions": (made_up(blur=0.2).conditions[0].model_copy(update=odd),)})
    *_, out, would = findings(noticed, VIEWS, SPEC)
    assert "blur" in out
    assert "would notice" in would


def test_one_corruption_is_named_where_several_are_averaged_over(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    one, two = (findings(test, VIEWS, SPEC)[0] for test in (made_up(blur=0.7), made_up(blur=0.7, crop=0.4)))
    assert "under blur" in one
    assert "average" not in one
    assert "2 corruptions" in two
    stored = stress_test_of(run)
    few = tuple(each for each in stored.conditions if each.corruption == "rotation")
    run.store(STRESS_FILE, stored.model_copy(update={"conditions": few}), [STRESS_TABLE_FILE])
    page = " ".join(write_report(run, dataset, tmp_path / "page.html").read_text().split())
    assert "by rotation at five strengths" in page


def test_the_figure_shows_accepted_labels_that_are_wrong_only_where_some_are_accepted() -> None:
    shown = made_up(blur=0.7, crop=0.4)
    nothing = [each.model_copy(update={"wrong_accepted": interval(None)}) for each in shown.conditions]
    for test, panels in ((shown, 2), (shown.model_copy(update={"conditions": tuple(nothing)}), 1)):
        assert len(draw_stress(test).axes) == panels
    half = (nothing[0], shown.conditions[1])
    figure = draw_stress(shown.model_copy(update={"conditions": half}))
    assert [len(axes.texts) for axes in figure.axes] == [2, 1]
