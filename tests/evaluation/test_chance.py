"""Chance level: what no look at a scan reaches; and a network that reaches no more is called so wherever its score stands."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.by_class import ClassScore
from fewscan.evaluation.chance import ChanceLevel, chance_warnings
from fewscan.evaluation.evaluate import Evaluation
from fewscan.evaluation.intervals import LESS_CHANCE, Interval
from fewscan.training.run import Run

Command = Callable[..., CompletedProcess[str]]
UNKNOWN = Interval(value=None, low=None, high=None)


def test_chance_is_the_share_of_the_commonest_class_and_one_in_so_many_classes_as_were_tested() -> None:
    chance = ChanceLevel.of(("a", "b", "c"), ((5, 1, 4), (0, 30, 0), (0, 0, 0)))
    assert (chance.commonest, chance.accuracy, chance.balanced_accuracy) == ("b", 0.75, 0.5)


@pytest.fixture
def collapsed(untrained_run: Callable[[Snapshot], Run], split_dataset: Snapshot) -> Run:
    """A run whose network says the same of every image: all its weights are zero."""
    run = untrained_run(split_dataset)
    network = run.load_network()
    for parameter in network.parameters():
        parameter.data.zero_()
    run.save_network(network)
    run.log({"epoch": 1, "loss": 1.0, "seconds": 1.0})
    return run


@pytest.mark.slow
def test_a_collapsed_network_is_warned_of_in_evaluation_report_and_model_card(
    collapsed: Run, fewscan: Command, tmp_path: Path
) -> None:
    said = fewscan("evaluate", collapsed.folder)
    assert said.returncode == 0, said.stderr
    (warning,) = [line for line in said.stdout.splitlines() if line.startswith("warning: ")]
    assert "24 of 24 test images are called 'glioma'" in warning
    assert "25.0 % if every image is called" in said.stdout
    again = json.loads(fewscan("evaluate", collapsed.folder, "--overwrite", "--json").stdout)
    assert again["warnings"] == [warning.removeprefix("warning: ")]
    assert again["chance"]["accuracy"] == again["accuracy"]["value"] == 0.25
    reported = fewscan("report", collapsed.folder)
    assert reported.returncode == 0
    # A page that shows test images opens the test set: it is said before, as evaluate says it, and counted.
    assert "opened 2 times by this run" in reported.stderr
    assert sum(collapsed.test_openings().values()) == 3
    assert fewscan("export", collapsed.folder, "--format", "safetensors", "--out", tmp_path / "export").returncode == 0
    for page in (collapsed.folder / "report.html", tmp_path / "export" / "model_card.md"):
        text = " ".join(page.read_text(encoding="utf-8").split())
        assert "collapsed to one class" in text
        assert "25.0 %" in text


def evaluation_of(confusion: tuple[tuple[int, ...], ...], low: float | None) -> Evaluation:
    """An evaluation with these counts, whose scores have an interval that begins at `low`."""
    score = Interval(value=0.9, low=low, high=None if low is None else 0.95)
    classes = tuple(ClassScore(name=name, images=0, sensitivity=UNKNOWN, specificity=UNKNOWN) for name in "abc")
    return Evaluation.model_construct(classes=classes, confusion=confusion, accuracy=score, balanced_accuracy=score)


@pytest.mark.parametrize(("low", "warned"), [(0.2, 2), (0.32, 2), (0.34, 0), (None, 2)])
def test_a_score_whose_interval_reaches_down_to_chance_is_not_shown_to_be_above_it(low: float | None, warned: int) -> None:
    assert len(chance_warnings(evaluation_of(((6, 0, 0), (0, 6, 0), (0, 0, 6)), low))) == warned


def test_where_all_images_are_of_one_class_the_accuracy_is_not_compared_with_chance() -> None:
    (warning,) = chance_warnings(evaluation_of(((9, 1, 0), (0, 0, 0), (0, 0, 0)), 0.6))
    assert "'a'" in warning
    assert "100" not in warning


def test_a_network_that_never_calls_a_rare_class_has_not_collapsed_while_it_calls_another() -> None:
    assert chance_warnings(evaluation_of(((50, 2, 0), (3, 40, 0), (2, 0, 0)), 0.85)) == []


def test_a_calibration_error_without_chance_says_so_where_it_stands(
    collapsed: Run, split_dataset: Snapshot, fewscan: Command
) -> None:
    done = fewscan("evaluate", collapsed.folder)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "calibration error" in line]
    evaluation = Evaluation.load(collapsed)
    assert evaluation is not None
    assert line.endswith(f"{evaluation.calibration_error.percent}, {LESS_CHANCE}")
