"""Functions of the package refuse what cannot be, with what to do instead, before they open or write anything."""

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import fewscan
from fewscan.api.opening import opened_place, opened_snapshot
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation import calibrate
from fewscan.evaluation.calibration import Calibration
from fewscan.mapping.scan_map import map_of
from fewscan.splits.split import split
from fewscan.training import together
from fewscan.training.run import Run
from tests.made import remade

MakeDataset = Callable[..., Snapshot]


def test_a_table_is_a_csv(split_dataset: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match=r"\.csv"):
        fewscan.suggest(split_dataset.folder, 4, out=tmp_path / "scans.txt")
    with pytest.raises(FewscanError, match="--count"):
        fewscan.suggest(split_dataset.folder, 0)
    with pytest.raises(FewscanError, match="nothing"):
        fewscan.suggest(split_dataset.folder, 4, encoder="nothing", out=tmp_path / "scans.csv", overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_a_split_needs_a_name_that_files_can_have(split_dataset: Snapshot) -> None:
    with pytest.raises(FewscanError, match="name"):
        fewscan.split(split_dataset.folder, name="../main")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_is_one_that_everything_can_draw_from(seed: int, split_dataset: Snapshot) -> None:
    for verb in (fewscan.suggest, fewscan.map_scans, fewscan.split):
        with pytest.raises(FewscanError, match=f"seed.*{seed}"):
            verb(split_dataset.folder, seed=seed)


def test_of_several_splits_the_newest_is_taken_and_that_is_said(
    split_dataset: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    split(Dataset.open(split_dataset.folder).unsplit(), labeled=16, test=8, name="other")
    assert opened_snapshot(split_dataset.folder).require_split().name == "other"
    assert "--split" in capsys.readouterr().err
    assert opened_snapshot(split_dataset.folder, "main").require_split().name == "main"
    assert capsys.readouterr().err == ""


def test_only_a_runs_dataset_may_lie_elsewhere(split_dataset: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="--data"):
        opened_place(split_dataset.folder, data=tmp_path)


def test_of_a_volume_one_slice_is_to_be_named(make_dataset: MakeDataset) -> None:
    made = make_dataset(8)
    path = [f"head.nii#axial={number}" for number in range(7)] + ["other.png"]
    dataset = remade(made, made.manifest.assign(path=path))
    with pytest.raises(FewscanError, match="7 images"):
        fewscan.judge_pair(dataset.folder, "head.nii", "other.png", "apart")


def test_the_page_says_which_packages_it_lacks_and_hides_no_other_fault(
    split_dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("fewscan.reviewing")]:
        monkeypatch.delitem(sys.modules, name)
    for lacking, told in (("uvicorn", FewscanError), ("fewscan.reviewing.atlas", ModuleNotFoundError)):
        with monkeypatch.context() as patch, pytest.raises(told):
            patch.setitem(sys.modules, lacking, None)
            fewscan.review(split_dataset.folder)


@pytest.mark.slow
def test_a_pile_of_which_nothing_can_be_used_has_no_map(make_dataset: MakeDataset) -> None:
    made = make_dataset(4)
    with pytest.raises(FewscanError, match="map"):
        map_of(Dataset.open(remade(made, made.manifest.assign(set_aside="truncated", label=None)).folder))


def test_only_datasets_and_runs_of_former_versions_are_converted(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / "plan.json").write_text("{}")
    for folder, said in ((tmp_path / "comparison", "comparison"), (tmp_path, "dataset or run")):
        with pytest.raises(FewscanError, match=said):
            fewscan.upgrade(folder, tmp_path / "new")
    run = untrained_run(split_dataset)
    with pytest.raises(FewscanError, match="format"):
        fewscan.upgrade(run.folder, tmp_path / "new", data=split_dataset.folder)
    assert not (tmp_path / "new").exists()


def test_processes_that_something_else_started_train_one_run(
    split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(FewscanError, match="--unlabeled-first"):
        fewscan.train(split_dataset.folder, out=tmp_path / "run", method="supervised", unlabeled_first=True, device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_picture_is_replaced_only_where_that_is_asked_for(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    run = untrained_run(split_dataset)
    (tmp_path / "picture.png").touch()
    for overwrite, said in ((False, "--overwrite"), (True, "no such file")):
        with pytest.raises(FewscanError, match=said):
            fewscan.explain(run, tmp_path / "none.png", out=tmp_path / "picture.png", overwrite=overwrite)


def test_a_file_is_called_as_what_it_is(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    run = untrained_run(split_dataset)
    for write, suffix, other in (
        (lambda out: fewscan.explain(run, tmp_path / "none.png", out=out), r"\.png", "map.jpg"),
        (lambda out: fewscan.report(run, out=out), r"\.html", "report.pdf"),
        (lambda out: fewscan.map_scans(run, out=out), r"\.html", "map.png"),
        (lambda out: fewscan.export_labels(split_dataset.folder, out), r"\.csv.*\.xlsx", "labels.ods"),
        (lambda out: fewscan.label(run, split_dataset.folder, out=out), r"\.csv.*\.xlsx.*\.parquet", "labels.ods"),
    ):
        with pytest.raises(FewscanError, match=suffix):
            write(tmp_path / other)
        assert not (tmp_path / other).exists()


def test_a_table_to_check_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="folder"):
        fewscan.check(tmp_path)


def test_features_of_a_run_are_refused_with_its_dataset(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    run = untrained_run(split_dataset)
    with pytest.raises(FewscanError, match=str(split_dataset.folder)):
        fewscan.embed(run.folder, encoder=run.folder, out=tmp_path / "f.parquet")


def test_a_process_that_takes_part_in_a_training_follows_the_first_one_and_says_nothing(
    split_dataset: Snapshot,
    untrained_run: Callable[[Snapshot], Run],
    fewscan: Callable[..., CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = untrained_run(split_dataset)
    started = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    jobs: list[object] = []
    monkeypatch.setattr(together, "_take_part", lambda job, devices: jobs.append(job) or run.folder)
    done = fewscan("train", split_dataset.folder, "--out", run.folder.with_name("followed"))
    assert (done.returncode, done.stdout) == (0, "")
    assert jobs == [None]
    assert not run.folder.with_name("followed").exists()


@pytest.mark.slow
def test_a_run_is_calibrated_at_its_end_where_its_validation_set_is_large_enough(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = untrained_run(split_dataset)
    assert Calibration.load(fewscan.train(split_dataset, out=run.folder, resume=True)) is None
    monkeypatch.setattr(calibrate, "has_enough_validation", lambda dataset: True)
    assert Calibration.load(fewscan.train(split_dataset, out=run.folder, resume=True)) is not None
