"""A dataset of the first format becomes one of today: the same images, labels, groups, conflicts and parts."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.openings import openings
from fewscan.datasets.pairs import NOTED_LATER
from fewscan.datasets.roles import fingerprint_of_test_set
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import SNAPSHOT_FILE
from fewscan.splits.split import split
from fewscan.training.run import RECORD_FILE, Run
from tests.cli.test_next_commands import next_words
from tests.made import remade

Command = Callable[..., CompletedProcess[str]]


def first_format(dataset: Snapshot, folder: Path) -> Path:
    """What the first format kept of a dataset that is audited and split."""
    folder.mkdir()
    manifest = dataset.manifest.copy()
    suspect = manifest["set_aside"] == "not a scan"
    manifest["set_aside"] = manifest["set_aside"].mask(suspect, "suspect: noise")
    manifest.to_parquet(folder / "manifest.parquet", index=False)
    np.save(folder / "pixels.npy", np.array(dataset.pixels))
    described, drawn = dataset.description, dataset.require_split().model_dump(mode="json")
    assert described.audit is not None
    audit = described.audit.model_dump()
    for name in ("name", "rows", "drawn_fingerprint", "tying_left_out", "test_set"):
        del drawn[name]
    del audit["rows"]
    content = {
        "format": 1,
        "classes": dataset.classes,
        "image_size_px": dataset.spec.size_px,
        "channels": dataset.spec.channels,
        "resize": dataset.spec.resize,
        "slices": {"plane": "axial", "slices": "brain"},
        "sources": [source.model_dump() for source in described.sources],
        "fingerprint": "f" * 64,
        "audit": audit,
        "split": drawn,
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    pairs = Dataset.open(dataset.folder).pairs
    heads = pairs["kind"] == "head"
    found = {
        "pairs": pairs[~heads].drop(columns=[*NOTED_LATER]).to_numpy().tolist(),
        "same_head": pairs.loc[heads, ["row_a", "row_b"]].to_numpy().tolist(),
    }
    (folder / "audit.json").write_text(json.dumps(found))
    test_set = fingerprint_of_test_set("f" * 64, dataset.rows("test"))
    noted = {"time": "2026-11-01T00:00:00+00:00", "purpose": "evaluate", "test_set": test_set, "run": "a"}
    # And what a kill left of a second line.
    (folder / "test_openings.jsonl").write_text(json.dumps(noted) + '\n{"time": "2026-11')
    return folder


@pytest.fixture
def before(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    """80 images: pairs of copies of one class, two that disagree, one without a label, one that is no scan, all split."""
    groups = [row % 4 + 4 * (row // 8) for row in range(80)]
    dataset = make_dataset(groups=groups)
    label = dataset.manifest["label"].astype(object).copy()
    label[[0, 9]] = "pituitary", None
    conflict = np.isin(np.arange(80), [0, 4])
    dataset = remade(dataset, dataset.manifest.assign(label=pd.array(label, dtype="str"), conflict=conflict))
    Dataset.open(dataset.folder).labels.enter([20], [None], states=["not a scan"], origin="audit")
    return split(Dataset.open(dataset.folder).unsplit(), labeled=24, test=12, validation=0.25)


@pytest.mark.slow
def test_everything_is_as_it_was(before: Snapshot, tmp_path: Path) -> None:
    old = first_format(before, tmp_path / "old")
    content = {path.name: path.read_bytes() for path in old.iterdir()}
    after = api.upgrade(old, tmp_path / "new").snapshot()
    pd.testing.assert_frame_equal(after.manifest, before.manifest)
    assert before.manifest["conflict"].any()
    assert np.array_equal(after.pixels, before.pixels)
    assert after.spec == before.spec
    assert after.require_split() == before.require_split()
    assert openings(after).by_verb == {"evaluate": 1}
    assert api.verify(tmp_path / "new").faults == []
    assert {path.name: path.read_bytes() for path in old.iterdir()} == content


@pytest.mark.slow
def test_a_run_goes_on_where_its_dataset_went(
    before: Snapshot, untrained_run: Callable[[Snapshot], Run], fewscan: Command, tmp_path: Path
) -> None:
    old, run = first_format(before, tmp_path / "old"), untrained_run(before)
    said = json.loads((run.folder / RECORD_FILE).read_text())
    former = {"image_size_px": 16, "channels": 1, "resize": "stretch", "window": None, "dataset_fingerprint": "f" * 64}
    kept = {
        name: value for name, value in said.items() if name not in ("snapshot_sha256", "dataset_identity", "spec", "plugins")
    }
    (run.folder / RECORD_FILE).write_text(json.dumps(kept | former))
    (run.folder / SNAPSHOT_FILE).unlink()
    with pytest.raises(FewscanError, match="--data"):
        api.upgrade(run.folder, tmp_path / "run")
    dataset = api.upgrade(old, tmp_path / "new")
    upgraded = api.upgrade(run.folder, tmp_path / "run", data=dataset)
    assert upgraded.open_dataset().manifest.equals(before.manifest)
    assert (upgraded.folder / "model.safetensors").read_bytes() == (run.folder / "model.safetensors").read_bytes()
    done = fewscan("upgrade", run.folder, tmp_path / "again", "--data", tmp_path / "new")
    assert next_words(done)[1] == str(tmp_path / "again")
    api.split(dataset.folder, labeled=24, test=12, seed=5, overwrite=True)
    with pytest.raises(FewscanError, match="not the dataset"):
        api.upgrade(run.folder, tmp_path / "other", data=dataset.folder)


def test_what_needs_no_conversion_or_is_damaged_is_one_line(before: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="--data is for a run"):
        api.upgrade(before.folder, tmp_path / "new", data=before.folder)
    with pytest.raises(FewscanError, match="nothing to convert"):
        api.upgrade(before.folder, tmp_path / "new")
    old = first_format(before, tmp_path / "old")
    (old / "pixels.npy").write_bytes((old / "pixels.npy").read_bytes()[:-9])
    with pytest.raises(FewscanError, match=r"pixels\.npy is missing or damaged"):
        api.upgrade(old, tmp_path / "new")
    said = json.loads((old / "dataset.json").read_text())
    (old / "dataset.json").write_text(json.dumps(said | {"manifest_sha256": ["0" * 64]}))
    with pytest.raises(FewscanError, match=r"manifest\.parquet was changed"):
        api.upgrade(old, tmp_path / "new")
    (old / "dataset.json").write_text(json.dumps(said))
    (old / "manifest.parquet").write_bytes(b"no table")
    with pytest.raises(FewscanError, match=r"manifest\.parquet is missing or damaged"):
        api.upgrade(old, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_what_follows_a_conversion_works_as_it_stands(
    before: Snapshot, untrained_run: Callable[[Snapshot], Run], fewscan: Command, tmp_path: Path
) -> None:
    old = first_format(before, tmp_path / "old")
    done = fewscan("upgrade", old, tmp_path / "new", cwd=tmp_path)
    assert next_words(done)[:2] == ["train", str(tmp_path / "new")]
    content = json.loads((old / "dataset.json").read_text())
    (old / "dataset.json").write_text(json.dumps(content | {"split": None, "audit": None}))
    (old / "test_openings.jsonl").unlink()
    assert next_words(fewscan("upgrade", old, tmp_path / "unaudited", cwd=tmp_path))[0] == "audit"
    (old / "dataset.json").write_text(json.dumps(content | {"split": None}))
    (old / "audit.html").write_text("a page")
    words = next_words(fewscan("upgrade", old, tmp_path / "unsplit", cwd=tmp_path))
    assert words[0] == "split"
    assert fewscan(*words, "--labeled", "24", "--test", "12", cwd=tmp_path).returncode == 0
