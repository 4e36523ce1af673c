"""What a comparison is said to have come to, against the runs' own files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewscan.comparison.plan import Comparison
from fewscan.comparison.planning import make_plan
from fewscan.comparison.ranking import leaderboard
from fewscan.comparison.results import METRICS, RANKED_BY, Results, collect
from fewscan.comparison.significance import holm, methods_p_value
from fewscan.comparison.trials import run_trials
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.split import split

Once = Callable[[str, Callable[[Path], object]], Path]
CHANGES = {"epochs": 1, "batch_size": 20, "encoder": {"dense_units": 16}}


@pytest.fixture(scope="session")
def trained(once: Once, make_dataset: Callable[..., Snapshot]) -> Path:
    """A comparison of three methods, two seeds, one protocol: trained once, and copied for each test."""

    def train(folder: Path) -> None:
        plan = make_plan(
            split(make_dataset(), labeled=16, test=24, validation=0.25),
            methods=["supervised", "nnclr", "joint"],
            seeds=[0, 1],
            protocols=["leakfree"],
            recipe="study",
            changes=CHANGES,
        )
        assert run_trials(Comparison.begin(folder, plan)) == {}

    return once("comparison_of_three", train)


@pytest.fixture
def results(trained: Path, tmp_path: Path) -> Results:
    return collect(Comparison.open(Path(shutil.copytree(trained, tmp_path / "comparison"))))


def test_means_and_spread_are_those_of_the_runs_evaluations(results: Results) -> None:
    folder = results.comparison.folder / "runs" / "leakfree"
    for method in ("supervised", "nnclr", "joint"):
        evaluations = [json.loads((folder / f"{method}-seed{seed}" / "evaluation.json").read_text()) for seed in (0, 1)]
        row = results.row("leakfree", method)
        assert len(row.runs) == 2
        for name in METRICS:
            values = [100 * evaluation[name]["value"] for evaluation in evaluations]
            cell = row.cell(name)
            assert cell.mean == pytest.approx(sum(values) / 2)
            assert cell.spread == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
            assert row.interval(name) is None
        assert row.cell("p_acc").mean == pytest.approx(50 * sum(evaluation["p_acc"] for evaluation in evaluations))


def test_every_score_with_an_interval_is_a_metric_and_the_first_ranks() -> None:
    assert METRICS[0] == RANKED_BY == "accuracy"
    assert {"balanced_accuracy", "auroc", "calibration_error", "nearest_neighbor_accuracy"} < set(METRICS)


def test_rows_are_of_the_planned_methods_and_others_have_no_numbers(results: Results) -> None:
    assert [row.method for row in results.rows] == ["supervised", "nnclr", "joint"]
    row = results.row("leakfree", "simclr")
    assert row.runs == ()
    assert row.cell(RANKED_BY).mean is None
    assert results.pair("leakfree", "simclr", "joint") is None


def test_the_leaderboard_is_in_the_order_of_mean_accuracies_each_less_the_baseline(results: Results) -> None:
    board = leaderboard(results, "leakfree")
    means = [standing.row.cell(RANKED_BY).mean for standing in board]
    assert means == sorted(means, reverse=True)
    assert [standing.place for standing in board] == [1 + sum(other > mean for other in means) for mean in means]
    for standing in board:
        assert standing.against_baseline == results.pair("leakfree", standing.row.method, "supervised")
        assert (standing.against_baseline is None) is (standing.row.method == "supervised")


def test_the_baseline_is_the_named_method_else_supervised_else_none(split_dataset: Snapshot, tmp_path: Path) -> None:
    def begun(methods: list[str], baseline: str | None = None) -> Comparison:
        plan = make_plan(
            split_dataset,
            methods=methods,
            seeds=[0],
            protocols=["leakfree"],
            recipe="study",
            changes=CHANGES,
            baseline=baseline,
        )
        return Comparison.begin(tmp_path / "comparison", plan)

    with pytest.raises(FewscanError, match="nnclr"):
        begun(["simclr", "joint"], "nnclr")
    assert not (tmp_path / "comparison").exists()
    assert begun(["simclr", "joint"]).plan.baseline is None
    assert begun(["supervised"]).plan.baseline == "supervised"
    assert begun(["joint"], "simclr").plan.baseline == "simclr"
    assert Comparison.open(tmp_path / "comparison").plan.baseline == "simclr"
    with pytest.raises(FewscanError, match="nnclr"):
        begun(["joint"], "nnclr")
    assert begun(["joint"]).plan.baseline == "simclr"


def test_pairs_test_the_mean_over_seeds_on_the_same_images(results: Results) -> None:
    folder = results.comparison.folder / "runs" / "leakfree"
    hits = {}
    for method in ("supervised", "nnclr", "joint"):
        tables = [pd.read_csv(folder / f"{method}-seed{seed}" / "test_predictions.csv") for seed in (0, 1)]
        hits[method] = np.array([table["label"] == table["predicted"] for table in tables], dtype=np.float64)
        groups = tables[0]["group"].to_numpy()
    assert [(pair.first, pair.second) for pair in results.pairs] == [
        ("supervised", "nnclr"),
        ("supervised", "joint"),
        ("nnclr", "joint"),
    ]
    for pair in results.pairs:
        assert pair.seeds == 2
        assert pair.test_images == 24
        assert pair.difference == pytest.approx(100 * (hits[pair.first] - hits[pair.second]).mean())
        assert pair.p_value == pytest.approx(methods_p_value(hits[pair.first], hits[pair.second], groups))
    assert [pair.corrected_p_value for pair in results.pairs] == pytest.approx(holm([pair.p_value for pair in results.pairs]))
    turned = results.pair("leakfree", "joint", "supervised")
    assert turned is not None
    assert (turned.first, turned.second, turned.difference) == ("joint", "supervised", -results.pairs[1].difference)


def test_a_run_that_is_not_evaluated_counts_as_not_run(results: Results) -> None:
    (results.comparison.folder / "runs" / "leakfree" / "joint-seed1" / "evaluation.json").unlink()
    again = collect(results.comparison)
    assert [run.trial.seed for run in again.row("leakfree", "joint").runs] == [0]
    assert again.row("leakfree", "joint").cell(RANKED_BY).spread is None
    assert again.row("leakfree", "joint").interval(RANKED_BY) is not None
    pair = again.pair("leakfree", "joint", "supervised")
    assert pair is not None
    assert pair.seeds == 1
