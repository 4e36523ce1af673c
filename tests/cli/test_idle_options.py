"""Options that would do nothing, as a verb was asked, are refused by their names; nothing is written then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fewscan
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle
from fewscan.phantoms import write_practice_scans
from fewscan.training.run import Run

Ask = Callable[["Place"], Any]


class Place:
    """A dataset, a run on it, and where a verb is to write."""

    def __init__(self, dataset: Snapshot, run: Run, out: Path) -> None:
        self.data, self.run, self.out = dataset.folder, run.folder, out


@pytest.fixture
def place(split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path) -> Place:
    return Place(split_dataset, untrained_run(split_dataset), tmp_path / "out")


IDLE: list[tuple[str, Ask]] = [
    ("--class-level", lambda at: fewscan.plan_import(at.data, labels="labels.csv", labels_only=True, class_level=1)),
    ("--class-from", lambda at: fewscan.plan_import(at.data, labels="labels.csv", labels_only=True, class_from="(a)")),
    ("--overwrite", lambda at: fewscan.check("labels.csv", overwrite=True)),
    ("--overwrite", lambda at: fewscan.suggest(at.data, overwrite=True)),
    ("--overwrite", lambda at: fewscan.map_scans(at.data, overwrite=True)),
    ("--overwrite", lambda at: fewscan.label_suspects(at.run, overwrite=True)),
    ("--overwrite", lambda at: fewscan.embed(at.data, encoder="resnet_small", overwrite=True)),
    ("--seed", lambda at: fewscan.suggest(at.data, strategy="random", seed=3)),
    ("--random-share", lambda at: fewscan.suggest(at.data, strategy="random", random_share=0.5)),
    ("--target-error", lambda at: fewscan.evaluate(at.run, target_error=0.1)),
    ("--follow-links", lambda at: fewscan.label(at.run, out=at.out, follow_links=True)),
    ("--patient-tag", lambda at: fewscan.label(at.run, out=at.out, patient_tag="study")),
    ("--exact-copies-only", lambda at: fewscan.label(at.run, out=at.out, exact_copies_only=True)),
    ("--leaks", lambda at: fewscan.split(at.data, name="other", leaks="drop")),
    ("--test", lambda at: fewscan.split(at.data, name="other", keep_given=True, test=3)),
    ("--protocol", lambda at: fewscan.split(at.data, name="other", keep_given=True, protocol="random")),
    ("--data", lambda at: fewscan.suggest(at.data, data=at.data)),
    ("--data", lambda at: fewscan.upgrade(at.data, at.out, data=at.data)),
    ("--color", lambda at: fewscan.embed(at.data, encoder="resnet_small", color=True)),
    ("--jobs", lambda at: fewscan.compare(at.data, out=at.out, jobs=2, train=False)),
    ("--jobs", lambda at: fewscan.compare_budgets(at.data, out=at.out, labels_budget=[8], jobs=2, train=False)),
    ("--jobs", lambda at: fewscan.study(at.data, out=at.out, jobs=2, train=False)),
]


@pytest.mark.parametrize(("option", "ask"), IDLE, ids=[f"{number}{option}" for number, (option, _) in enumerate(IDLE)])
def test_an_option_that_would_do_nothing_is_refused_by_its_name(option: str, ask: Ask, place: Place) -> None:
    with pytest.raises(FewscanError, match=rf"^{option} is for "):
        ask(place)
    assert not place.out.exists()


def test_only_options_that_were_given_are_named() -> None:
    with pytest.raises(FewscanError, match=r"^--a and --c are for .*leave them out"):
        refuse_idle({"--a": True, "--b": False, "--c": True}, "something", "do that")
    refuse_idle({"--a": False}, "something", "do that")


def test_what_only_an_audit_finds_cannot_be_set_aside_without_one(tmp_path: Path) -> None:
    write_practice_scans(tmp_path / "scans", images=8)
    write_practice_scans(tmp_path / "more", images=4, seed=1)
    dataset = fewscan.import_scans(tmp_path / "scans", tmp_path / "mri")
    with pytest.raises(FewscanError, match=r"--set-aside-suspect is for .*fewscan audit"):
        fewscan.add_scans(dataset, tmp_path / "more", set_aside_suspect=True)
    assert fewscan.add_scans(dataset, tmp_path / "more").images > 0


def test_weights_are_not_given_twice(place: Place) -> None:
    file = place.run / "model.safetensors"
    file.touch()
    with pytest.raises(FewscanError, match="weights"):
        fewscan.embed(place.data, encoder=file, weights="imagenet")
