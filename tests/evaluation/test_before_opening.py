import shlex
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.openings import openings
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.before_opening import before_opening, open_test_set
from fewscan.evaluation.calibration import CALIBRATION_FILE
from fewscan.evaluation.typicality import Gate
from fewscan.explaining.attribution import heat_map
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.population import beside_pile
from fewscan.progress import forget_said
from fewscan.reporting import page
from fewscan.splits.split import split
from fewscan.training.run import METRICS_FILE, OPENINGS_FILE, Run
from tests.made import calibrated

OPENING = pytest.mark.parametrize(
    "opens",
    [api.evaluate, api.check_evidence, partial(api.stress, only=["jpeg"], stored=True)],
    ids=["evaluate", "check", "stress"],
)


def test_the_first_opening_is_announced_and_calibration_asked_for_until_it_is_there(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    first, calibrate = before_opening(run, split_dataset, "evaluate")
    assert "first time" in first
    assert f"fewscan calibrate {run.folder}" in calibrate
    run.note_test_opening("evaluate", split_dataset)
    again, *others = before_opening(run, split_dataset, "evaluate")
    assert "opened 1 time by this run, 1 by all runs" in again
    assert others == [calibrate]
    assert f"fewscan stress {run.folder} --overwrite" in before_opening(run, split_dataset, "stress")[1]
    # Heat maps are of the network as it is: they are the same after calibration.
    assert before_opening(run, split_dataset, "explain") == [again]
    assert not (run.folder / CALIBRATION_FILE).exists()


@pytest.mark.parametrize("moved", [False, True])
def test_what_is_advised_of_a_run_says_where_its_dataset_was_moved_to(
    moved: bool, split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    run = untrained_run(split_dataset)
    if moved:
        shutil.move(split_dataset.folder, tmp_path / "elsewhere" / "data")
    seen = run.open_dataset(tmp_path / "elsewhere" / "data" if moved else None)
    (unsupported,) = Grounds.of(run, seen).rule(Asked()).reasons
    others = beside_pile(run, seen, run.dataset_now(seen.folder).unsplit())
    for advised in (before_opening(run, seen, "evaluate")[-1], unsupported, *others):
        commands = [part for part in advised.split("'") if part.startswith("fewscan ")]
        assert commands
        for command in commands:
            words = shlex.split(command)
            assert ("--data" in words) == moved
            assert str(seen.folder) in words or not moved


@pytest.mark.slow
def test_the_first_opening_of_each_test_set_of_a_dataset_is_announced(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], capsys: pytest.CaptureFixture[str]
) -> None:
    """One process opens several, in a notebook say; the words are the same, and it is another set that is looked at."""
    other = split(split_dataset, labeled=12, test=8, seed=1)
    assert other.require_split().test_set != split_dataset.require_split().test_set
    run = untrained_run(split_dataset)
    for dataset in (split_dataset, other, split_dataset):
        open_test_set(run, dataset, "explain")
    assert capsys.readouterr().err.count("for the first time") == 2


@pytest.fixture
def run(split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> Run:
    made = untrained_run(split_dataset)
    made.log({"epoch": 1, "seconds": 1.0})
    return made


@OPENING
def test_what_opens_a_test_set_says_so_before_the_first_look(
    opens: Callable[[Run], object], run: Run, split_dataset: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    meant = before_opening(run, split_dataset, "explain")
    opens(run)
    assert meant[0] in capsys.readouterr().err
    assert openings(split_dataset).total == 1
    with pytest.raises(FewscanError, match=r"--overwrite.*opens the test set once more"):
        opens(run)


@OPENING
def test_without_labels_to_score_by_no_opening_is_announced(
    opens: Callable[[Run], object], run: Run, split_dataset: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = split_dataset.rows("test").tolist()
    Dataset.open(split_dataset.folder).labels.enter(rows, [None] * len(rows), origin="review")
    with pytest.raises(FewscanError):
        opens(run)
    assert not capsys.readouterr().err
    assert not openings(split_dataset).total


@OPENING
def test_an_opening_that_cannot_be_noted_is_not_announced(
    opens: Callable[[Run], object], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (run.folder / OPENINGS_FILE).mkdir()
    with pytest.raises(FewscanError):
        opens(run)
    assert not capsys.readouterr().err


@pytest.mark.slow
def test_a_report_says_before_it_opens_the_test_set_and_the_same_page_again_is_no_further_look(
    run: Run, split_dataset: Snapshot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.evaluate(run)
    capsys.readouterr()
    said: list[str] = []

    def looked(*asked: object) -> None:
        said.append(capsys.readouterr().err)
        return heat_map(*asked)  # type: ignore[arg-type, return-value]

    def report() -> tuple[str, int]:
        forget_said()
        said.clear()
        api.report(run, overwrite=True)
        return "".join([*said, capsys.readouterr().err]), openings(split_dataset).by_verb.get("report", 0)

    monkeypatch.setattr(page, "heat_map", looked)
    monkeypatch.setattr(Gate, "out_of_distribution", lambda self, images, **_: np.zeros(len(images), bool))
    _, counted = report()
    assert counted == 1
    assert "opened 1 time by this run, 1 by all runs" in said[0]
    again, counted = report()
    assert counted == run.test_openings()["report"] == 1
    assert "test set" not in again
    # What is decided on the test scans is another after calibration.
    calibrated(run, 2.0)
    words, counted = report()
    assert counted == 2
    assert "opened 2 times by this run, 2 by all runs" in words


def test_a_damaged_log_is_refused_before_the_test_set_is_opened(
    run: Run, split_dataset: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    (run.folder / METRICS_FILE).write_text("no numbers\n")
    with pytest.raises(FewscanError):
        api.evaluate(run)
    assert not capsys.readouterr().err
    assert not openings(split_dataset).total
