import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fewscan import open_run
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation, evaluate
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.similarity import soft_nearest_neighbors
from fewscan.folders import MODEL_FILE
from fewscan.splits.split import split
from fewscan.training.fit import fit
from fewscan.training.run import OPENINGS_FILE, Run
from fewscan.training.settings import RunSettings
from tests.made import copied_run


@pytest.fixture(scope="module")
def trained(split_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    quick: dict[str, Any] = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 2, "device": "cpu"}
    settings = RunSettings.resolve("joint", "fewscan", quick, labeled=12, unlabeled=40)
    dataset = Dataset.open(split_folder).snapshot()
    made = Run.create(tmp_path_factory.mktemp("trained") / "run", settings, dataset, 0)
    fit(made, dataset, resume=False)
    return made


@pytest.fixture
def run(trained: Run, split_dataset: Snapshot, tmp_path: Path) -> Run:
    return copied_run(trained, tmp_path / "run", split_dataset)


@pytest.mark.slow
def test_the_score_is_that_of_the_test_set_and_every_opening_is_noted(run: Run, split_dataset: Snapshot) -> None:
    first = evaluate(run, split_dataset)
    table = pd.read_csv(run.folder / PREDICTIONS_FILE)
    assert table["row"].tolist() == split_dataset.rows("test").tolist()
    assert first.accuracy.value == pytest.approx((table["label"] == table["predicted"]).mean())
    assert sum(sum(row) for row in first.confusion) == first.images == 24
    assert [score.images for score in first.classes] == [6, 6, 6, 6]
    last = run.metrics()[-1]
    assert (first.c_acc, first.r_acc, first.p_acc) == (last["c_acc"], last["r_acc"], last["p_acc"])
    assert first.test_openings == 1
    assert [(each.images, each.groups) for each in first.classes] == [(6, 6)] * 4
    second = evaluate(run, split_dataset)
    assert second == first.model_copy(update={"test_openings": 2, "test_set_openings": 2})
    openings = [json.loads(line) for line in (run.folder / OPENINGS_FILE).read_text().splitlines()]
    assert [opening["purpose"] for opening in openings] == ["evaluate", "evaluate"]
    assert Evaluation.load(run) == second


@pytest.mark.slow
def test_a_score_is_a_table_of_scores_with_their_intervals(run: Run, split_dataset: Snapshot) -> None:
    score = evaluate(run, split_dataset)
    table = score.table()
    overall = table[table["class"].isna()].set_index("score")
    assert overall.loc["accuracy", ["value", "low", "high"]].tolist() == [*score.accuracy.model_dump().values()]
    for name, rate in (("sensitivity", 6), ("specificity", 18)):
        rows = table[table["score"] == name]
        assert rows["class"].tolist() == [each.name for each in score.classes]
        assert rows["value"].tolist() == [getattr(each, name).value for each in score.classes]
        assert set(rows["images"]) == {rate}
    rows = table[table["score"] == "predictive_value"]
    assert rows["images"].tolist() == np.array(score.confusion).sum(axis=0).tolist()
    values = [each.rates["predictive value"].value for each in score.classes]
    assert rows["value"].astype(object).where(rows["value"].notna(), None).tolist() == values


@pytest.mark.slow
def test_a_score_that_was_made_is_shown_without_another_look(run: Run, split_dataset: Snapshot) -> None:
    opened = open_run(run.folder)
    assert opened.evaluation is None
    score = evaluate(run, split_dataset)
    assert opened.evaluation == score
    assert len((run.folder / OPENINGS_FILE).read_text().splitlines()) == 1


@pytest.mark.slow
def test_both_read_outs_from_labeled_images_see_the_labeled_part_alone(run: Run, split_dataset: Snapshot) -> None:
    evaluation = evaluate(run, split_dataset)
    predictor = Predictor.of(run)
    labeled, test = split_dataset.rows("labeled"), split_dataset.rows("test")
    bank, query = (predictor.predict(split_dataset.pixels, rows) for rows in (labeled, test))
    labels = split_dataset.labels
    votes = soft_nearest_neighbors(
        torch.from_numpy(query.projections), torch.from_numpy(bank.projections), torch.from_numpy(labels[labeled]), 4
    )
    assert evaluation.similarity_accuracy.value == pytest.approx((votes.argmax(dim=1).numpy() == labels[test]).mean())
    unit = [features / np.linalg.norm(features, axis=1, keepdims=True) for features in (query.features, bank.features)]
    nearest = labels[labeled][(unit[0] @ unit[1].T).argmax(axis=1)]
    assert evaluation.nearest_neighbor_accuracy.value == pytest.approx((nearest == labels[test]).mean())
    for interval in (evaluation.similarity_accuracy, evaluation.nearest_neighbor_accuracy):
        assert interval.low is not None
        assert interval.high is not None
        assert 0 <= interval.low <= interval.high <= 1


@pytest.mark.slow
def test_an_unfinished_or_damaged_run_is_refused_and_the_test_set_stays_sealed(run: Run, split_dataset: Snapshot) -> None:
    model = run.folder / MODEL_FILE
    content = model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    with pytest.raises(FewscanError, match="damaged"):
        evaluate(run, split_dataset)
    model.unlink()
    with pytest.raises(FewscanError, match="--resume"):
        evaluate(run, split_dataset)
    assert not (run.folder / OPENINGS_FILE).exists()


@pytest.mark.slow
def test_a_damaged_evaluation_names_the_command(run: Run, split_dataset: Snapshot) -> None:
    assert Evaluation.load(run) is None
    (run.folder / EVALUATION_FILE).write_text('{"accuracy": 1')
    with pytest.raises(FewscanError, match="fewscan evaluate"):
        Evaluation.load(run)


@pytest.mark.slow
def test_a_dataset_split_anew_leaves_a_run_what_it_was(run: Run, split_dataset: Snapshot) -> None:
    assert run.open_dataset().folder == split_dataset.folder.resolve()
    before = evaluate(run, run.open_dataset())
    split(split_dataset, labeled=16, test=24, seed=1)
    after = evaluate(run, run.open_dataset())
    assert after.accuracy == before.accuracy
    assert run.open_dataset().rows("test").tolist() == split_dataset.rows("test").tolist()


@pytest.mark.slow
@pytest.mark.parametrize("file", ["config.yaml", "run.json"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_run_folder_cut_short_is_named(file: str, damage: str, run: Run) -> None:
    path = run.folder / file
    if damage == "missing":
        path.unlink()
    else:
        path.write_text(path.read_text()[:40])
    with pytest.raises(FewscanError):
        Run.open(run.folder)
