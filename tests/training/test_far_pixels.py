"""A training on pixels that lie elsewhere is the training on those pixels, bit for bit, however much of them it keeps."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch

import fewscan
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.images.elsewhere import FarImages
from fewscan.training import held, images, shuffling
from fewscan.training.held import HeldImages
from fewscan.training.images import ImageRows, _sent_all
from fewscan.training.run import Run

URL = "memory://trained/data"
QUICK: dict[str, Any] = {
    "encoder": {"width": 16},
    "batch_size": 16,
    "epochs": 2,
    "device": "cpu",
    "probe_images": 8,
    "checkpoint_seconds": 1000,
}


# Empty again after each test.
pytestmark = pytest.mark.usefixtures("bucket")


@pytest.fixture
def both(split_dataset: Snapshot, tmp_path: Path) -> tuple[Path, Path]:
    """A dataset, and the same one with its pixels elsewhere."""
    away = shutil.copytree(split_dataset.folder, tmp_path / "away")
    fewscan.move_pixels(away, to=URL, remove=True)
    return split_dataset.folder, away


def weights(run: Run) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


def numbers(run: Run) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "seconds"} for line in run.metrics()]


@pytest.mark.parametrize("method", ["supervised", "mixmatch", "simclr"])
@pytest.mark.parametrize("buffer", [None, 20])
def test_it_gives_the_same_weights_and_numbers(
    method: str, buffer: int | None, both: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether memory holds all pixels, a few of them, or none."""
    image_bytes = Dataset.open(both[0]).images.spec.image_bytes

    def trained(folder: Path, kept: float) -> Run:
        monkeypatch.setattr(held, "memory_bytes", lambda: int(kept * 1000 * image_bytes))
        out = tmp_path / f"{folder.name} {kept}"
        return fewscan.train(folder, out=out, method=method, **QUICK, shuffle_buffer=buffer)

    here = trained(both[0], 1.0)
    for kept in (1.0, 0.01, 0.0):
        there = trained(both[1], kept)
        assert numbers(here) == numbers(there)
        assert weights(here) == weights(there)


def test_what_is_kept_is_read_once(
    both: tuple[Path, Path], tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    ranges = type(bucket).cat_ranges

    def cat_ranges(self: Any, paths: list[str], starts: list[int], ends: list[int], **options: Any) -> Any:
        read.append(sum(ends) - sum(starts))
        return ranges(self, paths, starts, ends, **options)

    monkeypatch.setattr(type(bucket), "cat_ranges", cat_ranges)
    fewscan.train(both[1], out=tmp_path / "run", method="mixmatch", **QUICK)
    assert sum(read) <= Dataset.open(both[1]).pixels.nbytes


def test_rows_that_are_not_kept_are_read_where_they_lie(both: tuple[Path, Path]) -> None:
    far = Dataset.open(both[1]).pixels
    assert isinstance(far, FarImages)
    pixels = np.asarray(far)
    kept = HeldImages(far, np.array([3, 5, 8]), pixels[[3, 5, 8]], complete=False)
    for rows in (np.array([5, 3, 3]), np.array([8, 1, 5, 1]), np.array([70]), np.array([], np.int64)):
        np.testing.assert_array_equal(kept[rows], pixels[rows])
    read_ahead = ImageRows(far, torch.device("cpu"), keep=False).batches(np.arange(70, 2, -1), 7)
    np.testing.assert_array_equal(np.concatenate([batch.numpy() for batch in read_ahead]), pixels[70:2:-1])


def test_all_pixels_go_to_a_device_part_by_part(both: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    here, away = (Dataset.open(folder).pixels for folder in both)
    monkeypatch.setattr(images, "AHEAD_BYTES", 7 * here[0].nbytes)
    for pixels in (here, away):
        assert np.array_equal(_sent_all(pixels, torch.device("cpu")).numpy(), here)


def test_pixels_elsewhere_that_the_memory_does_not_hold_are_shuffled_block_by_block(
    both: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, away = (Dataset.open(folder).snapshot() for folder in both)
    # Of this much the system would keep the file by itself, were it here.
    monkeypatch.setattr(shuffling, "memory_bytes", lambda: 3 * here.pixels.nbytes)
    assert shuffling.buffer_for_memory(here) is None
    assert shuffling.buffer_for_memory(away) is not None


def test_a_bucket_that_breaks_off_ends_in_one_line_and_the_training_goes_on(
    both: tuple[Path, Path], tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = QUICK | {"checkpoint_seconds": 0}
    whole = fewscan.train(both[1], out=tmp_path / "whole", method="mixmatch", **often)
    monkeypatch.setattr(held, "HELD_SHARE", 0.0)
    ranges, content = type(bucket).cat_ranges, bucket.cat("/trained/data/pixels.raw")
    run = tmp_path / "run"

    def cat_ranges(self: Any, *given: Any, **options: Any) -> Any:
        if (run / "checkpoint").exists() and bucket.exists("/trained/data/pixels.raw"):
            bucket.rm("/trained/data/pixels.raw")
        return ranges(self, *given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(bucket), "cat_ranges", cat_ranges)
        with pytest.raises(FewscanError, match=URL):
            fewscan.train(both[1], out=run, method="mixmatch", **often)
    bucket.pipe("/trained/data/pixels.raw", content)
    assert not Run.open(run).finished
    assert weights(fewscan.train(both[1], out=run, resume=True)) == weights(whole)


@pytest.mark.slow
def test_what_comes_after_a_training_says_the_same_of_pixels_elsewhere(
    both: tuple[Path, Path], tmp_path: Path, fewscan: Callable[..., CompletedProcess[str]]
) -> None:
    for name, folder in zip(("here", "there"), both, strict=True):
        place = tmp_path / name
        place.mkdir()
        words = ["batch_size=16", "encoder.width=16", "epochs=1", "device=cpu"]
        commands = [
            ["train", folder, "--out", "run", "--method", "supervised", *words],
            ["evaluate", "run"],
            ["label", "run", "--out", "labels.csv"],
            ["embed", folder, "--encoder", "resnet_small", "--out", "features.parquet"],
            ["report", "run"],
            ["map", "run", "--out", "map.html"],
            ["explain", "run", "--check"],
            ["stress", "run", "--stored", "--only", "rotation,jpeg"],
            ["export", "run", "--format", "safetensors", "--out", "export"],
            ["verify", "run"],
        ]
        for command in commands:
            done = fewscan(*command, cwd=place)
            assert done.returncode == 0, (command, done.stderr)
    for file in ("labels.csv", "features.parquet", "map.csv", "run/test_predictions.csv", "run/stress.csv"):
        here, there = ((tmp_path / name / file).read_bytes() for name in ("here", "there"))
        assert here == there, file
