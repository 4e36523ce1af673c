"""Runs that learn without labels: on a dataset that has none, on one without a split, and what later runs know of them."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import fewscan
from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.learnable import without_labels
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import MODEL_FILE
from fewscan.learning.registry import methods_without_labels
from fewscan.splits.split import split
from fewscan.training.budget import BudgetRows
from fewscan.training.choice import LEAST_UNLABELED, choose
from fewscan.training.continuing import taught_by
from fewscan.training.fit import fit
from fewscan.training.run import Run
from fewscan.training.unlabeled import labels_alone, learned_from
from fewscan.wording import command_line
from tests.fixtures import squares
from tests.made import empty_manifest, remade, write_dataset

MakeDataset = Callable[..., Snapshot]
QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "encoder": {"width": 16}, "device": "cpu"}


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """32 images without a label or a split, of which one cannot be used."""
    manifest = empty_manifest(32, group=range(32), copy_set=range(32), width_px=16, height_px=16)
    manifest.loc[5, "set_aside"] = "cut short"
    return write_dataset(tmp_path_factory.mktemp("pile") / "dataset", squares(32, 16, 0), manifest)


@pytest.fixture(scope="module")
def features_run(pile: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of `simclr` on the pile; only to be read."""
    return api.train(pile.folder, out=tmp_path_factory.mktemp("runs") / "run", method="simclr", **QUICK)


def same_weights(one: Run, other: Run) -> bool:
    weights = load_file(one.folder / MODEL_FILE), load_file(other.folder / MODEL_FILE)
    return weights[0].keys() == weights[1].keys() and all(
        torch.equal(weights[0][name], weights[1][name]) for name in weights[0]
    )


def test_without_unlabeled_scans_it_is_said_who_learns_from_labels_alone(make_dataset: MakeDataset) -> None:
    all_labeled = split(make_dataset(), test=0, validation=0)
    assert len(all_labeled.rows("unlabeled")) == 0
    _, (line,) = learned_from(all_labeled, {"name": "mixmatch"})
    assert "mixmatch" in line
    assert learned_from(all_labeled, "supervised")[1] == ()
    (line,) = labels_alone(all_labeled, ["supervised", "mixmatch", "joint"])
    assert "mixmatch and joint learn" in line
    assert labels_alone(split(make_dataset(), labeled=16, test=0), ["mixmatch"]) == []


def test_few_scans_without_labels_are_trained_on_and_the_commands_that_bring_labels_are_named(tmp_path: Path) -> None:
    few, enough = (
        write_dataset(
            tmp_path / f"{images} scans",
            np.zeros((images, 1, 8, 8), np.uint8),
            empty_manifest(images, group=range(images), copy_set=range(images), width_px=8, height_px=8),
        )
        for images in (LEAST_UNLABELED - 1, LEAST_UNLABELED)
    )
    for method in (None, "simclr"):
        learned, (_, warning) = learned_from(few, method)
        assert len(learned.rows("unlabeled")) == LEAST_UNLABELED - 1
        for verb in ("suggest", "review"):
            assert command_line(verb, few.folder) in warning
        assert len(learned_from(enough, method)[1]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", ["simclr", "barlow_twins", "nnclr", "vicreg"])
def test_every_method_without_labels_learns_from_all_usable_images_of_a_pile(
    method: str, pile: Snapshot, tmp_path: Path
) -> None:
    run = api.train(pile.folder, out=tmp_path / "run", method=method, **QUICK | {"epochs": 1})
    seen = run.open_dataset()
    assert seen.rows("unlabeled").tolist() == [row for row in range(32) if row != 5]
    assert run.record.classes == ()
    (epoch,) = run.metrics()
    assert epoch["losses"] == [method if method != "simclr" else "nt_xent"]
    assert epoch["p_acc"] is None
    assert 0 < epoch["live_features"] <= 1
    assert 0 <= epoch["alignment"] <= 4
    assert epoch["uniformity"] < 0


def test_those_methods_are_the_ones_that_say_so() -> None:
    assert set(methods_without_labels()) == {"simclr", "barlow_twins", "nnclr", "vicreg"}
    needing = {name for name, line in fewscan.methods().items() if line.endswith("needs labels")}
    assert needing == {"supervised", "joint", "mixmatch", "probe", "propagation"}


@pytest.mark.parametrize("method", ["supervised", "joint", "mixmatch", "probe", "propagation"])
def test_a_method_that_needs_labels_names_those_that_do_not(method: str, pile: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(FewscanError) as refused:
        api.train(pile, out=tmp_path / "run", method=method)
    assert all(free in str(refused.value) for free in methods_without_labels())
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_labels_without_a_split_are_not_looked_at(make_dataset: MakeDataset, tmp_path: Path) -> None:
    labeled = make_dataset(images=24)
    shuffled = remade(
        make_dataset(images=24), labeled.manifest.assign(label=np.roll(labeled.manifest["label"].to_numpy(object), 1))
    )
    runs = [
        api.train(dataset, out=tmp_path / f"run-{number}", method="vicreg", **QUICK)
        for number, dataset in enumerate((labeled, shuffled))
    ]
    assert same_weights(*runs)
    for run in runs:
        snapshot = run.open_dataset()
        assert snapshot.manifest[["label", "label_from"]].isna().all(axis=None)
        assert len(snapshot.rows("unlabeled")) == 24
    with pytest.raises(FewscanError, match="split"):
        api.train(labeled, out=tmp_path / "another")  # labels wait for a split: nobody asked to leave them unread


def test_without_labels_the_fingerprint_is_of_the_images_alone(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(images=24)
    before = without_labels(dataset).description.fingerprint
    Dataset.open(dataset.folder).labels.enter([0], ["pituitary"], origin="review")
    assert without_labels(Dataset.open(dataset.folder).snapshot()).description.fingerprint == before


def test_a_method_is_chosen_where_nothing_is_labeled() -> None:
    for recipe in ("fewscan", "study"):
        choice = choose(size_px=32, labeled=0, unlabeled=100, recipe=recipe)
        assert choice.method in methods_without_labels()
        assert choice.reasons


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_bit_for_bit(features_run: Run, tmp_path: Path) -> None:
    settings = features_run.settings.model_copy(update={"checkpoint_seconds": 0})
    dataset = features_run.open_dataset()
    run = Run.create(tmp_path / "stopped", settings, dataset, None)
    log = Run.log

    def stop_in_the_second_epoch(self: Run, numbers: dict[str, Any]) -> None:
        if numbers["epoch"] == 2:
            raise KeyboardInterrupt
        log(self, numbers)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "log", stop_in_the_second_epoch)
        fit(run, dataset, resume=False)
    assert not run.finished
    with pytest.raises(FewscanError, match="leave-out-test"):
        api.train(dataset.folder, out=run.folder, resume=True, leave_out_test=True)
    assert same_weights(api.train(dataset.folder, out=run.folder, resume=True), features_run)


@pytest.mark.slow
def test_the_run_is_a_whole_run(features_run: Run, pile: Snapshot, tmp_path: Path) -> None:
    opened = fewscan.open_run(features_run.folder)
    assert fewscan.verify(opened.folder).faults == []
    assert len(opened.history()) == 2
    assert "without labels" in opened._repr_html_()
    predicted = opened.predict(list(pile.pixels[:3, 0]))
    assert predicted.features.shape[0] == 3
    assert predicted.probabilities.shape == (3, 0)
    assert list(predicted.table) == ["typicality", "out_of_distribution", "note"]
    page = fewscan.report(opened, out=tmp_path / "page.html").read_text(encoding="utf-8")
    for said in ("uniformity", "alignment", "live features", "contrastive accuracy", "nt_xent"):
        assert said in page
    assert "training accuracy</th>" not in page


@pytest.mark.slow
def test_verbs_that_need_classes_say_that_there_are_none(
    features_run: Run, fewscan: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    folder = features_run.folder
    (tmp_path / "scan.png").touch()
    verbs = [
        ["evaluate", folder],
        ["calibrate", folder],
        ["label", folder, "--out", tmp_path / "labels.csv"],
        ["explain", folder, tmp_path / "scan.png"],
        ["explain", folder, "--check"],
        ["export", folder, "--format", "safetensors"],
        ["labels", "suspects", folder],
    ]
    said = [fewscan(*words) for words in verbs]
    assert [done.returncode for done in said] == [2] * len(verbs)
    assert len({done.stderr for done in said}) == 1
    assert "without labels" in said[0].stderr


@pytest.mark.slow
def test_nothing_of_the_groups_that_test_is_learned_from(make_dataset: MakeDataset, tmp_path: Path) -> None:
    # Pairs of copies, drawn image by image: many cross.
    dataset = split(make_dataset(groups=[row % 40 for row in range(80)]), protocol="random", labeled=24, test=20)
    test_groups = dataset.groups[dataset.rows("test")]
    learned = dataset.rows("labeled", "unlabeled")
    assert np.isin(dataset.groups[learned], test_groups).any()
    quick = QUICK | {"epochs": 1}
    run = api.train(dataset, out=tmp_path / "run", method="simclr", leave_out_test=True, **quick)
    seen = run.open_dataset()
    rows = BudgetRows.of(seen, uses_unlabeled=True, copies_share_labels=True)
    assert not np.isin(seen.groups[rows.shown], test_groups).any()
    assert seen.description.split.test_groups_left_out == np.isin(dataset.groups, test_groups).sum()
    assert seen.rows("test").tolist() == dataset.rows("test").tolist()


def test_without_a_test_set_there_is_none_to_leave_out(pile: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="leave-out-test"):
        api.train(pile, out=tmp_path / "run", method="simclr", leave_out_test=True)


@pytest.mark.slow
def test_what_was_seen_without_labels_is_told_from_what_was_taught(make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(images=40)
    first = api.train(dataset, out=tmp_path / "first", method="simclr", **QUICK)
    parted = split(dataset, labeled=16, test=12, validation=0)
    marked = taught_by(first, parted)
    assert marked.manifest["seen_before"].all()
    assert not marked.manifest["taught_before"].any()
    second = api.train(parted, out=tmp_path / "second", begin=first, **QUICK)
    assert second.record.classes == dataset.classes
    evaluation = api.evaluate(second)
    assert evaluation.seen_without_labels == len(parted.rows("test"))
    assert any("without their labels" in line for line in evaluation.changes)
    after = taught_by(second, parted).manifest
    assert np.flatnonzero(after["taught_before"]).tolist() == parted.rows("labeled").tolist()
    assert np.flatnonzero(after["seen_before"]).tolist() == [row for row in range(40) if row not in parted.rows("labeled")]


@pytest.mark.slow
def test_an_encoder_that_a_classifier_was_solved_on_was_taught_nothing_by_its_labels(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(images=40)
    first = api.train(dataset, out=tmp_path / "first", method="simclr", **QUICK | {"epochs": 1})
    parted = split(dataset, labeled=16, test=12, validation=0)
    probe = api.train(parted, out=tmp_path / "probe", method="probe", encoder={"weights": str(first.folder)})
    again = api.train(parted, out=tmp_path / "again", method="probe", encoder={"weights": str(probe.folder)})
    marks = again.open_dataset().manifest
    assert not marks["taught_before"].any()
    assert marks["seen_before"].all()
    assert taught_by(probe, parted).manifest["taught_before"].sum() == len(parted.rows("labeled"))  # its classifier was


@pytest.mark.slow
def test_copies_that_bear_a_label_are_taught(make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = split(make_dataset(groups=[row % 40 for row in range(80)]), labeled=16, test=12, validation=0)
    run = api.train(dataset, out=tmp_path / "run", method="simclr", **QUICK | {"epochs": 1})
    marked = taught_by(run, dataset).manifest
    labeled = dataset.rows("labeled")
    bearing = np.intersect1d(dataset.rows("unlabeled"), np.concatenate([labeled - 40, labeled + 40]))
    assert len(bearing)
    assert marked["taught_before"].to_numpy()[np.concatenate([labeled, bearing])].all()
    assert marked["seen_before"].sum() == len(dataset.rows("unlabeled")) - len(bearing)


def test_a_single_scan_teaches_nothing(make_dataset: MakeDataset, tmp_path: Path) -> None:
    made = make_dataset(images=1)
    with pytest.raises(FewscanError, match="fewscan add"):
        api.train(remade(made, made.manifest.assign(label=None)), out=tmp_path / "run", method="simclr", **QUICK)
