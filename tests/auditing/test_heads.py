"""Slices that are probably of one head: which files follow each other, who is joined, and who is not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import PIL.Image
import pytest
from scipy.ndimage import gaussian_filter

from fewscan.auditing import audit as auditing
from fewscan.auditing.adding import add_scans
from fewscan.auditing.audit import AuditResult
from fewscan.auditing.heads import files_in_a_row
from fewscan.auditing.leaks import leaking_pairs
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans
from fewscan.datasets.pairs import ends
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.split import split
from tests.made import remade


def audit(dataset: Snapshot, **options: object) -> AuditResult:
    """The audit of the dataset in its folder."""
    return auditing.audit(Dataset.open(dataset.folder), **options)


SIZE_PX = 48
HEADS, SLICES = 12, 4


@pytest.mark.parametrize(
    ("paths", "pairs"),
    [
        (["a/p (9).jpg", "a/p (10).jpg", "a/p(11).jpg"], [(0, 1), (1, 2)]),
        (["a/Te_0010.png", "a/Te_0012.png", "a/Te_0011.png"], [(0, 2), (1, 2)]),
        (["a/1.jpg", "b/2.jpg", "a/x2.jpg", "a/none.jpg"], []),
        (["h#slice=1", "h#slice=2"], [(0, 1)]),
    ],
)
def test_files_follow_each_other_by_their_last_number_in_one_folder(paths: list[str], pairs: list[tuple[int, int]]) -> None:
    manifest = pd.DataFrame({"source": "s", "path": paths})
    assert sorted(map(tuple, files_in_a_row(manifest, np.arange(len(paths))).tolist())) == pairs


def volumes() -> npt.NDArray[np.uint8]:
    """HEADS series of SLICES that each turn a little from one picture to another: alike, and not as alike as copies are."""
    first, last = gaussian_filter(np.random.default_rng(0).normal(size=(2, HEADS, 1, SIZE_PX, SIZE_PX)), (0, 0, 0, 2.5, 2.5))
    turn = np.deg2rad(32) * np.arange(SLICES)[:, None, None]
    series = np.cos(turn) * first + np.sin(turn) * last
    return np.clip(128 + 60 * series / series.std(), 0, 255).astype(np.uint8).reshape(-1, SIZE_PX, SIZE_PX)


@pytest.fixture
def slices(make_dataset: Callable[..., Snapshot]) -> Callable[..., Snapshot]:
    """A function that makes a dataset of the volumes' slices, numbered in their order, with manifest columns set."""

    def make(**columns: object) -> Snapshot:
        dataset = make_dataset(images=HEADS * SLICES, size_px=SIZE_PX)
        paths = [f"scans/{row:04}.png" for row in range(HEADS * SLICES)]
        labels = np.repeat(dataset.classes, HEADS * SLICES // len(dataset.classes))
        manifest = dataset.manifest.assign(**{"path": paths, "label": labels, **columns})
        return remade(dataset, manifest, audited=False, pixels=volumes()[:, None])

    return make


@pytest.mark.slow
def test_neighboring_slices_are_joined_and_no_two_heads_are(slices: Callable[..., Snapshot]) -> None:
    dataset = slices()
    copies = audit(dataset)
    assert copies.same_head is None
    heads = audit(dataset, same_head=True)
    assert (heads.pairs, heads.copy_sets) == (copies.pairs, copies.copy_sets)
    assert heads.same_head
    assert heads.groups < copies.groups
    audited = Dataset.open(dataset.folder).snapshot()
    groups = audited.groups.reshape(HEADS, SLICES)
    assert sum(len(set(head)) for head in groups) == len(np.unique(groups))
    assert leaking_pairs(split(audited, labeled=8, test=8, validation=0)) == []


@pytest.mark.slow
def test_known_patients_are_believed(slices: Callable[..., Snapshot]) -> None:
    """Where headers say that every slice is another patient's, no two are joined."""
    assert audit(slices(patient=[f"{row:016x}" for row in range(HEADS * SLICES)]), same_head=True).same_head == ()


@pytest.mark.slow
def test_slices_of_new_heads_are_joined_nearly_as_by_an_audit_of_all(tmp_path: Path) -> None:
    """Two heads come later."""
    for row, picture in enumerate(volumes()):
        later = row >= (HEADS - 2) * SLICES
        folder = tmp_path / ("later" if later else "first") / "scans"
        folder.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(picture).save(folder / f"{row:04}.png")
    dataset = import_scans([f"mri={tmp_path / 'first'}"], tmp_path / "data", size_px=SIZE_PX)
    auditing.audit(dataset, same_head=True)
    old = heads_in(dataset.folder)
    add_scans(Dataset.open(dataset.folder), [f"mri={tmp_path / 'later'}"])
    added = heads_in(dataset.folder)
    assert old < added
    auditing.audit(Dataset.open(dataset.folder), same_head=True)
    # Components are of other images then, so what is just alike enough, or just not, may differ.
    assert added <= heads_in(dataset.folder)
    assert len(heads_in(dataset.folder) - added) <= 2


def heads_in(folder: Path) -> set[tuple[str, ...]]:
    """The pairs of slices of one head, by the names of their files."""
    dataset = Dataset.open(folder)
    names, pairs = dataset.unsplit().file_names, dataset.pairs
    heads = ends(pairs[pairs["kind"] == "head"])
    return {tuple(sorted((names[a], names[b]))) for a, b in heads.tolist()}


@pytest.mark.slow
def test_of_one_scan_there_is_nobody_to_join(make_dataset: Callable[..., Snapshot]) -> None:
    found = audit(make_dataset(1), same_head=True)
    assert found.same_head == ()
    assert found.cropped_sentence == ""
    assert replace(found, search="cells").search_sentence in replace(found, search="cells").lines()
