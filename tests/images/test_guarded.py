"""Files that a library is never done with, or takes all memory for: ended, set aside, and the rest goes on."""

import os
from pathlib import Path

import numpy as np
import pytest

from fewscan.images import guarded as guarding
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.guarded import guarded
from fewscan.images.options import ImageSpec, Reading
from fewscan.images.readers import read_image, read_images, read_values
from tests.images.formats.dicom_objects import saved, scan
from tests.images.misbehaving import (
    brings_its_process_down,
    computes_for_ever,
    is_at_fault,
    keeps_silent,
    refuses,
    takes_all_memory,
)


@pytest.fixture(scope="module", autouse=True)
def a_reader_of_ones_own() -> None:
    """What has read for other tests ends by itself: what a process ran that is brought down counts in no coverage."""
    guarding.end_idle()


def test_what_is_asked_is_answered_by_one_process_after_another_call() -> None:
    assert guarded(os.getpid) == guarded(os.getpid) != os.getpid()


@pytest.mark.slow
@pytest.mark.parametrize("function", [computes_for_ever, brings_its_process_down])
def test_a_process_that_is_ended_is_a_file_that_cannot_be_read(function: object) -> None:
    arguments = (1,) if function is computes_for_ever else ()
    with pytest.raises(UnreadableImage, match="cannot be read"):
        guarded(function, *arguments)  # type: ignore[arg-type]
    assert guarded(len, "the next file") == 13


def test_a_path_begins_where_it_is_asked_for_and_not_where_the_process_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded(os.getpid)
    saved(scan(np.arange(64, dtype=np.uint8).reshape(8, 8)), tmp_path / "scan.dcm")
    monkeypatch.chdir(tmp_path)
    assert read_image(Path("scan.dcm")).pixels.shape == (8, 8)
    assert read_values(Path("scan.dcm"), part=None, reading=Reading())[0].pixels.shape == (8, 8)


def test_memory_has_a_bound_of_its_own() -> None:
    with pytest.raises(UnreadableImage, match=r"cannot be read|not enough memory"):
        guarded(takes_all_memory)
    assert guarded(len, "the next file") == 13


def test_a_file_that_waits_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "MAX_WAIT_SECONDS", 0.2)
    with pytest.raises(UnreadableImage, match="no answer"):
        guarded(keeps_silent)


@pytest.mark.slow
def test_a_reason_comes_through_and_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(UnreadableImage, match="not an image: a test"):
        guarded(refuses)
    with pytest.raises(RuntimeError, match="our own mistake"):
        guarded(is_at_fault)
    guarding.end_idle()  # by itself: see above


@pytest.mark.slow
def test_one_file_that_ends_its_process_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.npy" for number in range(4)]
    for path in paths:
        np.save(path, np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8))
    ask = guarding._Reader.ask

    def ended(reader: guarding._Reader, function: object, arguments: tuple[object, ...]) -> object:
        bad = arguments[0].path == paths[2]  # type: ignore[attr-defined]
        return ask(reader, brings_its_process_down, ()) if bad else ask(reader, function, arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(guarding._Reader, "ask", ended)
    results = list(read_images(paths, ImageSpec(size_px=8), workers=2))
    assert [isinstance(result, UnreadableImage) for result in results] == [False, False, True, False]
    assert all(result.sha256 is not None for result in results)
