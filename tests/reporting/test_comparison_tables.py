"""The CSV files of a comparison, against the runs' own files."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fewscan.comparison.plan import Comparison, Trial, make_plan
from fewscan.comparison.results import SCORES, Results, collect
from fewscan.comparison.study import NUMBERS, PUBLISHED, TABLE1, TABLE2
from fewscan.comparison.trials import run_trial
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.learning.registry import METHODS
from fewscan.reporting.comparison_tables import RUN_COLUMNS, hundredths, write_tables
from tests.made import remade

RUN = [Trial("leakfree", "supervised", 0), Trial("leakfree", "supervised", 1), Trial("leakfree", "simclr", 0)]


@pytest.fixture
def results(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> Results:
    """Two methods, two seeds, two protocols: eight trials, three of them run."""
    plan = make_plan(
        make_dataset(),
        methods=["supervised", "simclr"],
        seeds=[0, 1],
        protocols=["leakfree", "study"],
        recipe="study",
        changes={"epochs": 1, "batch_size": 20, "encoder": {"dense_units": 16}},
        labeled=16,
        test=24,
        validation=0.25,
    )
    comparison = Comparison.begin(tmp_path / "comparison", plan)
    for trial in RUN:
        run_trial(comparison.folder, trial)
    return collect(comparison)


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def evaluation(results: Results, trial: Trial) -> Any:
    return json.loads((results.comparison.run_folder(trial) / "evaluation.json").read_text(encoding="utf-8"))


def number(text: str) -> float | None:
    return None if text == "not defined" else float(text)


def rounded_percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def test_every_run_has_a_line_with_what_its_evaluation_says_and_every_other_trial_reads_not_run(
    results: Results, tmp_path: Path
) -> None:
    paths = write_tables(results, tmp_path)
    assert [path.name for path in paths] == ["comparison.csv", "table1.csv", "table2.csv", "pairs.csv"]
    runs = read(paths[0])
    trials = results.comparison.plan.trials
    assert [(line.protocol, line.method, int(line.seed)) for line in runs.itertuples()] == [
        (trial.protocol, trial.method, trial.seed) for trial in trials
    ]
    for trial, (_, line) in zip(trials, runs.iterrows(), strict=True):
        if trial not in RUN:
            assert set(line[list(RUN_COLUMNS)]) == {"not run"}
            continue
        expected = evaluation(results, trial)
        run = results.comparison.finished_run(trial)
        assert run is not None
        for name in NUMBERS:
            assert number(line[f"{name}_percent"]) == rounded_percent(expected[name])
        for name in SCORES:
            assert number(line[f"{name}_percent"]) == rounded_percent(expected[name]["value"])
        for bound in ("low", "high"):
            assert number(line[f"val_p_acc_{bound}_percent"]) == rounded_percent(expected["accuracy"][bound])
        assert float(line["training_seconds"]) == pytest.approx(sum(epoch["seconds"] for epoch in run.metrics()), abs=0.006)
        assert line["batch_size"] == str(run.settings.batch_size)
        assert line[["labels", "test_images", "test_openings", "leaking_pairs"]].tolist() == ["16", "24", "1", "0"]
        assert line[["epochs", "image_size_px", "encoder", "views"]].tolist() == ["1", "16", "study_cnn", "study"]


def test_the_studys_tables_hold_means_and_spread_over_seeds_beside_its_own_figures(results: Results, tmp_path: Path) -> None:
    _, table1, table2, _ = (read(path) for path in write_tables(results, tmp_path))
    assert table1["method"].tolist() == [*TABLE1, *TABLE1]
    assert table2["method"].tolist() == [*TABLE2, *TABLE2]
    table1, table2 = (table.set_index(["protocol", "method"]) for table in (table1, table2))
    pd.testing.assert_frame_equal(table2.loc[table1.index], table1)
    for (protocol, method), line in table2.iterrows():
        trials = [trial for trial in RUN if (trial.protocol, trial.method) == (protocol, method)]
        assert line["runs"] == str(len(trials))
        for name in NUMBERS:
            published = PUBLISHED.get(method, {}).get(name)
            assert line[f"{name}_percent_study"] == ("" if published is None else f"{published:.2f}")
            mean, spread, difference = (line[f"{name}_percent_{part}"] for part in ("mean", "sd", "difference"))
            known = [100 * share for trial in trials if (share := evaluation(results, trial)[name]) is not None]
            if not trials:
                assert (mean, spread, difference) == ("not run", "not run", "" if published is None else "not run")
            elif known:
                assert float(mean) == pytest.approx(np.mean(known), abs=0.00501)
                assert spread == ("" if len(known) == 1 else hundredths(float(np.std(known, ddof=1))))
                expected = None if published is None else pytest.approx(np.mean(known) - published, abs=0.00501)
                assert (float(difference) if difference else None) == expected
    values = [evaluation(results, trial)["similarity_accuracy"]["value"] for trial in RUN[:2]]
    line = table2.loc["leakfree", "supervised"]
    assert line["similarity_accuracy_percent_mean"] == hundredths(100 * np.mean(values))
    assert line["similarity_accuracy_percent_sd"] == hundredths(100 * np.std(values, ddof=1))


def test_every_pair_of_methods_has_a_line_under_each_protocol(results: Results, tmp_path: Path) -> None:
    pairs = read(write_tables(results, tmp_path)[3])
    assert len(pairs) == 2 * math.comb(len(METHODS), 2)
    assert set(pairs["third_source"]) == {"as imported"}
    compared = pairs[pairs["difference_points"] != "not run"]
    assert compared[["protocol", "first", "second"]].to_numpy().tolist() == [["leakfree", "supervised", "simclr"]]
    line = compared.iloc[0]
    supervised, simclr = (
        evaluation(results, Trial("leakfree", method, 0))["accuracy"]["value"] for method in ("supervised", "simclr")
    )
    assert float(line["difference_points"]) == rounded_percent(supervised - simclr)
    assert line[["seeds", "test_images"]].tolist() == ["1", "24"]
    said = "statistically significant" if float(line["corrected_p_value"]) < 0.05 else "not statistically significant"
    assert line["verdict"] == f"{said} for these two networks"


def test_a_stand_in_is_named_in_every_row_and_older_tables_are_replaced(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = make_dataset()
    plan = make_plan(
        remade(dataset, dataset.manifest.assign(source="dubail_standin"), sources=()),
        methods=["joint"],
        seeds=[0],
        protocols=["leakfree"],
        recipe="study",
        changes={},
        labeled=16,
        test=24,
    )
    results = collect(Comparison.begin(tmp_path / "comparison", plan))
    (tmp_path / "table1.csv").write_text("old", encoding="utf-8")
    for table in write_tables(results, tmp_path):
        assert set(read(table)["third_source"]) == {"stand-in"}
    assert read(tmp_path / "comparison.csv").iloc[0].tolist()[3:-1] == ["not run"] * len(RUN_COLUMNS)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]
    with pytest.raises(FewscanError, match="cannot write"):
        write_tables(results, tmp_path / "missing")


def test_numbers_have_two_decimals_and_no_negative_zero() -> None:
    assert [hundredths(value) for value in (72.4, 0.005001, -0.001, 100.0, -7.143, None)] == [
        "72.40",
        "0.01",
        "0.00",
        "100.00",
        "-7.14",
        "not defined",
    ]
