"""Rows of a comparison that are more than a method: an encoder that learns without labels first, and another recipe."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewscan.comparison.budgets import begin_budgets
from fewscan.comparison.plan import Comparison, Trial
from fewscan.comparison.planning import make_plan, missing_way
from fewscan.comparison.results import collect
from fewscan.comparison.trials import run_trials
from fewscan.comparison.ways import Way
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.evaluate import Evaluation
from fewscan.reporting.comparing.sentences import on_encoders, on_ways
from fewscan.training.choice import PRETRAINED
from fewscan.training.run import Run

TINY: dict[str, Any] = {"epochs": 1, "batch_size": 20, "encoder": {"name": "study_cnn", "dense_units": 16}}


def begun(dataset: Snapshot, out: Path, methods: list[str], **more: Any) -> Comparison:
    asked: dict[str, Any] = {"seeds": [0], "protocols": ["leakfree"], "recipe": "study", "changes": TINY}
    return Comparison.begin(out, make_plan(dataset, methods=methods, **(asked | more)))


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("supervised", Way("supervised", None, None)),
        ("simclr+propagation", Way("propagation", "simclr", None)),
        ("supervised@finetune", Way("supervised", None, "finetune")),
        ("vicreg+mixmatch@finetune", Way("mixmatch", "vicreg", "finetune")),
    ],
)
def test_a_name_says_method_recipe_and_what_goes_first(name: str, way: Way) -> None:
    assert Way.read(name) == way


@pytest.mark.parametrize(
    ("size_px", "labeled", "chosen"), [(64, 300, "mixmatch"), (128, 300, "supervised@finetune"), (128, 40, "propagation")]
)
def test_what_train_would_choose_is_missing_until_it_is_a_row(
    size_px: int, labeled: int, chosen: str, split_dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(PRETRAINED), "installed", True)

    def missing(methods: list[str], recipe: str = "fewscan") -> str | None:
        asked = {"seeds": [0], "protocols": ["leakfree"], "changes": {"training_images": 8000}}
        plan = make_plan(split_dataset, methods=methods, recipe=recipe, **asked)  # type: ignore[arg-type]
        return missing_way(plan, labeled=labeled, unlabeled=100, size_px=size_px)

    assert missing(["supervised"]) == chosen
    assert missing(["supervised", chosen]) is None
    assert missing(["supervised"], "study") is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "cannot be compared"),
        ("simclr+", "cannot be compared"),
        ("@finetune", "cannot be compared"),
        ("simclr+vicreg+supervised", "cannot be compared"),
        ("supervised@finetune@fewscan", "cannot be compared"),
        ("simclear+supervised", "did you mean 'simclr'"),
        ("simclr+supervise", "did you mean 'supervised'"),
        ("supervised@finetun", "did you mean 'finetune'"),
        ("mixmatch+supervised", "mixmatch needs labels"),
    ],
)
def test_a_name_that_says_none_is_refused(
    name: str, words: str, split_dataset: Snapshot, tmp_path: Path, fewscan: Callable[..., Any]
) -> None:
    with pytest.raises(FewscanError, match=words):
        begun(split_dataset, tmp_path / "comparison", [name])
    if name:  # an option without names asks for all methods
        answer = fewscan("compare", split_dataset.folder, "--methods", name, "--out", tmp_path / "comparison")
        assert answer.returncode == 2
    assert not (tmp_path / "comparison").exists()


@pytest.mark.slow
def test_one_encoder_learns_without_the_test_set_or_labels_for_all_seeds(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    # Rows 2i and 2i + 1 belong together.
    dataset = make_dataset(groups=[row // 4 * 4 + row % 2 for row in range(80)])
    sizes: dict[str, Any] = {"labeled": 16, "test": 24, "validation": 0.0, "seeds": [0, 1]}
    comparison = begun(dataset, tmp_path / "comparison", ["supervised", "simclr+probe"], **sizes)
    assert run_trials(comparison) == {}
    (encoder,) = (comparison.folder / "encoders" / "leakfree").iterdir()
    first, split = Run.open(encoder), comparison.dataset("leakfree")
    learned = first.open_dataset()
    assert first.finished
    assert first.settings.method.name == "simclr"
    assert len(learned.classes) == 0
    rest = np.setdiff1d(np.arange(80), np.flatnonzero(np.isin(split.groups, split.groups[split.rows("test")])))
    assert np.array_equal(np.sort(learned.rows("unlabeled")), rest)
    expected = first.load_network().encoder.state_dict()
    for seed in (0, 1):
        run = comparison.finished_run(Trial("leakfree", "simclr+probe", seed))
        assert run is not None
        assert Evaluation.load(run) is not None
        found = run.load_network().encoder.state_dict()
        assert all((found[name] == expected[name]).all() for name in expected)
        baseline = comparison.finished_run(Trial("leakfree", "supervised", seed))
        assert baseline is not None
        assert baseline.settings.encoder.weights is None
    # What is done stays done, also where the comparison was moved and its encoders were removed to make room.
    shutil.rmtree(comparison.folder / "encoders")
    moved = comparison.folder.rename(tmp_path / "moved")
    before = {path: path.stat().st_mtime_ns for path in moved.rglob("model.safetensors")}
    assert run_trials(Comparison.open(moved)) == {}
    assert {path: path.stat().st_mtime_ns for path in moved.rglob("model.safetensors")} == before


@pytest.mark.slow
def test_an_encoder_that_fails_stops_only_what_would_begin_with_it(split_dataset: Snapshot, tmp_path: Path) -> None:
    comparison = begun(split_dataset, tmp_path / "comparison", ["simclr+supervised", "supervised"])
    with_first, alone = comparison.plan.trials
    encoder = comparison.encoder_folder(with_first)
    assert encoder is not None
    (encoder / "something").mkdir(parents=True)
    assert list(run_trials(comparison)) == [with_first]
    assert comparison.finished_run(alone) is not None
    assert not comparison.run_folder(with_first).exists()


def test_budgets_of_labels_share_their_encoders(split_dataset: Snapshot, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"seeds": [0], "protocols": ["leakfree"], "recipe": "study", "changes": TINY, "test": 24}
    methods = ["simclr+supervised", "simclr+probe", "simclr+propagation", "simclr+supervised@finetune"]
    plans = [
        make_plan(split_dataset, methods=methods, labeled=labels, validation=0.0, one_of_several=True, **asked)
        for labels in (16, 12)
    ]
    larger, smaller = begin_budgets(tmp_path / "budgets", plans)
    folders = [comparison.encoder_folder(trial) for comparison in (larger, smaller) for trial in comparison.plan.trials]
    assert folders[:4] == folders[4:]
    assert all(folder is not None and folder.is_relative_to(tmp_path / "budgets" / "encoders") for folder in folders)
    # What is solved needs the same encoder, whatever solves it; steps need one of their own recipe.
    supervised, probe, propagation, finetuned = folders[:4]
    assert probe == propagation
    assert len({supervised, probe, finetuned}) == 3


def test_another_recipe_is_that_rows_alone(split_dataset: Snapshot, tmp_path: Path) -> None:
    comparison = begun(split_dataset, tmp_path / "comparison", ["supervised", "supervised@finetune"], recipe="fewscan")
    plain, other = (comparison.settings(trial) for trial in comparison.plan.trials)
    assert (plain.optimizer.head_rate, other.optimizer.head_rate) == (1.0, 10.0)
    # What the user lays over it holds for both.
    assert plain.encoder == other.encoder
    assert comparison.plan.baseline == "supervised"


@pytest.mark.slow
def test_a_run_of_another_recipe_says_which(split_dataset: Snapshot, tmp_path: Path) -> None:
    comparison = begun(split_dataset, tmp_path / "comparison", ["supervised", "supervised@finetune"], recipe="fewscan")
    assert run_trials(comparison) == {}
    recipes = [Run.open(comparison.run_folder(trial)).record.recipe for trial in comparison.plan.trials]
    assert recipes == ["fewscan", "finetune"]


def test_a_page_says_which_encoders_differ(split_dataset: Snapshot, tmp_path: Path) -> None:
    same, differing = (
        collect(begun(split_dataset, tmp_path / name, methods, recipe="fewscan", changes={"epochs": 1}))
        for name, methods in (("same", ["supervised", "mixmatch"]), ("differing", ["supervised", "supervised@finetune"]))
    )
    assert on_encoders(same) is None
    said = on_encoders(differing)
    assert said is not None
    assert all(word in said for word in ("resnet_small", "efficientnet_lite0", "imagenet", "supervised@finetune"))


def test_a_page_says_what_is_more_than_a_method() -> None:
    assert on_ways(["supervised", "mixmatch"], "fewscan") == []
    first, other = on_ways(["supervised", "simclr+propagation", "supervised@finetune"], "fewscan")
    assert all(word in first for word in ("simclr", "propagation", "without labels"))
    assert all(word in other for word in ("finetune", "fewscan"))
