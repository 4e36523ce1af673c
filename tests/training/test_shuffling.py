from pathlib import Path

import numpy as np
import pytest
import torch

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.images import stored
from fewscan.training import shuffling
from fewscan.training.images import ImageRows
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from fewscan.training.train import train_new

CPU = torch.device("cpu")


@pytest.mark.parametrize("at_a_time", [1, 3, 7, 100])
def test_images_that_are_read_ahead_are_those_of_their_steps(at_a_time: int, tmp_path: Path) -> None:
    pixels = np.memmap(tmp_path / "pixels.raw", np.uint8, mode="w+", shape=(50, 1, 4, 4))
    pixels[:] = np.random.default_rng(0).integers(0, 256, pixels.shape)
    draw = np.random.default_rng(1)
    steps = [draw.integers(0, 50, size) for size in (4, 0, 9, 1, 4, 4, 30)]  # rows twice, and a step without any
    reader = ImageRows(pixels, CPU, keep=True)
    plain = list(reader.beside(steps, lambda step: step))
    ahead = list(reader.beside(iter(steps), lambda step: step, at_a_time))
    assert len(plain) == len(ahead) == len(steps)
    for step, (own, shown), (other, read_ahead) in zip(steps, plain, ahead, strict=True):
        assert own is other is step
        assert torch.equal(shown, read_ahead)
        assert np.array_equal(read_ahead.numpy(), pixels[step])


@pytest.mark.parametrize("read_through", [0, 40, 10**6])
def test_rows_are_read_from_the_file_as_they_are_mapped(
    read_through: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "READ_THROUGH_BYTES", read_through)
    pixels = np.memmap(tmp_path / "pixels.raw", np.uint8, mode="w+", shape=(50, 1, 4, 4))
    pixels[:] = np.random.default_rng(0).integers(0, 256, pixels.shape)
    pixels.flush()
    for rows in (np.array([], np.int64), np.array([0]), np.array([3, 4, 5, 9, 11, 30, 49]), np.arange(50)):
        assert np.array_equal(stored.read_ascending(pixels[:50], rows), pixels[rows])
    (tmp_path / "pixels.raw").write_bytes(b"short")
    with pytest.raises(FewscanError, match="incomplete"):
        stored.read_ascending(pixels, np.array([7]))


def test_an_error_of_the_reading_thread_reaches_who_reads() -> None:
    reader = ImageRows(np.zeros((5, 1, 4, 4), np.uint8), CPU, keep=True)
    with pytest.raises(IndexError):
        list(reader.beside([np.array([1]), np.array([5])], lambda step: step, 2))


def test_a_run_whose_images_the_memory_does_not_hold_says_so_and_keeps_how_it_shuffles(
    split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image, count = split_dataset.spec.image_bytes, split_dataset.description.images
    assert shuffling.buffer_for_memory(split_dataset) is None
    monkeypatch.setattr(shuffling, "memory_bytes", lambda: image * count)
    quick = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 1, "device": "cpu", "probe_images": 0}
    settings = RunSettings.resolve("supervised", "fewscan", quick, labeled=16, unlabeled=0)
    train_new(split_dataset, settings, tmp_path / "run")
    buffer = Run.open(tmp_path / "run").settings.shuffle_buffer
    assert buffer == int(count * shuffling.BUFFER_SHARE)
    assert f"shuffle_buffer={buffer}" in capsys.readouterr().err.replace("\n", " ")
    # What somebody asks for stays.
    train_new(split_dataset, settings.model_copy(update={"shuffle_buffer": 30}), tmp_path / "asked")
    assert Run.open(tmp_path / "asked").settings.shuffle_buffer == 30
