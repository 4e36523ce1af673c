"""A folder of volumes and stacks is labeled image by image."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.labeling.asked import Asked
from fewscan.labeling.label import label_scans
from fewscan.splits.split import split
from fewscan.training.fit import fit
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings


@pytest.mark.slow
def test_every_slice_and_every_file_that_cannot_be_read_has_a_row(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = split(make_dataset(80), labeled=40, test=24, validation=0.25)
    quick = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 1, "device": "cpu"}
    run = Run.create(
        tmp_path / "run", RunSettings.resolve("supervised", "fewscan", quick, labeled=30, unlabeled=16), dataset, 0
    )
    fit(run, dataset, resume=False)
    new = tmp_path / "new"
    new.mkdir()
    volume = np.random.default_rng(0).integers(0, 900, (16, 16, 12)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), new / "head.nii.gz")
    np.save(new / "stack.npy", np.random.default_rng(1).integers(0, 255, (3, 16, 16), np.uint8))
    (new / "cut.nii.gz").write_bytes((new / "head.nii.gz").read_bytes()[:500])

    summary = label_scans(run, dataset, new, tmp_path / "labels.csv", Asked(0.1))
    table = pd.read_csv(tmp_path / "labels.csv").set_index("path")
    slices = [f"head.nii.gz#axial={number}" for number in range(12)]
    assert list(table.index) == ["cut.nii.gz", *slices, *(f"stack.npy#image={number}" for number in range(3))]
    assert (summary.scans, summary.unreadable) == (16, 1)
    assert table.loc["cut.nii.gz", "reason"] == "truncated or damaged: not a complete volume"
    assert set(table.loc[slices, "label"]) <= set(dataset.classes)

    # A file, and one image of it, are labeled as they are in their folder.
    for place, images in ((new / "head.nii.gz", slices), (new / "stack.npy#image=2", ["stack.npy#image=2"])):
        out = tmp_path / f"{len(images)}.csv"
        assert label_scans(run, dataset, place, out, Asked(0.1)).scans == len(images)
        alone = pd.read_csv(out).set_index("path")
        # Of whom one image is cannot be told.
        both = (each.drop(columns="patient") for each in (alone, table.loc[images]))
        pd.testing.assert_frame_equal(*both, atol=1e-5, check_dtype=False)
        assert alone["patient"].fillna(0).tolist() == ([0] if len(images) == 1 else [1] * len(images))
