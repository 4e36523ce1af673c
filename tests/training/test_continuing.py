"""A run that begins with another run's weights, and is never judged by what these have learned from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.cross_fitting import cross_fit
from fewscan.splits.split import split
from fewscan.training.beginning import BEGINNING_FILE, BeganWith
from fewscan.training.continuing import settings_of
from fewscan.training.run import Run
from tests.made import copied_run

QUICK = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 1, "device": "cpu", "probe_images": 0}


@pytest.fixture(scope="module")
def trained(split_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return api.train(split_folder, method="supervised", out=tmp_path_factory.mktemp("trained") / "first", **QUICK)


@pytest.fixture
def first(trained: Run, split_dataset: Snapshot, tmp_path: Path) -> Run:
    return copied_run(trained, tmp_path / "first", split_dataset)


@pytest.mark.slow
def test_the_first_network_is_the_last_of_the_run_that_it_begins_with(first: Run, tmp_path: Path) -> None:
    second = api.train(first.record.dataset, out=tmp_path / "second", begin=first, batch_size=16, epochs=1, device="cpu")
    assert second.settings.method.name == "supervised"
    assert second.settings.encoder == first.settings.encoder
    begun, trained = second.first_network().state_dict(), load_file(first.folder / "model.safetensors")
    assert all(torch.equal(value, trained[name]) for name, value in begun.items())
    api.train(first.record.dataset, out=second.folder, begin=first.folder, resume=True)
    with pytest.raises(FewscanError, match="leave out --from"):
        api.train(first.record.dataset, out=second.folder, begin=second.folder, resume=True)
    # Wherever the first run goes, the second can begin anew.
    (first.folder / "model.safetensors").unlink()
    assert second.first_network() is not None
    assert api.verify(second.folder).faults == []
    kept = second.folder / BEGINNING_FILE
    kept.write_bytes(kept.read_bytes()[:-4] + b"else")
    with pytest.raises(FewscanError, match="was changed"):
        second.first_network()
    kept.unlink()
    with pytest.raises(FewscanError, match="missing"):
        second.first_network()


def test_what_runs_of_former_versions_began_with_is_read() -> None:
    began = BeganWith.parse({"run": "runs/first", "identity": "abc", "sha256": "def", "classes": ["a", "b"]})
    assert (began.origin.kind, began.origin.source, began.origin.run) == ("run", "first", "runs/first")
    assert (began.origin.identity, began.sha256, began.classes) == ("abc", "def", ("a", "b"))


@pytest.mark.slow
def test_what_the_first_run_learned_from_must_not_judge_the_second(first: Run, split_dataset: Snapshot, tmp_path: Path) -> None:
    other = split(Dataset.open(split_dataset.folder).unsplit(), labeled=16, test=24, validation=0.25, seed=3, name="other")
    learned = first.open_dataset().rows("labeled", "unlabeled")
    assert np.isin(other.rows("test"), learned).any()
    with pytest.raises(FewscanError, match="the split leaks"):
        api.train(split_dataset.folder, split="other", out=tmp_path / "second", begin=first, epochs=1, batch_size=16)
    assert not (tmp_path / "second").exists()
    # Without the first run's weights the same split is as good as any.
    assert api.train(split_dataset.folder, split="other", method="supervised", out=tmp_path / "alone", **QUICK).finished


@pytest.mark.slow
def test_a_class_that_came_later_is_learned_and_those_known_keep_their_weights(first: Run, tmp_path: Path) -> None:
    dataset = Dataset.open(first.record.dataset)
    rows = first.open_dataset().rows("labeled")[:2]
    dataset.labels.enter(rows.tolist(), ["abscess"] * 2, origin="review")
    second = api.train(dataset, out=tmp_path / "second", begin=first, batch_size=16, epochs=1, device="cpu")
    assert second.record.classes == ("abscess", *first.record.classes)
    begun, trained = second.first_network().state_dict(), load_file(first.folder / "model.safetensors")
    (name,) = [name for name in begun if name.startswith("classifier") and name.endswith("weight")]
    assert torch.equal(begun[name][1:], trained[name])


@pytest.mark.slow
def test_folds_of_a_run_that_began_with_another_begin_with_nothing(first: Run, tmp_path: Path) -> None:
    second = api.train(first.record.dataset, out=tmp_path / "second", begin=first, batch_size=16, epochs=1, device="cpu")
    cross_fit(second, second.open_dataset(), folds=2)
    assert all(Run.open(fold).record.began_with is None for fold in (second.folder / "folds").iterdir())


@pytest.mark.slow
def test_another_method_and_another_dataset_are_refused(
    first: Run, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    with pytest.raises(FewscanError, match="trained with supervised"):
        api.train(first.record.dataset, out=tmp_path / "second", begin=first, method="joint")
    other = split(make_dataset(seed=9), labeled=16, test=24, validation=0.25)
    with pytest.raises(FewscanError, match="another dataset"):
        api.train(other, out=tmp_path / "second", begin=first)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"heads": {"projection_units": [8]}}, {"encoder": {"width": 32}}, {"encoder": "study_cnn"}]
)
def test_a_network_that_the_weights_do_not_fit_is_refused_before_a_run_is_made(
    changes: dict[str, Any], first: Run, tmp_path: Path
) -> None:
    with pytest.raises(FewscanError, match="do not fit"):
        api.train(first.record.dataset, out=tmp_path / "second", begin=first, **changes)
    assert not (tmp_path / "second").exists()


def test_other_views_replace_those_of_the_run_that_it_begins_with(first: Run) -> None:
    _, changes = settings_of(first, None, {"views": "study"})
    assert changes["views"] == {"name": "study"}
    _, changes = settings_of(first, None, {"views": {"contrast": 0.1}})
    assert changes["views"] == first.settings.views.model_dump() | {"contrast": 0.1}


@pytest.mark.slow
def test_the_next_training_says_what_is_new(
    first: Run, split_dataset: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = Dataset.open(split_dataset.folder)
    rows = first.open_dataset().rows("labeled")
    capsys.readouterr()
    api.train(dataset, method="supervised", out=tmp_path / "again", **QUICK)
    assert "since the last training" not in capsys.readouterr().err
    dataset.labels.enter([rows[0]], ["no_tumor" if first.open_dataset().labels[rows[0]] != 2 else "glioma"], origin="review")
    dataset.labels.enter([rows[1]], [None], origin="review")
    api.train(dataset, method="supervised", out=tmp_path / "third", **QUICK)
    said = next(line for line in capsys.readouterr().err.splitlines() if "since the last training" in line)
    assert "1 corrected label" in said
    assert "1 label taken back" in said
