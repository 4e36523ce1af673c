"""What a comparison is said to have come to, against the runs' own files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewscan.comparison.plan import Comparison, make_plan
from fewscan.comparison.results import Results, collect
from fewscan.comparison.significance import holm, methods_p_value
from fewscan.comparison.study import NUMBERS, PUBLISHED, TABLE2
from fewscan.comparison.trials import run_trials
from fewscan.datasets.descriptions import SourceDescription
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.split import split
from tests.made import remade

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
        for name in NUMBERS:
            values = [100 * evaluation[name] for evaluation in evaluations]
            cell = row.cell(name)
            assert cell.mean == pytest.approx(sum(values) / 2)
            assert cell.spread == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
            if method == "supervised":
                assert cell.published is None
                assert cell.difference is None
            else:
                assert cell.published == PUBLISHED[method][name]
                assert cell.difference == pytest.approx(sum(values) / 2 - PUBLISHED[method][name])
        logs = [(folder / f"{method}-seed{seed}" / "metrics.jsonl").read_text().splitlines()[-1] for seed in (0, 1)]
        left_out = [json.loads(line)["r_acc_left_out"] for line in logs]
        assert [run.left_out_features for run in row.runs] == left_out
        assert row.left_out_features == pytest.approx(sum(left_out) / 2)
        values = [100 * evaluation["similarity_accuracy"]["value"] for evaluation in evaluations]
        assert row.cell("similarity_accuracy").mean == pytest.approx(sum(values) / 2)
        assert row.test_interval is None


def test_methods_that_were_not_run_have_rows_without_numbers(results: Results) -> None:
    assert [row.method for row in results.rows] == [*TABLE2, "mixmatch"]
    row = results.row("leakfree", "simclr")
    assert row.runs == ()
    assert row.cell("val_p_acc").mean is None
    assert row.cell("val_p_acc").published == 54.87
    assert results.pair("leakfree", "simclr", "joint") is None
    assert results.worth_of_copies("joint") is None


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
    assert again.row("leakfree", "joint").cell("val_p_acc").spread is None
    assert again.row("leakfree", "joint").test_interval is not None
    pair = again.pair("leakfree", "joint", "supervised")
    assert pair is not None
    assert pair.seeds == 1


@pytest.mark.parametrize(("name", "stands_in"), [("dubail", False), ("dubail_standin", True), ("Stand-In", True)])
def test_a_stand_in_for_a_source_is_noticed_by_its_name(
    make_dataset: Callable[..., Snapshot], tmp_path: Path, name: str, stands_in: bool
) -> None:
    dataset = make_dataset()
    source = SourceDescription(name=name, folder=str(tmp_path), images=80, set_aside=0)
    dataset = remade(dataset, dataset.manifest.assign(source=name), sources=(source,))
    plan = make_plan(
        dataset, methods=["joint"], seeds=[0], protocols=["study"], recipe="study", changes=CHANGES, labeled=16, test=24
    )
    assert collect(Comparison.begin(tmp_path / "comparison", plan)).stands_in is stands_in
