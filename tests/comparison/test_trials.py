"""Comparisons of tiny trainings: what is trained, what is left alone, and what is refused."""

import json
import multiprocessing
import shlex
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fewscan import progress
from fewscan.comparison.commands import commands
from fewscan.comparison.method_settings import refuse_settings_of_no_method, settings_of
from fewscan.comparison.plan import Comparison, Plan, Trial
from fewscan.comparison.planning import make_plan
from fewscan.comparison.trials import run_trial, run_trials
from fewscan.config import Settings
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.openings import openings
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.evaluate import Evaluation
from fewscan.splits.split import split
from fewscan.training.lengths import steps_per_epoch
from fewscan.training.run import Run
from fewscan.training.shares import device_name
from tests.processes import exit_code_of

TINY: dict[str, Any] = {"epochs": 1, "batch_size": 20, "encoder": {"name": "study_cnn", "dense_units": 16}}


def plan(dataset: Snapshot, **changes: Any) -> Plan:
    asked: dict[str, Any] = {
        "methods": ["supervised", "joint"],
        "seeds": [0],
        "protocols": ["leakfree"],
        "recipe": "study",
        "changes": TINY,
    }
    return make_plan(dataset, **(asked | changes))


def states(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every trained network below a folder: when it was written, and what it is."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("model.safetensors")
    }


@pytest.mark.slow
def test_the_same_command_trains_only_what_is_missing_and_opens_the_test_set_once(
    split_dataset: Snapshot, tmp_path: Path
) -> None:
    out = tmp_path / "comparison"
    first = Comparison.begin(out, plan(split_dataset))
    assert run_trials(first) == {}
    before = states(out)
    assert sorted(before) == [f"runs/leakfree/{method}-seed0/model.safetensors" for method in ("joint", "supervised")]
    # Grown by a seed: what is there stays as it is.
    grown = Comparison.begin(out, plan(split_dataset, methods=["joint"], seeds=[0, 1]))
    assert grown.plan.methods == ("supervised", "joint")
    assert grown.plan.seeds == (0, 1)
    assert run_trials(grown) == {}
    after = states(out)
    assert sorted(after.keys() - before.keys()) == ["runs/leakfree/joint-seed1/model.safetensors"]
    assert {name: after[name] for name in before} == before
    for trial in grown.plan.trials:
        openings = (grown.run_folder(trial) / "test_openings.jsonl").read_text().splitlines()
        assert len(openings) == 1


def test_a_comparison_grows_by_what_is_asked_and_by_nothing_else(split_dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "comparison"
    first = Comparison.begin(out, plan(split_dataset, seeds=[0, 1], protocols=["study", "leakfree"]))
    further: list[dict[str, Any]] = [{"methods": ["simclr"]}, {"methods": ["supervised", "simclr"], "seeds": [2]}]
    for changes in further:
        Comparison.begin(out, plan(split_dataset, **changes))
    # Asked again, it stays as it is.
    grown = Comparison.begin(out, plan(split_dataset, **further[0]))
    asked = [Trial("leakfree", method, seed) for method, seed in (("simclr", 0), ("supervised", 2), ("simclr", 2))]
    assert grown.plan.trials == [*first.plan.trials, *asked]
    assert Comparison.open(out).plan == grown.plan
    assert grown.plan.seeds_of("leakfree", "simclr") == (0, 2)
    assert grown.plan.seeds_of("study", "simclr") == ()
    # The commands that make it again, each by itself, make just that.
    again = []
    for command in commands(grown.plan):
        options = dict(pairwise(shlex.split(command)))
        lists = {name: options[f"--{name}"].split(",") for name in ("methods", "seeds", "protocol")}
        again += [Trial(p, m, int(s)) for s in lists["seeds"] for p in lists["protocol"] for m in lists["methods"]]  # type: ignore[arg-type]
    assert set(again) == set(grown.plan.trials)
    assert len(commands(grown.plan)) == 3


def test_settings_of_a_method_go_to_the_methods_that_have_them(split_dataset: Snapshot, tmp_path: Path) -> None:
    changes = TINY | {"method": {"temperature": 0.2}}
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset, changes=changes))
    temperatures = {
        method: getattr(comparison.settings(Trial("leakfree", method, 0)).method, "temperature", None)
        for method in ("supervised", "joint")
    }
    assert temperatures == {"supervised": None, "joint": 0.2}
    # More of a method without the setting may be asked for, once one that has it is compared.
    Comparison.begin(comparison.folder, plan(split_dataset, changes=changes, methods=["supervised"], seeds=[1]))


def test_a_setting_that_no_compared_method_has_is_refused_with_the_nearest(split_dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "comparison"
    for methods, name, words in (
        (["supervised", "joint"], "temperatur", "unknown setting 'method.temperatur'.*did you mean 'method.temperature'"),
        (["supervised", "simclr"], "neighbors", "none of supervised, simclr has it"),
    ):
        with pytest.raises(FewscanError, match=words):
            Comparison.begin(out, plan(split_dataset, changes={"method": {name: 1}}, methods=methods))
        assert not out.exists()


def test_both_protocols_get_their_own_split_of_the_same_pixels(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    # Rows 2i and 2i + 4 show the same class and are copies of one another.
    groups = [row % 8 if row < 16 else row for row in range(80)]
    dataset = make_dataset(groups=groups)
    comparison = Comparison.begin(
        tmp_path / "comparison", plan(dataset, protocols=["study", "leakfree"], labeled=16, test=24, validation=0.25)
    )
    study, leakfree = (comparison.dataset(protocol) for protocol in comparison.plan.protocols[::-1])
    assert study.require_split().protocol == "study"
    assert leakfree.require_split().protocol == "leakfree"
    assert np.array_equal(study.pixels, leakfree.pixels)
    assert len(study.rows("test")) == len(leakfree.rows("test")) == 24
    assert dataset.description.split is None
    parts = leakfree.manifest.loc[leakfree.manifest["split"].notna()].groupby("group")["split"].nunique()
    assert (parts == 1).all()


# Goes on with a comparison, and is killed once the second epoch of a run is logged.
KILLED = """
import os, signal, sys
from pathlib import Path
from fewscan.comparison.plan import Comparison
from fewscan.comparison.trials import run_trials
from fewscan.training.run import Run
log = Run.log
def log_then_die(run, numbers):
    log(run, numbers)
    if numbers["epoch"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Run.log = log_then_die
run_trials(Comparison.open(Path(sys.argv[1])))
"""


@pytest.mark.slow  # it starts a process
def test_an_interrupted_comparison_goes_on_to_the_same_networks(split_dataset: Snapshot, tmp_path: Path) -> None:
    changes = TINY | {"epochs": 3, "checkpoint_seconds": 0}
    whole = Comparison.begin(tmp_path / "whole", plan(split_dataset, changes=changes, methods=["joint"]))
    run_trials(whole)
    cut = Comparison.begin(tmp_path / "cut", plan(split_dataset, changes=changes, methods=["joint"]))
    assert exit_code_of(KILLED, cut.folder) == -signal.SIGKILL
    (trial,) = cut.plan.trials
    assert cut.finished_run(trial) is None
    assert run_trials(cut) == {}
    networks = [(comparison.run_folder(trial) / "model.safetensors").read_bytes() for comparison in (whole, cut)]
    assert networks[0] == networks[1]


@pytest.mark.slow
def test_several_at_once_compute_what_one_after_the_other_does(split_dataset: Snapshot, tmp_path: Path) -> None:
    apart, together = (Comparison.begin(tmp_path / name, plan(split_dataset)) for name in ("apart", "together"))
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // 2))  # as many as each of two gets, so that sums are added in the same order
    run_trials(apart, 1)
    torch.set_num_threads(threads)
    assert run_trials(together, 2) == {}
    for trial in apart.plan.trials:
        first, second = ((comparison.run_folder(trial) / "model.safetensors").read_bytes() for comparison in (apart, together))
        assert first == second
        run = together.finished_run(trial)
        assert run is not None
        assert Evaluation.load(run) is not None


@pytest.mark.parametrize(
    ("places", "devices", "visible", "names"),
    [(3, 2, None, ["0", "1", "0"]), (2, 2, "5,7", ["5", "7"]), (2, 1, "GPU-8932f937", ["GPU-8932f937"] * 2)],
)
def test_each_process_gets_a_device_of_those_that_the_user_was_given(
    places: int, devices: int, visible: str | None, names: list[str]
) -> None:
    assert [device_name(place, devices, visible) for place in range(places)] == names


def test_every_method_makes_as_many_steps(split_dataset: Snapshot, tmp_path: Path) -> None:
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset, methods=["supervised", "simclr", "joint"]))
    dataset = comparison.dataset("leakfree")
    labeled, unlabeled = (len(dataset.rows(part)) for part in ("labeled", "unlabeled"))
    steps = {}
    for method in comparison.plan.methods:
        used = 0 if method == "supervised" else unlabeled
        steps[method] = steps_per_epoch(labeled, used, comparison.settings(Trial("leakfree", method, 0)).batch_size)
    assert set(steps.values()) == {round((labeled + unlabeled) / 20)}


def test_every_method_trains_on_as_many_images_where_these_are_counted() -> None:
    size = {"labeled": 124, "unlabeled": 4000}
    for method in ("supervised", "joint", "mixmatch"):
        settings = settings_of(method, "fewscan", {"batch_size": 512, "training_images": 300_000}, seed=0, **size)
        assert settings.batch_size == 512
        assert settings.images_trained(**size) == pytest.approx(300_000, rel=0.05)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ["simclear"]}, "did you mean 'simclr'"),
        ({"protocols": ["leakfre"]}, "did you mean 'leakfree'"),
        ({"methods": []}, "at least one method"),
        ({"changes": {"seed": 3}}, "--seeds"),
        ({"changes": {"method": "joint"}}, "--methods"),
        ({"changes": {"epoch": 3}}, "did you mean 'epochs'"),
        ({"changes": {"batch_size": 0}}, "batch_size"),
        ({"recipe": "studi"}, "did you mean 'study'"),
    ],
)
def test_what_cannot_be_compared_is_refused(split_dataset: Snapshot, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(FewscanError, match=words):
        plan(split_dataset, **changes)


def test_a_dataset_without_a_split_needs_sizes(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = make_dataset()
    with pytest.raises(FewscanError, match="--labeled"):
        plan(dataset)
    assert plan(dataset, labeled=16, test=24).split.model_dump() == {
        "labeled": 16,
        "within": (),
        "validation": 0.2,
        "test": 24,
        "seed": 0,
        "shares": "known",
    }


def test_sizes_and_shares_come_from_the_datasets_own_split(split_dataset: Snapshot) -> None:
    sizes = {"labeled": 16, "within": (), "validation": 0.25, "test": 24, "seed": 0}
    assert plan(split_dataset).split.model_dump() == sizes | {"shares": "known"}
    drawn = split(split_dataset, labeled=16, test=24, validation=0.25, shares="unknown")
    assert plan(drawn).split.shares == "unknown"
    assert plan(drawn, shares="known").split.shares == "known"


def test_a_comparison_draws_its_labels_as_it_was_told(split_dataset: Snapshot, tmp_path: Path) -> None:
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset, shares="unknown"))
    drawn = split(split_dataset, labeled=16, test=24, validation=0.25, shares="unknown")
    assert comparison.dataset("leakfree").manifest["split"].equals(drawn.manifest["split"])
    assert "--shares unknown" in commands(comparison.plan)[0]


def test_another_comparison_in_the_same_folder_is_refused(split_dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "comparison"
    Comparison.begin(out, plan(split_dataset))
    for other in (
        plan(split_dataset, changes=TINY | {"epochs": 2}),
        plan(split_dataset, recipe="fewscan"),
        plan(split_dataset, test=20),
    ):
        with pytest.raises(FewscanError, match="choose another --out"):
            Comparison.begin(out, other)
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(FewscanError, match="not a comparison"):
        Comparison.begin(taken, plan(split_dataset))


@pytest.mark.slow
def test_a_run_with_other_settings_is_refused(split_dataset: Snapshot, tmp_path: Path) -> None:
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset, methods=["supervised"]))
    run_trials(comparison)
    config = comparison.run_folder(comparison.plan.trials[0]) / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 1", "epochs: 9"))
    with pytest.raises(FewscanError, match="other settings"):
        run_trials(comparison)


@pytest.mark.slow
def test_a_comparison_goes_on_where_the_memory_shuffles_fewer_images(
    split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewscan.training.shuffling.memory_bytes", lambda: 2**12)
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset, methods=["supervised"]))
    for _ in range(2):
        assert run_trials(comparison) == {}
    assert Run.open(comparison.run_folder(comparison.plan.trials[0])).settings.shuffle_buffer is not None


@pytest.mark.slow
def test_a_comparison_goes_on_where_another_number_format_is_the_fastest(
    split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seeds, fastest in (([0], "bf16-mixed"), ([0, 1], "32-true")):
        monkeypatch.setattr("fewscan.training.settings.fastest_precision", lambda device, fastest=fastest: fastest)
        comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset, methods=["supervised"], seeds=seeds))
        assert run_trials(comparison) == {}
    runs = [Run.open(comparison.run_folder(trial)) for trial in comparison.plan.trials]
    assert [run.settings.precision for run in runs] == ["bf16-mixed", "32-true"]


@pytest.mark.slow
def test_a_run_that_fails_does_not_stop_the_others(split_dataset: Snapshot, tmp_path: Path) -> None:
    changes = TINY | {"optimizer": {"learning_rate": 1e30}, "epochs": 3}
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset, changes=changes, methods=["simclr", "joint"]))
    failures = run_trials(comparison)
    assert list(failures) == comparison.plan.trials
    assert all("the loss became" in reason for reason in failures.values())


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, True])
def test_once_a_run_is_trained_a_comparison_says_that_it_opens_the_test_set(
    beside: bool, split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if beside:  # as in a process of `--jobs 2`
        monkeypatch.setattr(progress.console, "quiet", True)
        monkeypatch.setattr(progress, "_said_together", progress.said_together(multiprocessing.get_context("spawn")))
    changes = TINY | {"optimizer": {"learning_rate": 1e30}, "epochs": 3}
    run_trials(Comparison.begin(tmp_path / "failing", plan(split_dataset, changes=changes, methods=["simclr"])))
    assert "first time" not in capsys.readouterr().err
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset))
    run_trials(comparison)
    assert capsys.readouterr().err.count("first time") == 1
    assert openings(comparison.dataset("leakfree")).by_verb == {"compare": 2}


@pytest.mark.slow
def test_a_trained_run_is_only_evaluated(split_dataset: Snapshot, tmp_path: Path) -> None:
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset, methods=["supervised"]))
    (trial,) = comparison.plan.trials
    run_trial(comparison.folder, trial)
    before = states(comparison.folder)
    evaluation = comparison.run_folder(trial) / "evaluation.json"
    evaluation.unlink()
    run_trials(comparison)
    assert states(comparison.folder) == before
    scored = evaluation.read_bytes()
    run_trial(comparison.folder, trial)  # nor is it evaluated twice
    assert evaluation.read_bytes() == scored
    assert json.loads(evaluation.read_text())["test_openings"] == 2
    assert isinstance(Evaluation.load(Run.open(comparison.run_folder(trial))), Settings)


def test_settings_of_steps_are_left_out_for_a_method_that_makes_none_and_refused_where_none_does() -> None:
    changes = {"epochs": 3, "encoder": {"name": "efficientnet_lite0", "weights": "imagenet"}}
    settings = settings_of("probe", "fewscan", changes, seed=0, labeled=40, unlabeled=60)
    assert settings.solved
    with pytest.raises(FewscanError, match="leave out epochs"):
        refuse_settings_of_no_method(["probe"], changes)
    refuse_settings_of_no_method(["probe", "supervised"], changes)
    refuse_settings_of_no_method(["simclr+probe"], changes)


def test_what_a_second_view_shows_is_left_out_for_a_method_without_one_and_refused_where_none_has_one() -> None:
    changes = {"positives": "copies"}
    found = [settings_of(name, "fewscan", changes, seed=0, labeled=40, unlabeled=60) for name in ("supervised", "joint")]
    assert [settings.positives for settings in found] == ["views", "copies"]
    with pytest.raises(FewscanError, match="leave out positives"):
        refuse_settings_of_no_method(["supervised", "mixmatch"], changes)
    refuse_settings_of_no_method(["supervised", "joint"], changes)
    refuse_settings_of_no_method(["simclr+supervised"], changes)


def test_labels_that_were_given_since_ask_for_another_comparison(split_dataset: Snapshot, tmp_path: Path) -> None:
    comparison = Comparison.begin(tmp_path / "comparison", plan(split_dataset))
    now = Dataset.open(split_dataset.folder)
    now.labels.enter([int(split_dataset.rows("labeled")[0])], ["cyst"], origin="review")
    with pytest.raises(FewscanError, match="another --out"):
        comparison._require_same(now.snapshot())
