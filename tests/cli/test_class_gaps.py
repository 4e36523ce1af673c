"""Classes that are never learned or never tested are named by every verb that they matter to."""

import json
import re
from collections.abc import Callable
from subprocess import CompletedProcess

import pandas as pd
import pytest

from fewscan.cli.split_words import classes_of_parts, parts_of_split
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.split import split as drawn_split
from tests.made import remade

Command = Callable[..., CompletedProcess[str]]
MakeDataset = Callable[..., Snapshot]
QUICK = ("--method", "supervised", "epochs=1", "encoder.width=16", "probe_images=8", "device=cpu", "precision=32-true")


@pytest.fixture
def rare(make_dataset: MakeDataset) -> Snapshot:
    """80 images, one of them of the class 'glioma'."""
    dataset = make_dataset()
    others = dataset.manifest["label"].where(dataset.manifest["label"] != "glioma", "no_tumor").tolist()
    others[0] = "glioma"
    return remade(dataset, dataset.manifest.assign(label=pd.array(others, dtype="str")))


@pytest.mark.slow
def test_a_class_that_no_test_image_has_is_named(rare: Snapshot, fewscan: Command) -> None:
    run = rare.folder.parent / "run"
    for words in (
        ("split", rare.folder, "--labeled", 24, "--test", 20, "--validation", 0),
        ("train", rare.folder, "--out", run, *QUICK),
        ("evaluate", run),
    ):
        done = fewscan(*words)
        assert done.returncode == 0, done.stderr
        (warning,) = [line for line in done.stdout.splitlines() if line.startswith("warning: ") and "test set, so" in line]
        assert "'glioma'" in warning


@pytest.mark.slow
def test_a_class_that_no_validation_image_has_is_named_before_a_training(rare: Snapshot, fewscan: Command) -> None:
    two = rare.manifest["label"].tolist()
    two[1] = "glioma"
    remade(rare, rare.manifest.assign(label=pd.array(two, dtype="str")))
    done = fewscan("split", rare.folder, "--labeled", 24, "--test", 20, "--validation", 0.25)
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stdout.splitlines() if line.startswith("warning: ") and "validation set, so" in line]
    assert "'glioma'" in warning
    assert "'no_tumor'" not in warning


@pytest.mark.slow
def test_a_class_that_no_label_teaches_is_named(rare: Snapshot, fewscan: Command) -> None:
    run = rare.folder.parent / "run"
    named = json.loads(fewscan("split", rare.folder, "--labeled", 3, "--test", 20, "--validation", 0, "--json").stdout)
    assert any("'glioma' is used for training" in warning for warning in named["warnings"])
    trained = fewscan("train", rare.folder, "--out", run, *QUICK, "--json")
    assert "'glioma' is used for training" in trained.stderr  # before the training, too
    assert any("'glioma' is used for training" in warning for warning in json.loads(trained.stdout)["warnings"])
    said = json.loads(fewscan("evaluate", run, "--json").stdout)
    assert said["never_learned"] == ["glioma"]
    assert any("'glioma' is used for training" in warning for warning in said["warnings"])


def test_a_split_says_the_classes_of_each_part_and_of_many_classes_the_rarest(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(80, groups=[row % 4 + 4 * (row // 8) for row in range(80)], copies=[*range(80)])
    done = drawn_split(dataset, labeled=24, test=20, validation=0.25)
    said = "\n".join(parts_of_split(done))
    programs = classes_of_parts(done)
    for part in ("labeled", "validation", "test"):
        (line,) = re.findall(rf"^  {part}: (.*)$", said, re.MULTILINE)
        rows = done.rows(part)
        for number, name in enumerate(done.classes):
            own = rows[done.labels[rows] == number]
            images, groups = len(own), len(set(done.groups[own]))
            assert f"{name} ({images}{f', {groups} group' if groups < images else ')'}" in line
            assert programs[part][name] == {"images": images, "groups": groups, "patients": 0}
    names = [f"kind {row % 40}" for row in range(80)]
    names[0] = "rarest"
    many = remade(dataset, dataset.manifest.assign(label=pd.array(names, dtype="str")))
    line = parts_of_split(drawn_split(many, labeled=None, test=0, validation=0))[1]
    assert "rarest (1)" in line
    assert line.count("kind") < 20
