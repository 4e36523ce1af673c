"""A score on another dataset that is asked for otherwise, or stands already, and what is no dataset to be scored on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import fewscan as api
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.other_evaluation import evaluation_file
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.fixtures import CLASSES, squares
from tests.made import calibrated, empty_manifest, write_dataset

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def home(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    """200 images: 160 labeled, 80 of them for validation, and 40 test images."""
    return split(make_dataset(200), labeled=160, test=40, validation=0.5)


@pytest.fixture
def run(home: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> Run:
    made = untrained_run(home)
    made.log({"epoch": 1})
    calibrated(made, 2.0)
    return made


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The folder of a dataset `other` of 24 new images."""
    names = [f"new {number}" for number in range(24)]
    labels = [CLASSES[number % len(CLASSES)] for number in range(24)]
    numbers = {"group": range(24), "copy_set": range(24), "width_px": 16, "height_px": 16, "color": False}
    manifest = empty_manifest(24, label=labels, sha256=names, pixels_sha256=names, **numbers)
    return write_dataset(tmp_path / "other", squares(24, 16, seed=9), manifest).folder


@pytest.mark.slow
def test_labels_are_accepted_at_the_target_error_that_is_asked_for(
    run: Run, home: Snapshot, other: Path, fewscan: Command
) -> None:
    for wrong in ("0", "2"):
        refused = fewscan("evaluate", run.folder, "--on", other, "--target-error", wrong)
        assert refused.returncode == 2
        assert "--target-error must be between 0 and 1" in refused.stderr
    assert not (other / "test_openings.jsonl").exists()
    api.calibrate(run, overwrite=True)
    grounds = Grounds.of(run, home)
    for target_error in (0.05, 0.9):
        given = [] if target_error == 0.05 else ["--target-error", target_error]
        done = fewscan("evaluate", run.folder, "--on", other, *given, "--overwrite")
        assert done.returncode == 0, done.stderr
        assert f"at a target error of {target_error:g}" in done.stdout
        kept = json.loads((run.folder / evaluation_file("other")).read_text())
        assert (kept["target_error"], kept["threshold"]) == (target_error, grounds.rule(Asked(target_error)).threshold)
        assert bool(kept["decided"]) == (kept["threshold"] is not None and kept["accepted_scans"] > 0)
    assert grounds.rule(Asked()).threshold is None
    assert kept["threshold"] is not None
    # What is accepted of each class adds up to what is accepted of all, and its table is told.
    each = kept["decided"].values()
    assert sum(one["images"] for one in each) == kept["images"]
    assert sum(one["accepted"] + one["missed"] for one in each) == kept["accepted_scans"] > 0
    assert sum(one["missed"] for one in each) == kept["wrong_scans"]
    told = [line.split()[:2] for line in done.stdout.splitlines()]
    assert all([name, str(one["images"])] in told for name, one in kept["decided"].items())
    assert api.evaluate(run, on=other, target_error=0.8, overwrite=True).target_error == 0.8  # type: ignore[attr-defined]


@pytest.mark.slow
def test_what_calibrates_a_test_copy_first_scores_it_at_the_same_target_error(
    run: Run, home: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run.folder / "calibration.json").unlink()
    rows = home.rows("test")
    names = [f"new {number}" for number in range(len(rows))]
    labels = [CLASSES[row % len(CLASSES)] for row in rows]
    numbers = {"group": range(len(rows)), "copy_set": range(len(rows)), "width_px": 16, "height_px": 16, "color": False}
    copies = empty_manifest(len(rows), label=labels, sha256=names, pixels_sha256=names, **numbers)
    folder = write_dataset(tmp_path / "copies", home.pixels[rows], copies).folder
    api.evaluate(run, on=folder, target_error=0.2)
    assert f"--on {folder} --target-error 0.2 --overwrite" in capsys.readouterr().err


@pytest.mark.slow
def test_a_target_error_without_another_dataset_is_refused(run: Run, fewscan: Command) -> None:
    for target_error in ("0.05", "0.1"):
        refused = fewscan("evaluate", run.folder, "--target-error", target_error)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "--on" in refused.stderr
    with pytest.raises(FewscanError, match="--on"):
        api.evaluate(run, target_error=0.05)
    assert run.test_openings() == {}


@pytest.mark.slow
def test_a_score_of_other_probabilities_than_a_new_calibration_gives_is_said_to_be_that(
    run: Run, other: Path, fewscan: Command
) -> None:
    api.evaluate(run, on=other)
    with pytest.raises(FewscanError, match=r"^(?!.*probabilities).*already evaluated on other"):
        api.evaluate(run, on=other)
    done = fewscan("calibrate", run.folder, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert "score on other is of other probabilities" in done.stdout
    with pytest.raises(FewscanError, match="already evaluated on other, by other probabilities"):
        api.evaluate(run, on=other)
    api.evaluate(run, on=other, overwrite=True)
    again = fewscan("calibrate", run.folder, "--overwrite")
    assert again.returncode == 0, again.stderr
    assert "other probabilities" not in again.stdout
    # One that is damaged does not keep a calibration from being said.
    (run.folder / evaluation_file("other")).write_text("{")
    assert fewscan("calibrate", run.folder, "--overwrite").returncode == 0


@pytest.mark.slow
def test_a_run_in_the_place_of_the_other_dataset_is_not_led_to_its_own(
    run: Run, home: Snapshot, other: Path, fewscan: Command, tmp_path: Path
) -> None:
    refused = fewscan("evaluate", run.folder, "--on", run.folder)
    with pytest.raises(FewscanError) as raised:
        api.evaluate(run, on=shutil.copytree(run.folder, tmp_path / "copy"))
    assert refused.returncode == 2
    for said in (refused.stderr, str(raised.value)):
        assert "it is a run" in said
        assert "another dataset" in said
        assert str(home.folder) not in said
    # In the place of a run's own dataset that one is what helps.
    assert str(home.folder) in fewscan("audit", run.folder).stderr
