"""What a comparison is said to have come to, against the runs' own files."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewscan.cli.comparing import next_words
from fewscan.comparison.commands import commands
from fewscan.comparison.plan import Comparison, Plan, RankedBy
from fewscan.comparison.planning import make_plan
from fewscan.comparison.ranking import leaderboard
from fewscan.comparison.results import METRICS, Results, collect
from fewscan.comparison.significance import holm, methods_p_value
from fewscan.comparison.trials import run_trials
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.reporting.comparing.sentences import _below, headline
from fewscan.splits.split import split
from tests.comparison.made_up import made_up

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


@pytest.mark.slow
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


def test_every_score_with_an_interval_is_a_metric() -> None:
    assert {"accuracy", "balanced_accuracy", "auroc", "calibration_error", "nearest_neighbor_accuracy"} < set(METRICS)


@pytest.mark.slow
def test_rows_are_of_the_planned_methods_and_others_have_no_numbers(results: Results) -> None:
    assert [row.method for row in results.rows] == ["supervised", "nnclr", "joint"]
    row = results.row("leakfree", "simclr")
    assert row.runs == ()
    assert row.cell("accuracy").mean is None
    assert results.pair("leakfree", "simclr", "joint") is None


def test_the_leaderboard_is_in_the_order_of_mean_accuracies_each_less_the_baseline(results: Results) -> None:
    board = leaderboard(results, "leakfree")
    means = [standing.row.cell("accuracy").mean for standing in board]
    assert means == sorted(means, reverse=True)
    assert [standing.place for standing in board] == [1 + sum(other > mean for other in means) for mean in means]
    for standing in board:
        assert standing.against_baseline == results.pair("leakfree", standing.row.method, "supervised")
        assert (standing.against_baseline is None) is (standing.row.method == "supervised")


def test_ranked_by_balanced_accuracy_it_is_that_of_the_evaluations_and_of_equal_classes_the_same_tests(
    results: Results,
) -> None:
    ranked = collect(results.comparison.ranking_by("balanced_accuracy"))
    assert (results.ranked_by, ranked.ranked_by) == ("accuracy", "balanced_accuracy")
    assert ranked.metrics[0] == "balanced_accuracy"
    for pair, of_accuracy in zip(ranked.pairs, results.pairs, strict=True):
        first, second = (ranked.row("leakfree", method).cell("balanced_accuracy").mean for method in (pair.first, pair.second))
        assert pair.difference == pytest.approx(first - second)
        assert [ranked.shared_mean(pair, name) for name in (pair.first, pair.second)] == pytest.approx([first, second])
        # The test set holds as many images of every class.
        assert pair.difference == pytest.approx(of_accuracy.difference)
        assert pair.p_value == pytest.approx(of_accuracy.p_value)


@pytest.mark.slow
def test_of_unequal_classes_the_ranking_is_by_the_score_that_was_named(make_dataset: Callable[..., Snapshot]) -> None:
    """`supervised` calls the common class alone right, `joint` all rare ones and a few of the common."""
    right = {("leakfree", "supervised"): (28, 28), ("leakfree", "joint"): (-20, -20)}
    results = made_up(make_dataset, right, methods=("supervised", "joint"), unequal=True)
    by_score = {name: collect(results.comparison.ranking_by(name)) for name in (None, "balanced_accuracy")}
    best = {name: leaderboard(ranked, "leakfree")[0] for name, ranked in by_score.items()}
    assert {name: standing.row.method for name, standing in best.items()} == {None: "supervised", "balanced_accuracy": "joint"}
    pair = best["balanced_accuracy"].against_baseline
    assert pair is not None
    assert pair.difference == pytest.approx(100 * ((8 / 28 + 3) / 4 - 1 / 4))
    assert by_score[None].pairs[0].difference == pytest.approx(70 - 50)


def test_a_plan_is_ranked_by_what_was_named_last_and_earlier_plans_by_accuracy(split_dataset: Snapshot, tmp_path: Path) -> None:
    def begun(rank_by: RankedBy | None = None) -> Plan:
        asked = {"methods": ["joint"], "seeds": [0], "protocols": ["leakfree"], "recipe": "study", "changes": CHANGES}
        return Comparison.begin(tmp_path / "comparison", make_plan(split_dataset, **asked, rank_by=rank_by)).plan

    with pytest.raises(FewscanError, match="accuracy or balanced_accuracy, not by 'auroc'"):
        begun("auroc")  # type: ignore[arg-type]
    assert begun().ranked_by == "accuracy"
    path = tmp_path / "comparison" / "plan.json"
    content = json.loads(path.read_text())
    del content["named_score"]  # as before there was a choice
    path.write_text(json.dumps(content))
    assert Comparison.open(path.parent).plan.ranked_by == "accuracy"
    assert "--rank-by" not in commands(begun())[0]
    for rank_by, ranked_by in (
        ("balanced_accuracy", "balanced_accuracy"),
        (None, "balanced_accuracy"),
        ("accuracy", "accuracy"),
    ):
        plan = begun(rank_by)  # type: ignore[arg-type]
        assert plan.ranked_by == ranked_by
        assert f"--rank-by {ranked_by}" in commands(plan)[0]


@pytest.mark.slow
def test_runs_that_were_scored_by_different_labels_are_not_compared(make_dataset: Callable[..., Snapshot]) -> None:
    results = made_up(make_dataset, {("leakfree", "supervised"): (20,), ("leakfree", "joint"): (10,)})
    path = results.row("leakfree", "joint").runs[0].run.folder / "test_predictions.csv"
    table = pd.read_csv(path)
    table.loc[0, "label"] = table.loc[table["label"] != table["label"][0], "label"].iloc[0]
    table.to_csv(path, index=False)
    with pytest.raises(FewscanError, match="different test images or labels"):
        collect(results.comparison)


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
    assert again.row("leakfree", "joint").cell("accuracy").spread is None
    assert again.row("leakfree", "joint").interval("accuracy") is not None
    pair = again.pair("leakfree", "joint", "supervised")
    assert pair is not None
    assert pair.seeds == 1


def test_methods_without_a_seed_in_common_are_not_held_against_each_other(results: Results) -> None:
    for method, seed in (("supervised", 1), ("nnclr", 0), ("joint", 0)):
        (results.comparison.folder / "runs" / "leakfree" / f"{method}-seed{seed}" / "evaluation.json").unlink()
    again = collect(Comparison.open(results.comparison.folder))
    assert [(pair.first, pair.second) for pair in again.pairs] == [("nnclr", "joint")]
    (said,) = headline(again)
    assert "p = " not in said


def test_the_next_method_is_lower_level_or_not_lower_where_both_have_seeds(results: Results) -> None:
    pair = results.pairs[0]
    assert len({_below(replace(pair, difference=difference)) for difference in (1.5, 0.0, -1.5)}) == 3


def test_what_comes_next_is_about_a_run_whose_test_set_holds_no_copies_of_what_it_learned(
    make_dataset: Callable[..., Snapshot],
) -> None:
    right = {("study", "supervised"): (40,), ("leakfree", "supervised"): (20,), ("leakfree", "joint"): (30,)}
    found = made_up(make_dataset, right, protocols=("study", "leakfree"))
    assert "leakfree/joint-seed0" in str(next_words(found.rows, "accuracy", "")[1])
