"""Which format a file has; that pictures are not opened for it; and the error where a package is missing."""

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from fewscan.errors import FewscanError
from fewscan.images.formats import recognition
from fewscan.images.formats.image import MAX_IMAGES, UnreadableImage, numbered
from fewscan.images.formats.recognition import silenced
from fewscan.images.listing import list_scans
from fewscan.images.sources import Source


@pytest.fixture
def mixed(tmp_path):
    for name in ("a.dcm", "b.dcm", "c.nii.gz", "d.mat"):
        (tmp_path / name).write_bytes(b"x" * 400)
    (tmp_path / "e.png").write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (["pydicom"], "there are 2 DICOM files, which need a package that is not installed: pip install 'fewscan[medical]'"),
        (["nibabel"], "there are 1 NIfTI file, which"),
        (["pydicom", "h5py"], "there are 2 DICOM files and 1 MATLAB file, which"),
    ],
)
def test_a_missing_package_is_one_error_before_reading_begins(mixed, monkeypatch, missing, expected):
    for package in missing:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FewscanError) as caught:
        list_scans([Source("in", mixed)])
    assert str(caught.value).startswith(expected)
    assert str(caught.value).endswith("pip install 'fewscan[medical]'")


def test_a_source_of_pictures_needs_no_package_and_opens_no_file(tmp_path, monkeypatch):
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(b"x")
    for package in ("pydicom", "nibabel", "h5py"):
        monkeypatch.setitem(sys.modules, package, None)
    opened = []
    monkeypatch.setattr(recognition, "opened", lambda path: opened.append(path))
    assert len(list_scans([Source("in", tmp_path)])) == 5
    assert opened == []


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a", b"\0" * 128 + b"DICM", "DICOM"),
        ("a.dat", b"\x93NUMPY\1\0", "numpy"),
        ("a.txt", b"\0" * 344 + b"n+1\0", "NIfTI"),
        ("a.txt", b"\x1c\2\0\0n+2\0", "NIfTI"),
        ("a", b"MATLAB 7.3 MAT-file", "MATLAB"),
        ("a", b"\xff\xd8\xff", "picture"),
        ("a.NII.GZ", b"", "NIfTI"),
        ("a.DCM", b"", "DICOM"),
        ("a.mgz", b"", "NIfTI"),
        ("a", b"NRRD0004", "NRRD or MetaImage"),
        ("a.mhd", b"", "NRRD or MetaImage"),
        ("a.raw", b"", "picture"),
        ("a", b"II*\0", "TIFF"),
        ("a", b"MM\0+", "TIFF"),
        ("a.png", b"II*\0", "TIFF"),
        ("a", b"II*\0".ljust(128, b"\0") + b"DICM", "DICOM"),
        ("a.jpg", b"\0" * 128 + b"DICM", "picture"),
    ],
)
def test_files_are_told_by_name_or_first_bytes(tmp_path, name, head, expected):
    (tmp_path / name).write_bytes(head)
    with (tmp_path / name).open("rb") as file:
        assert expected == recognition.recognize(tmp_path / name, file).NAME
        assert file.tell() == 0


def test_what_libraries_log_is_kept_to_itself_and_only_meanwhile(logged):
    part_of_a_library = logging.getLogger("pydicom.a_part")
    part_of_a_library.warning("before")
    with silenced():
        part_of_a_library.error("the patient's name")
        logging.getLogger("another_library").warning("meanwhile")
    part_of_a_library.warning("after")
    assert logged == ["before", "meanwhile", "after"]


def test_libraries_are_silent_until_the_last_reader_is_done_whoever_began(logged):
    part_of_a_library = logging.getLogger("pydicom.a_part")
    first, second = ExitStack(), ExitStack()
    first.enter_context(silenced())
    second.enter_context(silenced())
    first.close()
    part_of_a_library.error("the patient's name")
    second.close()
    part_of_a_library.warning("after")
    assert logged == ["after"]


def test_many_threads_that_read_leave_the_loggers_as_they_were():
    before = logging.getLogger("pydicom").level
    heard = []

    def read(_: int) -> None:
        with silenced():
            heard.append(logging.getLogger("pydicom").isEnabledFor(logging.ERROR))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(2000)))
    assert not any(heard)
    assert logging.getLogger("pydicom").level == before


def test_more_images_in_a_file_than_there_can_be_are_refused_before_they_are_named():
    assert numbered("page", 1, first=1) == (None,)
    assert len(numbered("page", MAX_IMAGES, first=1)) == MAX_IMAGES
    with pytest.raises(UnreadableImage, match="too large"):
        numbered("page", MAX_IMAGES + 1, first=1)
