"""A dataset's own unlabeled scans, which a run has learned from: labels held out as these were speak for them."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import save_file

import fewscan
from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibrate import calibrate
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER, _without_labels_of
from fewscan.evaluation.held_out import PILE_FILE, HeldOut
from fewscan.evaluation.surety import Surety
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.population import speaks_for_pile
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.training.run import Run
from tests.fixtures import CLASSES, squares
from tests.made import copied_run, remade


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings that name a small encoder and a file with its weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "encoder.safetensors"
    save_file(build_encoder(encoder_settings("study_cnn"), 1, 16).state_dict(), path)
    return {"encoder": {"name": "study_cnn", "weights": str(path)}, "device": "cpu"}


@pytest.fixture(scope="module")
def learned(make_dataset: Callable[..., Snapshot], solved: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that learned from unlabeled scans, too, in seconds; it and its dataset are to be copied.

    240 images, 100 labels, 20 test images: of class k a band is bright on noise, in quarter k of the height.
    """
    pixels = np.random.default_rng(0).integers(0, 120, size=(240, 1, 16, 16), dtype=np.uint8)
    for row, image in enumerate(pixels):
        image[0, 4 * (row % 4) : 4 * (row % 4) + 4] += 60
    folder = make_dataset(pixels=pixels).folder
    api.split(folder, labeled=100, test=20, validation=0)
    out, method = tmp_path_factory.mktemp("learned") / "run", {"name": "propagation", "steps": 20}
    return Run.open(api.train(folder, out=out, method=method, **solved).folder)


@pytest.fixture
def dataset(learned: Run, tmp_path: Path) -> Path:
    return shutil.copytree(learned.record.dataset, tmp_path / "dataset")


@pytest.fixture
def run(learned: Run, dataset: Path, tmp_path: Path) -> Run:
    return copied_run(learned, tmp_path / "run", Dataset.open(dataset).snapshot())


def test_a_fold_learns_from_what_it_holds_out_as_from_unlabeled_scans(split_dataset: Snapshot) -> None:
    granted, unlabeled = split_dataset.rows("labeled", "validation"), split_dataset.rows("unlabeled")
    manifest = split_dataset.manifest.copy()
    manifest.loc[unlabeled[0], "group"] = manifest.loc[granted[0], "group"]
    without = _without_labels_of(remade(split_dataset, manifest), granted[:5], as_pile=True)
    assert len(without.rows("labeled")) == min(len(split_dataset.rows("labeled")), len(granted) - 5)
    assert not np.isin(granted[:5], without.rows("labeled")).any()
    assert without.rows("unlabeled").tolist() == sorted([*unlabeled.tolist(), *granted[:5].tolist()])
    assert without.rows("test").tolist() == split_dataset.rows("test").tolist()
    without.require_split()


@pytest.mark.slow
def test_the_threshold_for_unlabeled_scans_is_of_labels_that_were_held_out_as_they_were(
    run: Run, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = run.open_dataset(dataset)
    assert not speaks_for_pile(run, opened)
    calibration = api.calibrate(run, folds=3)
    said = capsys.readouterr().err
    assert said.index("6 trainings") < said.index("in all") < said.index("training 1 of 6") < said.index("training 6 of 6")
    assert said.count("in all") == 1
    assert calibration.pile is not None
    assert (calibration.images, calibration.pile.images) == (100, 100)
    assert not (run.folder / FOLDS_FOLDER).exists()
    new, pile = HeldOut.load(run, opened), HeldOut.load(run, opened, PILE_FILE)
    assert new is not None
    assert pile is not None
    assert sorted(new.rows) == sorted(pile.rows) == sorted(opened.rows("labeled"))
    assert (pile.labels == opened.labels[pile.rows]).all()
    order, other = np.argsort(new.rows), np.argsort(pile.rows)
    assert not np.allclose(new.logits[order], pile.logits[other], atol=1e-4)
    assert speaks_for_pile(run, opened)
    own, folder = api.label(run, out=tmp_path / "own.csv"), Grounds.of(run, opened).rule(Asked())
    assert own.threshold == pytest.approx(Grounds.of(run, opened, population="pile").rule(Asked()).threshold)
    assert own.threshold != folder.threshold
    assert "unlabeled scans are like these" in own.reasons[0]
    assert "new scans" in folder.reasons[0]
    assert not any("the promise is for new scans" in reason for reason in own.reasons)
    assert api.verify(run.folder).faults == []
    # What was held out for the unlabeled scans doubts these alone.
    surer = Surety(images=100, network=0.99, others=(0.90, 0.91, 0.92, 0.90, 0.91))
    changed = calibration.pile.model_copy(update={"surety": surer})
    calibration.model_copy(update={"pile": changed}).save(run)
    assert Grounds.of(run, opened, population="pile").rule(Asked()).threshold is None
    assert Grounds.of(run, opened).rule(Asked()).threshold == folder.threshold


@pytest.mark.slow
def test_what_holds_for_unlabeled_scans_is_added_and_what_is_known_of_new_ones_stays(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    folder = make_dataset(images=48).folder
    api.split(folder, labeled=16, test=8, validation=0)
    short = {"encoder": {"width": 16}, "epochs": 1, "batch_size": 16, "device": "cpu"}
    run = Run.open(api.train(folder, out=tmp_path / "run", method="mixmatch", **short).folder)
    opened = run.open_dataset(folder)
    # Where a training takes longer nothing is held out for the unlabeled scans unasked.
    known = api.calibrate(run, folds=2)
    assert known.pile is None
    assert not speaks_for_pile(run, opened)
    # Nor is it then promised of these which classes they may have.
    own = api.label(run, out=tmp_path / "own.csv")
    assert own.threshold is None
    assert any("the promise is for new scans" in reason for reason in own.reasons)
    before = (run.folder / "held_out.csv").read_bytes()
    with pytest.raises(FewscanError, match="already calibrated"):
        api.calibrate(run)
    found = api.calibrate(run, pile=True)
    assert found.pile is not None
    assert (found.pile.folds, found.pile.images) == (2, 16)
    assert found.model_copy(update={"pile": None}) == known
    assert Calibration.load(run) == found
    assert (run.folder / "held_out.csv").read_bytes() == before
    assert speaks_for_pile(run, opened)
    again = api.label(run, out=tmp_path / "again.csv")
    assert not any("the promise is for new scans" in reason for reason in again.reasons)
    with pytest.raises(FewscanError, match="already calibrated"):
        api.calibrate(run, pile=True)


@pytest.mark.slow
def test_what_is_damaged_is_calibrated_anew_and_what_cannot_be_held_out_for_the_pile_is_left_out_unasked(
    run: Run, dataset: Path, tmp_path: Path
) -> None:
    api.calibrate(run, folds=2)
    (run.folder / PILE_FILE).unlink()
    with pytest.raises(FewscanError, match="calibrate"):
        Calibration.load(run)
    assert api.calibrate(run, folds=2, pile=True, overwrite=True).pile is not None
    assert api.calibrate(run, folds=2, pile=False, overwrite=True).pile is None
    assert not (run.folder / PILE_FILE).exists()
    # Weights that were taught the labels cannot be held against them: the validation set alone can.
    api.split(dataset, name="validated", labeled=200, test=20, validation=0.5)
    taught = api.train(dataset, out=tmp_path / "taught", method="supervised", epochs=1, batch_size=32, device="cpu")
    method = {"name": "propagation", "steps": 5}
    solved = Run.open(
        api.train(dataset, out=tmp_path / "solved", method=method, encoder={"weights": str(taught.folder)}).folder
    )
    assert api.calibrate(solved, overwrite=True).pile is None
    with pytest.raises(FewscanError, match="encoder"):
        api.calibrate(solved, pile=True, overwrite=True)


@pytest.mark.slow
def test_where_no_label_was_held_out_so_the_promise_is_for_new_scans_and_it_says_what_helps(run: Run, tmp_path: Path) -> None:
    api.calibrate(run, folds=3, pile=False)
    summary = api.label(run, out=tmp_path / "labels.csv", target_error=0.3)
    assert summary.threshold is not None
    assert "calibrate" in summary.reasons[-1]
    assert "--pile" in summary.reasons[-1]


def test_a_classifier_that_learned_nothing_from_unlabeled_scans_takes_them_for_new_ones(
    dataset: Path, solved: dict[str, Any], tmp_path: Path
) -> None:
    run = Run.open(api.train(dataset, out=tmp_path / "run", method="probe", **solved).folder)
    opened = run.open_dataset(dataset)
    with pytest.raises(FewscanError, match="--pile"):
        calibrate(run, opened, pile=True)
    assert calibrate(run, opened, folds=2).pile is None
    assert speaks_for_pile(run, opened)
    # An encoder that has learned from the unlabeled scans, and from what was held out, knows both alike, and new ones not.
    parts = opened.manifest["split"]
    both = replace(opened, manifest=opened.manifest.assign(seen_before=parts.isin(["labeled", "unlabeled"])))
    assert speaks_for_pile(run, both)
    assert "the encoder" in Grounds.of(run, both).rule(Asked(0.3)).reasons[0]
    assert "the encoder" not in Grounds.of(run, both, population="pile").rule(Asked(0.3)).reasons[0]
    assert not speaks_for_pile(run, replace(opened, manifest=opened.manifest.assign(seen_before=parts == "unlabeled")))
    assert not speaks_for_pile(run, replace(opened, manifest=opened.manifest.assign(taught_before=parts == "unlabeled")))
    # Of what was held out only those speak that the encoder knows as it does the unlabeled scans.
    known = opened.manifest.assign(seen_before=(parts == "unlabeled") | (np.arange(len(parts)) % 2 == 0))
    some = replace(opened, manifest=known)
    assert speaks_for_pile(run, some)
    held_out = Grounds.of(run, some, population="pile").held_out
    assert held_out is not None
    assert (held_out.rows % 2 == 0).all()


def test_scans_without_a_label_that_are_not_in_the_table_are_counted(tmp_path: Path) -> None:
    for number, image in enumerate(squares(72, 16, seed=3)[:, 0]):
        place = tmp_path / ("later" if number >= 64 else "pile" if number >= 48 else f"labeled/{CLASSES[number % 4]}")
        place.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(place / f"{number:02}.png")
    place = tmp_path / "mri"
    fewscan.import_scans([tmp_path / "labeled"], place, unlabeled=[str(tmp_path / "pile")], size_px=16)
    fewscan.split(place, protocol="random", labeled=32, test=8)
    quick = {"encoder": {"width": 16}, "batch_size": 32, "epochs": 1, "device": "cpu", "probe_images": 0}
    run = fewscan.train(place, method="supervised", out=tmp_path / "run", **quick)
    assert not any("not in the table" in reason for reason in fewscan.label(run, out=tmp_path / "all.csv").reasons)

    fewscan.add_scans(place, [tmp_path / "later"])
    dataset = fewscan.open_dataset(place)
    # One that was learned from loses its label: it is in no table of the run either.
    dataset.labels.set([int(run.open_dataset().rows("labeled")[0])], state="unsure")
    (said,) = [one for one in fewscan.label(run, out=tmp_path / "some.csv").reasons if "not in the table" in one]
    assert "8 scans without a label added" in said
    assert "; 1 scan without a label" in said
    assert set(fewscan.label(run, tmp_path / "later", out=tmp_path / "later.csv").table()["path"]) == {
        f"{number}.png" for number in range(64, 72)
    }
