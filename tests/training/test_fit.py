import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.trainings import TRAININGS_FILE
from fewscan.errors import FewscanError
from fewscan.folders import MODEL_FILE
from fewscan.learning.registry import METHODS, TRAINING_METHODS
from fewscan.locks import alone
from fewscan.models.network import Network, Outputs
from fewscan.splits.split import split
from fewscan.training.checkpoint import Checkpoints
from fewscan.training.fit import _say_who_else_is_shown, fit
from fewscan.training.ranks import Ranks
from fewscan.training.run import CHECKPOINT_FOLDER, TENSORBOARD_FOLDER, Run
from fewscan.training.settings import RunSettings
from fewscan.training.symptoms import ReportedSymptom, reported_symptoms
from fewscan.training.train import train_new, train_on
from tests.made import remade
from tests.processes import exit_code_of

# Groups of eighty images that are forty pairs of copies.
PAIRS = [row % 40 for row in range(80)]


def new_run(dataset: Snapshot, folder: Path, method: str = "joint", **changes: Any) -> Run:
    quick: dict[str, Any] = {"encoder": {"width": 16}, "batch_size": 32, "epochs": 3, "device": "cpu", "checkpoint_seconds": 0}
    settings = RunSettings.resolve(method, "fewscan", quick | changes, labeled=16, unlabeled=40)
    return Run.create(folder, settings, dataset, 0)


def trained(dataset: Snapshot, folder: Path, method: str = "joint", **changes: Any) -> Run:
    """A run trained in one go: its state is saved at the start and at the end only."""
    run = new_run(dataset, folder, method, **{"checkpoint_seconds": 1000} | changes)
    fit(run, dataset, resume=False)
    return run


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.folder / MODEL_FILE)


def without_times(run: Run) -> list[dict[str, Any]]:
    return [{key: value for key, value in numbers.items() if key != "seconds"} for numbers in run.metrics()]


def assert_same_run(one: Run, other: Run) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert without_times(one) == without_times(other)


@pytest.fixture(scope="module")
def whole(make_dataset: Callable[..., Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """A function that returns a run trained in one go as `trained` does, on a dataset like `split_dataset`; only to be read."""
    dataset = split(make_dataset(), labeled=16, test=24, validation=0.25)
    runs: dict[str, Run] = {}

    def trained_once(method: str = "joint", **changes: Any) -> Run:
        key = f"{method} {changes}"
        if key not in runs:
            runs[key] = trained(dataset, tmp_path_factory.mktemp("whole") / "run", method, **changes)
        return runs[key]

    return trained_once


@pytest.fixture
def finished(whole: Callable[..., Run], tmp_path: Path) -> Run:
    """A copy of a whole run of `joint`, for a test to damage."""
    return Run.open(shutil.copytree(whole().folder, tmp_path / "run"))


@pytest.mark.slow
@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_a_method_trains_and_logs_what_the_study_logs(method: str, whole: Callable[..., Run]) -> None:
    run = whole(method)
    assert run.finished
    log = run.metrics()
    assert [numbers["epoch"] for numbers in log] == [1, 2, 3]
    for numbers in log:
        for name in ("loss", "p_acc", "validation_accuracy", "probe_accuracy", "learning_rate", "seconds"):
            assert isinstance(numbers[name], float), name
    # A method that trains on one view has no second one to compare with, until the end.
    with_views = log if METHODS[method].two_views else log[-1:]
    assert [numbers["epoch"] for numbers in log if "c_acc" in numbers] == [numbers["epoch"] for numbers in with_views]
    for numbers in with_views:
        assert 0 <= numbers["c_acc"] <= 1
        assert numbers["r_acc_left_out"] >= 0
    own_losses = {"simclr": "nt_xent", "joint": "nt_xent", "supervised": "cross_entropy", "mixmatch": "guess_cross_entropy"}
    assert own_losses.get(method, method) in log[0]
    assert any((run.folder / TENSORBOARD_FOLDER).iterdir())


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    whole: Callable[..., Run], split_dataset: Snapshot, tmp_path: Path
) -> None:
    first = whole()
    assert_same_run(first, trained(split_dataset, tmp_path / "again"))
    other = trained(split_dataset, tmp_path / "other", seed=1, epochs=1)
    assert not torch.equal(weights(first)["classifier.0.weight"], weights(other)["classifier.0.weight"])


class Killed(Exception):
    """The process is gone, as far as the run can tell."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "changes"),
    [*((name, {}) for name in TRAINING_METHODS), ("joint", {"chunk_size": 12}), ("joint", {"shuffle_buffer": 32})],
)
def test_a_run_resumed_after_any_epoch_is_bit_for_bit_the_same(
    method: str,
    changes: dict[str, Any],
    whole: Callable[..., Run],
    split_dataset: Snapshot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = new_run(split_dataset, tmp_path / "broken", method, **changes)
    for _ in range(2):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            dies_after(patch, Checkpoints, "after")
            fit(broken, split_dataset, resume=bool(broken.metrics()))
    fit(broken, split_dataset, resume=True)
    assert_same_run(whole(method, **changes), broken)


@pytest.mark.slow
def test_a_resumed_run_scales_losses_as_it_did(
    split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ranks() -> tuple[Ranks, torch.amp.GradScaler]:
        # As on a GPU with precision=16-mixed, but that it doubles the scale after three steps.
        scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3)
        precision: Any = MixedPrecision("16-mixed", device="cpu", scaler=scaler)
        return Ranks(Fabric(accelerator="cpu", devices=1, plugins=[precision])), scaler

    whole, broken = (new_run(split_dataset, tmp_path / name, "supervised") for name in ("whole", "broken"))
    of_whole, scaler = ranks()
    fit(whole, split_dataset, resume=False, ranks=of_whole)
    assert scaler.get_scale() > 64
    with monkeypatch.context() as patch, pytest.raises(Killed):
        dies_after(patch, Checkpoints, "after")
        fit(broken, split_dataset, resume=False, ranks=ranks()[0])
    of_broken, resumed = ranks()
    fit(broken, split_dataset, resume=True, ranks=of_broken)
    assert resumed.state_dict() == scaler.state_dict()
    assert_same_run(whole, broken)


def dies_after(patch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    """Let the process be gone once this has done its work for the first time."""
    work = getattr(owner, name)

    def done_and_dead(*arguments: Any, **named: Any) -> None:
        work(*arguments, **named)
        raise Killed

    patch.setattr(owner, name, done_and_dead)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name"), [(Run, "log"), (Checkpoints, "after"), (Checkpoints, "begin"), (Run, "save_network")]
)
def test_wherever_a_run_is_killed_its_log_holds_every_epoch_once(
    owner: type, name: str, whole: Callable[..., Run], split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = new_run(split_dataset, tmp_path / "broken")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        dies_after(patch, owner, name)
        fit(broken, split_dataset, resume=False)
    assert_same_run(whole(), train_on(broken, split_dataset))


@pytest.mark.slow
def test_a_run_whose_state_is_saved_seldom_goes_on_from_the_last_saved_epoch_to_the_same_end(
    whole: Callable[..., Run], split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = new_run(split_dataset, tmp_path / "broken", checkpoint_seconds=1e6)
    log = Run.log

    def die_after_the_second(run: Run, numbers: dict[str, Any]) -> None:
        log(run, numbers)
        if numbers["epoch"] == 2:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Run, "log", die_after_the_second)
        fit(broken, split_dataset, resume=False)
    with safe_open(broken.folder / CHECKPOINT_FOLDER / "state.safetensors", framework="pt") as file:
        assert file.metadata()["epoch"] == "0"
    fit(broken, split_dataset, resume=True)
    assert_same_run(whole(), broken)


# Trains a run, and is killed once its second epoch is logged.
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from fewscan.training.checkpoint import Checkpoints
from fewscan.training.fit import _say_who_else_is_shown, fit
from fewscan.training.run import Run
torch.set_num_threads(int(sys.argv[2]))
log = Run.log
def log_then_die(run, numbers):
    log(run, numbers)
    if numbers["epoch"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Run.log = log_then_die
run = Run.open(Path(sys.argv[1]))
fit(run, run.open_dataset(), resume=False)
"""


@pytest.mark.slow  # it starts a process
def test_a_killed_process_resumes_bit_for_bit(whole: Callable[..., Run], split_dataset: Snapshot, tmp_path: Path) -> None:
    broken = new_run(split_dataset, tmp_path / "broken")
    # As many threads as here: sums are then added in the same order.
    assert exit_code_of(KILLED, broken.folder, torch.get_num_threads()) == -signal.SIGKILL
    assert len(broken.metrics()) == 2
    assert not (broken.folder / MODEL_FILE).exists()
    fit(broken, split_dataset, resume=True)
    assert_same_run(whole(), broken)


@pytest.mark.slow
def test_a_method_is_told_how_often_classes_are_labeled_however_they_are_drawn(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = split(make_dataset(), labeled=13, test=12, validation=0)
    run = trained(dataset, tmp_path / "run", "mixmatch", class_balance=1.0, epochs=1)
    state = load_file(run.folder / CHECKPOINT_FOLDER / "state.safetensors")
    counts = np.bincount(dataset.labels[dataset.rows("labeled")])
    assert len(set(counts)) > 1
    assert state["method/labeled_shares"].numpy() == pytest.approx(counts / 13)


@pytest.mark.slow
def test_no_more_images_go_through_the_network_at_once_than_suit_it(
    split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewscan.training.images.PREDICT_BATCH", 8)
    passed, forward = [], Network.forward

    def counted(network: Network, images: torch.Tensor) -> Outputs:
        passed.append(len(images))
        return forward(network, images)

    monkeypatch.setattr(Network, "forward", counted)
    trained(split_dataset, tmp_path / "run", "supervised", batch_size=8)
    assert max(passed) <= 8


@pytest.mark.parametrize(("copies", "plural"), [(1, False), (2, True)])
def test_one_copy_of_a_labeled_scan_is_told_in_the_singular(
    copies: int, plural: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    bearers = SimpleNamespace(copies=range(copies))
    told: Any = SimpleNamespace(rows=SimpleNamespace(bearers=bearers), settings=SimpleNamespace(positives="views"))
    _say_who_else_is_shown(told)
    words = capsys.readouterr().err.split()
    assert (str(copies) in words, "scans" in words, "copies" in words) == (True, plural, plural)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_what_copies_of_labeled_images_show_is_learned_where_they_share_the_label(
    shared: bool, make_dataset: Callable[..., Snapshot], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = split(make_dataset(groups=PAIRS), labeled=16, test=12, validation=0.25)
    once = {"copies_share_labels": shared, "epochs": 1}
    before = trained(dataset, tmp_path / "before", "supervised", **once)
    sets = dataset.manifest["copy_set"].to_numpy()
    unlabeled = dataset.rows("unlabeled")
    copies = unlabeled[np.isin(sets[unlabeled], sets[dataset.rows("labeled")])]
    told = f"{len(copies)} unlabeled scans are copies of labeled ones"
    assert (told in capsys.readouterr().err) == shared
    pixels = np.array(dataset.pixels)
    pixels[copies] = 255 - pixels[copies]
    after = trained(remade(dataset, pixels=pixels), tmp_path / "after", "supervised", **once)
    now = weights(after)
    same = all(torch.equal(value, now[name]) for name, value in weights(before).items())
    assert same != shared


@pytest.mark.slow
@pytest.mark.parametrize("method", ["joint", "mixmatch"])
def test_labels_outside_the_budget_are_never_seen(method: str, make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    dataset = split(make_dataset(groups=PAIRS), labeled=16, test=12, validation=0.25)
    before = trained(dataset, tmp_path / "before", method, epochs=2)
    hidden = np.concatenate([dataset.rows("unlabeled"), dataset.rows("test")])
    labels = dataset.manifest["label"].to_numpy(dtype=object)
    labels[hidden] = np.random.default_rng(1).permutation(labels[hidden])
    shuffled = remade(dataset, dataset.manifest.assign(label=pd.array(labels, dtype="str")))
    assert (shuffled.labels[hidden] != dataset.labels[hidden]).any()
    assert_same_run(before, trained(shuffled, tmp_path / "after", method, epochs=2))


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_state(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = new_run(split_dataset, tmp_path / "run", optimizer={"learning_rate": 1e30, "warmup_epochs": 0}, averaging=0.0)
    with pytest.raises(FewscanError, match=r"the loss became (nan|inf) in epoch \d+, step \d+.*learning_rate"):
        fit(run, split_dataset, resume=False)
    assert not run.finished
    state = load_file(run.folder / CHECKPOINT_FOLDER / "state.safetensors")
    assert all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point())


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "other network", "no epoch of its"])
def test_a_damaged_checkpoint_is_refused_in_one_line(
    damage: str, finished: Run, split_dataset: Snapshot, tmp_path: Path
) -> None:
    run = finished
    path = run.folder / CHECKPOINT_FOLDER / "state.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    if damage == "other network":
        run = new_run(split_dataset, tmp_path / "other", encoder={"width": 24})
        (run.folder / CHECKPOINT_FOLDER).mkdir()
        path.rename(run.folder / CHECKPOINT_FOLDER / "state.safetensors")
    if damage == "no epoch of its":
        with safe_open(path, framework="pt") as file:
            said = file.metadata() | {"epoch": "99"}
        save_file(load_file(path), path, said)
    with pytest.raises(FewscanError, match=r"start a new run|another training"):
        fit(run, split_dataset, resume=True)


def test_a_training_that_its_dataset_cannot_note_leaves_no_run(split_dataset: Snapshot, tmp_path: Path) -> None:
    (split_dataset.folder / TRAININGS_FILE).mkdir()
    settings = RunSettings.resolve("supervised", "fewscan", {"epochs": 1}, labeled=16, unlabeled=40)
    with pytest.raises(FewscanError, match="cannot write"):
        train_new(split_dataset, settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_former_runs_validation_accuracy_is_read_under_its_name_of_today(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = new_run(split_dataset, tmp_path / "run")
    run.log({"epoch": 1, "val_p_acc": 0.4})
    assert run.metrics() == [{"epoch": 1, "validation_accuracy": 0.4}]


@pytest.mark.slow
def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(
    whole: Callable[..., Run], split_dataset: Snapshot, tmp_path: Path
) -> None:
    killed = train_on(new_run(split_dataset, tmp_path / "killed"), split_dataset)
    assert killed.finished
    assert_same_run(whole(), killed)


def test_two_processes_do_not_train_one_run(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = new_run(split_dataset, tmp_path / "run")
    with alone(run.folder, "train"), pytest.raises(FewscanError, match="fewscan train"):
        train_on(run, split_dataset)
    assert run.metrics() == []


def test_a_damaged_log_line_does_not_stop_a_resumed_run(finished: Run) -> None:
    run = finished
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "lo')
    assert [numbers["epoch"] for numbers in run.metrics()] == [1, 2, 3]
    assert json.loads((run.folder / "metrics.jsonl").read_text().splitlines()[0])["epoch"] == 1


@pytest.fixture
def many_labels(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    """160 easy images: 60 labeled for training, enough to tell learning from guessing."""
    return split(make_dataset(160), labeled=80, test=40, validation=0.25)


def of_one_color(dataset: Snapshot) -> Snapshot:
    return remade(dataset, pixels=np.full_like(dataset.pixels, 77))


def warned(run: Run) -> list[ReportedSymptom]:
    return reported_symptoms(run.metrics(), run.settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("collapse", "method", "changes", "expected", "advised"),
    [
        ("stall", "supervised", {"optimizer": {"learning_rate": 1e-12}}, "loss_not_falling", "optimizer.learning_rate=0.002"),
        (
            "stall",
            "simclr",
            {"batch_size": 64, "optimizer": {"learning_rate": 1e-12}},
            "loss_not_falling",
            "optimizer.learning_rate=0.002",
        ),
        (
            "dead units",
            "supervised",
            {"encoder": {"name": "study_cnn"}, "batch_size": 16, "optimizer": {"learning_rate": 1.0, "warmup_epochs": 0}},
            "constant_features",
            "optimizer.learning_rate=0.1, optimizer.warmup_epochs=5, encoder=resnet_small",
        ),
        ("images all alike", "joint", {"batch_size": 64}, "constant_features", "Look at the sample scans"),
    ],
)
def test_a_run_that_collapses_says_so_once_and_what_to_change(
    collapse: str,
    method: str,
    changes: dict[str, Any],
    expected: str,
    advised: str,
    many_labels: Snapshot,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset = of_one_color(many_labels) if collapse == "images all alike" else many_labels
    run = trained(dataset, tmp_path / "run", method, epochs=10, precision="32-true", **changes)
    assert [(symptom.name, symptom.epoch, symptom.lasting) for symptom in warned(run)] == [(expected, 10, True)]
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert said == [f"warning: {symptom}" for symptom in warned(run)]
    assert advised in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["supervised", "joint"])
def test_a_run_that_learns_easy_images_warns_of_nothing(method: str, many_labels: Snapshot, tmp_path: Path) -> None:
    # Flipped, an image of these classes is one of another.
    views = {"minimum_crop": 0.9, "flip_probability": 0.0}
    run = trained(many_labels, tmp_path / "run", method, epochs=10, views=views)
    assert run.metrics()[-1]["validation_accuracy"] > 0.9
    assert run.metrics()[-1]["cross_entropy"] < run.metrics()[0]["cross_entropy"] / 2
    assert warned(run) == []
    assert all(numbers["symptoms"] == [] for numbers in run.metrics())


@pytest.mark.slow  # 22 epochs
def test_a_resumed_run_does_not_warn_again(
    many_labels: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stalled = {"epochs": 11, "batch_size": 64, "optimizer": {"learning_rate": 1e-12}}
    whole = trained(many_labels, tmp_path / "whole", "supervised", **stalled)
    broken = new_run(many_labels, tmp_path / "broken", "supervised", **stalled)
    after = Checkpoints.after

    def die_after_the_warning(checkpoints: Checkpoints, epoch: int, *, last: bool) -> None:
        after(checkpoints, epoch, last=last)
        if broken.metrics()[-1]["symptoms"]:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Checkpoints, "after", die_after_the_warning)
        fit(broken, many_labels, resume=False)
    capsys.readouterr()
    fit(broken, many_labels, resume=True)
    assert "warning" not in capsys.readouterr().err
    assert len(warned(broken)) == 1
    assert_same_run(whole, broken)
