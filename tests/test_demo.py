"""What practice scans are for: a pile to label, whose classes only the table beside it tells, and the whole way on them."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pytest

import fewscan
from fewscan import api, demo
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.demo import pile
from fewscan.errors import FewscanError
from fewscan.splits.acceptance import acceptance_warnings
from fewscan.training.run import Run


@pytest.mark.slow
def test_a_pile_has_no_labels_and_a_table_that_tells_them(tmp_path: Path) -> None:
    folder, classes = pile(tmp_path / "demo", images=24)
    dataset = Dataset.open(folder)
    assert dataset.description.audit is not None
    assert dataset.labels.last == 0
    names = dataset.images.table(["path"])["path"]
    assert not any(label in name for label in classes for name in names)
    truth = pd.read_csv(tmp_path / "demo" / "truth.csv")
    assert set(truth["label"]) == set(classes)
    assert fewscan.set_labels(folder, tmp_path / "demo" / "truth.csv").changes.unusable == 0
    assert dataset.labels.current(len(names))["label"].notna().all()


@pytest.mark.slow  # two trainings, and all that follows one
def test_the_whole_way_on_practice_scans_leaves_a_score_labels_and_a_page(
    fewscan: Callable[..., CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = demo.DemoSize(images=64, labeled=32, test=16, supervised_epochs=1, mixmatch_epochs=1)
    monkeypatch.setattr(demo, "QUICK", size)
    monkeypatch.setattr(demo, "SIZE_PX", 32)
    done = fewscan("demo", "--quick", "--out", "way", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["chosen"] in ("supervised", "mixmatch")
    assert said["supervised"]["images"] == said["mixmatch"]["images"] == 16
    unlabeled = Dataset.open(tmp_path / "way" / "dataset").snapshot().rows("unlabeled")
    decisions = pd.read_csv(tmp_path / "way" / "labels.csv")["decision"]
    assert (said["unlabeled"], said["accepted"]) == (len(unlabeled), (decisions == "accept").sum())
    assert (tmp_path / said["report"]).is_file()
    # The same command finds it all there, and opens no test set again; another demo is not taken for this one.
    runs = [Run.open(tmp_path / "way" / method) for method in ("supervised", "mixmatch")]
    before = [run.test_openings() for run in runs]
    again = fewscan("demo", "--quick", "--out", "way", "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == said
    assert [run.test_openings() for run in runs] == before
    assert fewscan("demo", "--out", "way", cwd=tmp_path).returncode == 2


def test_the_whole_way_is_not_warned_that_its_labels_are_too_few_to_accept_any(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = make_dataset(images=1000)
    drawn = api.split(dataset.folder, labeled=demo.FULL.labeled, test=demo.FULL.test, validation=demo.VALIDATION)
    assert acceptance_warnings(drawn, "run", runs=2) == []


def test_of_level_methods_none_is_called_better() -> None:
    assert demo._chosen({"supervised": 0.5, "mixmatch": 0.75}) == ("mixmatch", "better on the validation set")
    chosen, how = demo._chosen({"supervised": 0.5, "mixmatch": 0.5})
    assert chosen == "supervised"
    assert "better" not in how


@pytest.mark.slow
def test_each_demo_has_a_folder_of_its_own(
    fewscan: Callable[..., CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "write_practice_scans", stop)
    for words in ([], ["--quick"], ["--review"]):
        assert fewscan("demo", *words, cwd=tmp_path).returncode == 130
    assert len(list((tmp_path / "runs").iterdir())) == 3
    for other in ("--quick", "--json"):
        assert fewscan("demo", "--review", other, cwd=tmp_path).returncode == 2


STEPS = ("import_scans", "audit", "split", "train", "evaluate", "label", "report")


@pytest.mark.slow
def test_a_demo_that_is_stopped_at_every_step_goes_on_and_makes_nothing_twice(
    fewscan: Callable[..., CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "QUICK", demo.DemoSize(images=64, labeled=32, test=16, supervised_epochs=2, mixmatch_epochs=1))
    monkeypatch.setattr(demo, "SIZE_PX", 32)
    calls: list[str] = []

    def stopped_after(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def stopped(*arguments: object, **options: object) -> object:
            done = work(*arguments, **options)
            calls.append(name)
            if calls.count(name) == 1:
                raise KeyboardInterrupt
            return done

        return stopped

    for name in STEPS:
        monkeypatch.setattr(api, name, stopped_after(name, getattr(api, name)))
    log, logged = Run.log, []

    def stopped_in_training(run: Run, numbers: dict[str, object]) -> None:
        log(run, numbers)
        logged.append(run.folder.name)
        if len(logged) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "log", stopped_in_training)
    words = ["demo", "--quick", "--out", "way"]
    for _ in range(len(STEPS) + 1):
        done = fewscan(*words, cwd=tmp_path)
        assert done.returncode == 130, done.stderr
        assert shlex.split(done.stderr.strip().splitlines()[-1].partition(": ")[2])[1:] == words
    done = fewscan(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # Of what was finished nothing is made again; a training is only asked whether it is finished.
    assert {name: calls.count(name) for name in STEPS if name not in ("train", "evaluate")} == dict.fromkeys(
        ("import_scans", "audit", "split", "label", "report"), 1
    )
    for method, epochs in (("supervised", [1, 2]), ("mixmatch", [1])):
        run = Run.open(tmp_path / "way" / method)
        assert [numbers["epoch"] for numbers in run.metrics()] == epochs
        assert run.test_openings()["evaluate"] == 1
    assert logged.count("mixmatch") == 1


@pytest.mark.slow
def test_a_pile_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    # While scans are drawn and named, imported, and audited.
    for module, name in ((demo, "write_text"), (api, "import_scans"), (api, "audit")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop)
            with pytest.raises(KeyboardInterrupt):
                pile(tmp_path / "demo", images=24)
    folder, _ = pile(tmp_path / "demo", images=24)
    assert pile(tmp_path / "demo", images=24)[0] == folder
    truth = pd.read_csv(tmp_path / "demo" / "truth.csv")
    assert len(truth) == Dataset.open(folder).images.rows == 24
    assert {path.name for path in (tmp_path / "demo" / "scans").iterdir()} == {Path(name).name for name in truth["path"]}
    with pytest.raises(FewscanError):
        pile(tmp_path / "demo", images=25)
