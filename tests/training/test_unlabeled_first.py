"""An encoder that learns from all scans without labels before it learns from labels, by one command."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewscan import api
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.training.choice import choose
from fewscan.training.fit import fit
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from fewscan.training.unlabeled_first import OF_FEATURES_PX_ON_CPU, divided, first_folder, lesson_for

SHORT: dict[str, Any] = {"epochs": 1, "batch_size": 16}
PROPAGATION = {"name": "propagation", "steps": 20}


@pytest.fixture
def dataset(make_dataset: Callable[..., Snapshot]) -> Path:
    folder = make_dataset().folder
    api.split(folder, labeled=12, test=8, validation=0)
    return folder


def test_the_run_begins_with_what_all_scans_but_the_test_sets_taught_without_a_label(dataset: Path, tmp_path: Path) -> None:
    run = api.train(dataset, out=tmp_path / "run", method="supervised", unlabeled_first=True, **SHORT)
    first = Run.open(first_folder(run.folder))
    assert first.finished
    assert first.settings.method.name == "simclr"
    assert run.settings.encoder.weights == str(first.folder)
    learned, split = first.open_dataset(), run.open_dataset()
    assert len(learned.rows("labeled")) == 0
    assert len(learned.classes) == 0
    assert not np.isin(learned.groups[learned.rows("unlabeled")], split.groups[split.rows("test")]).any()
    # With nothing learned in between its encoder is the first run's.
    weights = first.load_network().encoder.state_dict()
    begun = run.first_network().encoder.state_dict()
    assert all((begun[name] == weights[name]).all() for name in weights)


def test_what_is_there_is_taken_and_what_was_stopped_goes_on(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    asked: dict[str, Any] = {"method": "supervised", "unlabeled_first": True, **SHORT}
    with monkeypatch.context() as patched:
        patched.setattr("fewscan.training.fit.fit", stopped)
        with pytest.raises(KeyboardInterrupt):
            api.train(dataset, out=tmp_path / "run", **asked)
    first = first_folder(tmp_path / "run")
    assert first.is_dir()
    assert not (tmp_path / "run").exists()
    assert not Run.open(first).finished
    api.train(dataset, out=tmp_path / "run", **asked)
    made = (first / "model.safetensors").stat().st_mtime_ns

    trained: list[Path] = []

    def noted(run: Run, *words: Any, **named: Any) -> None:
        trained.append(run.folder)
        fit(run, *words, **named)

    (tmp_path / "run").rename(tmp_path / "other")
    monkeypatch.setattr("fewscan.training.fit.fit", noted)
    api.train(dataset, out=tmp_path / "run", **asked)
    assert trained == [tmp_path / "run"]
    assert Run.open(first).settings.epochs == asked["epochs"]
    assert (first / "model.safetensors").stat().st_mtime_ns == made


def test_what_cannot_be_taken_is_refused(dataset: Path, tmp_path: Path) -> None:
    api.train(dataset, out=tmp_path / "run", method="supervised", unlabeled_first=True, **SHORT)
    (tmp_path / "run").rename(tmp_path / "other")
    asked: dict[str, Any] = {"method": "supervised", "unlabeled_first": True, **SHORT}
    with pytest.raises(FewscanError, match=r"encoder\.width=32"):
        api.train(dataset, out=tmp_path / "run", **asked, encoder={"width": 32})
    with pytest.raises(FewscanError, match="--from"):
        api.train(dataset, out=tmp_path / "next", begin=tmp_path / "other", unlabeled_first=True)
    with pytest.raises(FewscanError, match="leave out --unlabeled-first"):
        api.train(dataset, out=tmp_path / "other", resume=True, unlabeled_first=True)
    with pytest.raises(FewscanError, match="exists"):
        api.train(dataset, out=tmp_path / "other", **asked)
    first = first_folder(tmp_path / "run")
    taken = first.rename(tmp_path / "away")
    for wrong in ({"method": "mixmatsh"}, {"epoks": 3}, {"optimizer": {"learning_rate": -1}}):
        with pytest.raises(FewscanError):
            api.train(dataset, out=tmp_path / "run", **{**asked, **wrong})
        assert not first.exists()
    # A run that learned with labels, one that saw what is tested now, and what is no run.
    api.train(dataset, out=first, method="simclr", leave_out_test=True, **SHORT)
    with pytest.raises(FewscanError, match="with labels"):
        api.train(dataset, out=tmp_path / "run", **asked)
    shutil.rmtree(first)
    first.touch()
    with pytest.raises(FewscanError, match="run-first, but something else") as refused:
        api.train(dataset, out=tmp_path / "run", **asked)
    assert not any("kept" in note for note in refused.value.__notes__)
    first.unlink()
    taken.rename(first)
    api.split(dataset, labeled=12, test=8, validation=0, seed=5, overwrite=True)
    with pytest.raises(FewscanError, match="test set"):
        api.train(dataset, out=tmp_path / "run", **asked)


def test_a_second_run_that_was_stopped_goes_on_by_the_same_command_and_resume(dataset: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"method": "supervised", "unlabeled_first": True, **SHORT}
    run = api.train(dataset, out=tmp_path / "run", **asked)
    (run.folder / "model.safetensors").unlink()
    with pytest.raises(FewscanError, match="--resume"):
        api.train(dataset, out=tmp_path / "run", **asked)
    assert api.train(dataset, out=tmp_path / "run", resume=True, **asked).finished


def test_what_is_solved_on_features_begins_with_an_encoder_that_learned_them(dataset: Path, tmp_path: Path) -> None:
    small: dict[str, Any] = {"encoder": {"name": "study_cnn", "weights": None}, "chunk_size": 8, **SHORT}
    with pytest.raises(FewscanError, match="leave out"):
        api.train(dataset, out=tmp_path / "run", method=PROPAGATION, **small)
    run = api.train(dataset, out=tmp_path / "run", method=PROPAGATION, unlabeled_first=True, **small)
    first = Run.open(first_folder(run.folder))
    assert (first.settings.method.name, run.settings.method.name) == ("simclr", "propagation")
    assert (first.settings.epochs, first.settings.chunk_size, first.settings.batch_size) == (1, 8, 16)
    assert run.settings.encoder.weights == str(first.folder)
    taught, used = (each.load_network().encoder.state_dict() for each in (first, run))
    assert all((used[name] == taught[name]).all() for name in taught)


@pytest.mark.slow
def test_the_second_run_goes_on_with_the_settings_that_both_were_asked_for(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small: dict[str, Any] = {"encoder": {"name": "study_cnn", "weights": None}, "method": PROPAGATION, **SHORT}
    asked: dict[str, Any] = small | {"unlabeled_first": True}
    with pytest.raises(FewscanError, match="device"):
        api.train(dataset, out="run", devices=2, **asked)
    assert not Path("run-first").exists()
    run = api.train(dataset, out="run", **asked)
    Path("run").rename("away")
    with pytest.raises(FewscanError, match="without --resume"):
        api.train(dataset, out="run", resume=True, **asked)
    Path("away").rename("run")
    (run.folder / "model.safetensors").unlink()
    again = asked | {"encoder": {"name": "study_cnn"}}
    assert api.train(dataset, out=tmp_path / "run", resume=True, **again).finished


def test_settings_go_to_the_run_that_has_them() -> None:
    asked = {"epochs": 3, "positives": "copies", "seed": 2, "encoder": {"name": "study_cnn"}, "class_balance": 0.5}
    both = {"seed": 2, "encoder": {"name": "study_cnn"}}
    assert divided("propagation", asked) == (both | {"epochs": 3, "positives": "copies"}, both | {"class_balance": 0.5})
    trained = both | {"epochs": 3}
    assert divided("supervised", asked) == (trained | {"positives": "copies"}, trained | {"class_balance": 0.5})
    assert divided("joint", asked) == (trained | {"positives": "copies"}, asked)


def test_what_features_are_of_may_be_larger_than_what_their_encoder_learned_from(make_dataset: Callable[..., Snapshot]) -> None:
    for size_px, wanted in ((96, None), (224, OF_FEATURES_PX_ON_CPU)):
        pile = make_dataset(images=24, size_px=size_px)
        for asked, learns_from in (({}, wanted), ({"encoder": {"input_px": 128}}, 128)):
            asked = asked | {"device": "cpu"}
            second = RunSettings.resolve("propagation", "fewscan", asked, labeled=12, unlabeled=12)
            found = lesson_for(pile, "fewscan", asked, second)
            first = RunSettings.resolve("simclr", found.recipe, found.settings, labeled=0, unlabeled=24)
            assert first.encoder.name == second.encoder.name
            assert first.encoder.weights == second.encoder.weights
            assert first.encoder.input_px == learns_from
            assert first.positives == ("groups" if pile.description.audit else "views")
            # A laptop's memory holds no whole step of an encoder that learns from its first part on.
            assert first.optimizer.frozen_parts > 0
            assert (first.chunk_size is None) == (learns_from != 128)
            again = second.model_copy(update={"encoder": second.encoder.untrained})
            chunked = lesson_for(pile, "fewscan", asked, again).settings["chunk_size"]
            assert chunked < first.batch_size


@pytest.mark.parametrize(
    ("cuda", "labeled", "unlabeled", "asked", "first"),
    [
        (True, 300, 3000, None, True),
        (True, 3000, 40, None, False),
        (False, 300, 3000, None, False),
        (True, 300, 3000, False, False),
        (True, 300, 900, None, False),
        (False, 300, 3000, True, True),
    ],
)
def test_it_is_chosen_where_there_is_a_gpu_and_more_scans_are_unlabeled_than_labeled(
    cuda: bool, labeled: int, unlabeled: int, asked: bool | None, first: bool
) -> None:
    choice = choose(labeled, unlabeled, 128, unlabeled_first=asked, cuda=cuda)
    assert (choice.recipe, choice.unlabeled_first) == ("finetune", first)
    assert not choose(labeled, unlabeled, 64, cuda=cuda).unlabeled_first
