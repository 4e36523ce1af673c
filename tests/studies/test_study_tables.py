"""The study's CSV files, against the runs' own files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fewscan.comparison.plan import Comparison, Trial
from fewscan.comparison.planning import make_plan
from fewscan.comparison.results import Results, collect
from fewscan.comparison.trials import run_trial
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.reporting.comparing.sentences import hundredths
from fewscan.studies.bitlis.published import NUMBERS, PUBLISHED, TABLE1, TABLE2
from fewscan.studies.bitlis.tables import OTHER_SCORES, RUN_COLUMNS, write_tables
from tests.made import remade

RUN = [Trial("leakfree", "supervised", 0), Trial("leakfree", "supervised", 1), Trial("leakfree", "simclr", 0)]


@pytest.fixture(scope="module")
def results(make_dataset: Callable[..., Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Results:
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
    comparison = Comparison.begin(tmp_path_factory.mktemp("compared") / "comparison", plan)
    for trial in RUN:
        run_trial(comparison.folder, trial)
    return collect(comparison)


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def evaluation(results: Results, trial: Trial) -> Any:
    return json.loads((results.comparison.run_folder(trial) / "evaluation.json").read_text(encoding="utf-8"))


def number_of(evaluated: Any, name: str) -> float | None:
    return evaluated["accuracy"]["value"] if name == "val_p_acc" else evaluated[name]


def number(text: str) -> float | None:
    return None if text == "not defined" else float(text)


def rounded_percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


@pytest.mark.slow
def test_every_run_has_a_line_with_what_its_evaluation_says_and_every_other_trial_reads_not_run(
    results: Results, tmp_path: Path
) -> None:
    paths = write_tables(results, tmp_path)
    assert [path.name for path in paths] == ["table1.csv", "table2.csv", "study_runs.csv"]
    runs = read(paths[2])
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
            assert number(line[f"{name}_percent"]) == rounded_percent(number_of(expected, name))
        for name in OTHER_SCORES:
            assert number(line[f"{name}_percent"]) == rounded_percent(expected[name]["value"])
        for bound in ("low", "high"):
            assert number(line[f"val_p_acc_{bound}_percent"]) == rounded_percent(expected["accuracy"][bound])
        assert float(line["training_seconds"]) == pytest.approx(sum(epoch["seconds"] for epoch in run.metrics()), abs=0.006)
        assert line["batch_size"] == str(run.settings.batch_size)
        assert line[["labels", "test_images", "test_openings", "leaking_pairs"]].tolist() == ["16", "24", "1", "0"]
        assert line[["epochs", "image_size_px", "encoder", "views"]].tolist() == ["1", "16", "study_cnn", "study"]


@pytest.mark.slow
def test_the_studys_tables_hold_means_and_spread_over_seeds_beside_its_own_figures(results: Results, tmp_path: Path) -> None:
    table1, table2, _ = (read(path) for path in write_tables(results, tmp_path))
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
            known = [100 * share for trial in trials if (share := number_of(evaluation(results, trial), name)) is not None]
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


@pytest.mark.slow
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
    assert read(tmp_path / "study_runs.csv").iloc[0].tolist()[3:-1] == ["not run"] * len(RUN_COLUMNS)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]
    with pytest.raises(FewscanError, match="cannot write"):
        write_tables(results, tmp_path / "missing")
