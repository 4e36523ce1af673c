"""The CSV files of a comparison, against the runs' own files."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from fewscan.comparison.results import METRICS, Results
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.reporting.comparing.sentences import hundredths
from fewscan.reporting.comparing.tables import RUN_COLUMNS, write_tables
from tests.comparison.made_up import METHODS
from tests.comparison.made_up import made_up as write_made_up


@pytest.fixture
def made_up(make_dataset: Callable[..., Snapshot]) -> Callable[..., Results]:
    return partial(write_made_up, make_dataset)


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.mark.slow
def test_every_run_has_a_line_with_what_its_evaluation_says_and_every_other_trial_reads_not_run(
    made_up: Callable[..., Results], tmp_path: Path
) -> None:
    results = made_up({("leakfree", "supervised"): (20, 30), ("leakfree", "joint"): (10,)}, protocols=("leakfree", "study"))
    (tmp_path / "comparison.csv").write_text("old", encoding="utf-8")
    paths = write_tables(results, tmp_path)
    assert [path.name for path in paths] == ["leaderboard.csv", "comparison.csv", "pairs.csv"]
    runs = read(paths[1])
    assert [(line.protocol, line.method, int(line.seed)) for line in runs.itertuples()] == [
        (trial.protocol, trial.method, trial.seed) for trial in results.trials
    ]
    for run, (_, line) in zip(results.trials.values(), runs.iterrows(), strict=True):
        if run is None:
            assert set(line[list(RUN_COLUMNS)]) == {"not run"}
            continue
        # Where it lies.
        assert results.comparison.folder / line["run"] == run.run.folder
        for metric in METRICS:
            interval = getattr(run.evaluation, metric)
            for part, share in (("", interval.value), ("_low", interval.low), ("_high", interval.high)):
                assert float(line[f"{metric}{part}_percent"]) == pytest.approx(100 * share, abs=0.00501)
        assert (line["p_acc_percent"], line["r_acc_percent"]) == ("87.50", "not defined")
        assert float(line["training_seconds"]) == 90
        assert line[["labels", "test_images", "test_openings", "leaking_pairs"]].tolist() == ["16", "40", "1", "0"]
        assert line[["epochs", "image_size_px", "encoder", "views"]].tolist() == ["25", "16", "study_cnn", "study"]
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]
    with pytest.raises(FewscanError, match="cannot write"):
        write_tables(results, tmp_path / "missing")


@pytest.mark.slow
def test_the_leaderboard_and_the_pairs_hold_means_differences_and_verdicts(
    made_up: Callable[..., Results], tmp_path: Path
) -> None:
    results = made_up({("leakfree", "supervised"): (20, 20), ("leakfree", "joint"): (30, 34), ("leakfree", "nnclr"): (10,)})
    leaderboard, _, pairs = (read(path) for path in write_tables(results, tmp_path))
    assert leaderboard["method"].tolist()[:3] == ["joint", "supervised", "nnclr"]
    assert leaderboard["place"].tolist() == ["1", "2", "3", "not run", "not run"]
    joint, supervised, nnclr = (leaderboard.iloc[row] for row in range(3))
    assert joint[["accuracy_percent_mean", "accuracy_percent_sd"]].tolist() == ["80.00", "7.07"]
    assert joint[["less_baseline_points", "verdict"]].tolist() == ["30.00", "statistically significant"]
    assert nnclr["verdict"] == "statistically significant for these two networks"
    assert supervised[["less_baseline_points", "corrected_p_value", "verdict"]].tolist() == ["", "", ""]
    assert set(leaderboard["baseline"]) == {"supervised"}
    assert len(pairs) == math.comb(len(METHODS), 2)
    compared = pairs[pairs["difference_points"] != "not run"].set_index(["first", "second"])
    assert set(compared.index) == {("supervised", "joint"), ("supervised", "nnclr"), ("nnclr", "joint")}
    line = compared.loc["supervised", "joint"]
    assert line[["seeds", "test_images", "difference_points"]].tolist() == ["2", "40", "-30.00"]
    assert line["corrected_p_value"] == joint["corrected_p_value"]


@pytest.mark.slow
def test_differences_are_of_the_score_that_ranks_and_say_so(made_up: Callable[..., Results], tmp_path: Path) -> None:
    right = {("leakfree", "supervised"): (28,), ("leakfree", "joint"): (-20,)}
    methods = ("supervised", "joint")
    leaderboard, _, pairs = (
        read(path)
        for path in write_tables(made_up(right, methods=methods, rank_by="balanced_accuracy", unequal=True), tmp_path)
    )
    assert leaderboard[["place", "method", "ranked_by", "less_baseline_points"]].to_numpy().tolist() == [
        ["1", "joint", "balanced_accuracy", "57.14"],
        ["2", "supervised", "balanced_accuracy", ""],
    ]
    assert leaderboard["balanced_accuracy_percent_mean"].tolist() == ["82.14", "25.00"]
    assert pairs[["score", "difference_points"]].to_numpy().tolist() == [["balanced_accuracy", "-57.14"]]


@pytest.mark.slow
def test_without_a_baseline_there_is_nothing_to_hold_against(made_up: Callable[..., Results], tmp_path: Path) -> None:
    results = made_up({("leakfree", "joint"): (30,)}, methods=("joint", "simclr"))
    leaderboard = read(write_tables(results, tmp_path)[0])
    assert set(leaderboard[["baseline", "less_baseline_points", "verdict"]].to_numpy().ravel()) == {""}


def test_numbers_have_two_decimals_and_no_negative_zero() -> None:
    assert [hundredths(value) for value in (72.4, 0.005001, -0.001, 100.0, -7.143, None)] == [
        "72.40",
        "0.01",
        "0.00",
        "100.00",
        "-7.14",
        "not defined",
    ]
