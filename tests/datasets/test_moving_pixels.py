"""Pixels are copied to a URL, removed here and brought back: never lost, and never another's. The bucket is in this memory."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from fsspec.registry import known_implementations

import fewscan
from fewscan.datasets import moving_pixels
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.images.elsewhere import ELSEWHERE_FILE
from fewscan.images.store import IMAGES_FOLDER, PIXELS_FILE, WHOLE_FILE
from fewscan.locks import LOCK_FILE
from fewscan.verifying.verify import verify
from tests.images.test_crop import HEAD, LARGE, SMALL, scans

URL = "memory://moved/data"
FILES = (PIXELS_FILE, WHOLE_FILE)


@pytest.fixture
def dataset(bucket: Any, tmp_path: Path) -> Dataset:
    """Four scans that are cropped and kept whole besides."""
    made = scans(tmp_path / "scans", [SMALL, LARGE, HEAD, SMALL])
    return fewscan.import_scans(made, tmp_path / "data", crop="foreground", size_px=32)


def files_of(dataset: Dataset) -> dict[str, bytes]:
    images = dataset.folder / IMAGES_FOLDER
    return {name: (images / name).read_bytes() for name in FILES if (images / name).exists()}


def test_pixels_are_copied_and_stay_until_they_are_to_go(dataset: Dataset, bucket: Any) -> None:
    before = files_of(dataset)
    place = fewscan.move_pixels(dataset, to=f"{URL}/")
    assert (place.url, place.copied_images, place.away) == (URL, 4, ())
    assert files_of(dataset) == before == {name: bucket.cat(f"/moved/data/{name}") for name in FILES}
    assert fewscan.move_pixels(dataset.folder, remove=True).away == FILES
    assert files_of(dataset) == {}
    assert fewscan.move_pixels(dataset.folder) == fewscan.move_pixels(dataset.folder, to=URL, remove=True)


def test_a_folder_without_its_pixels_reads_them_where_they_lie(dataset: Dataset, tmp_path: Path) -> None:
    pixels, whole = (np.array(images) for images in (dataset.pixels, dataset.images.whole))
    fewscan.move_pixels(dataset, to=URL, remove=True)
    moved = Dataset.open(shutil.move(dataset.folder, tmp_path / "node"))
    np.testing.assert_array_equal(np.asarray(moved.pixels), pixels)
    np.testing.assert_array_equal(np.asarray(moved.snapshot().whole), whole)
    assert not verify(moved.folder).faults
    assert URL in repr(moved)
    fewscan.audit(moved)
    assert not verify(moved.folder).faults


def test_pixels_are_brought_back_and_stay_there_too(dataset: Dataset, bucket: Any) -> None:
    before = files_of(dataset)
    fewscan.move_pixels(dataset, to=URL, remove=True)
    place = fewscan.move_pixels(dataset.folder, back=True)
    assert (place.url, place.away) == (URL, ())
    assert files_of(dataset) == before
    assert bucket.exists("/moved/data/pixels.raw")
    assert fewscan.move_pixels(dataset.folder, back=True) == place


def test_scans_are_added_once_the_pixels_are_back_and_the_longer_file_replaces_the_shorter(
    dataset: Dataset, tmp_path: Path
) -> None:
    fewscan.move_pixels(dataset, to=URL, remove=True)
    more = scans(tmp_path / "more", [LARGE, HEAD])
    with pytest.raises(FewscanError, match="--back"):
        fewscan.add_scans(dataset.folder, more)
    fewscan.move_pixels(dataset.folder, back=True)
    fewscan.add_scans(dataset.folder, more)
    place = fewscan.move_pixels(dataset.folder)
    assert (place.images, place.copied_images) == (6, 4)
    with pytest.raises(FewscanError, match="copy of all"):
        fewscan.move_pixels(dataset.folder, remove=True)
    pixels = np.array(Dataset.open(dataset.folder).pixels)
    assert fewscan.move_pixels(dataset.folder, to=URL, remove=True).away == FILES
    np.testing.assert_array_equal(np.asarray(Dataset.open(dataset.folder).pixels), pixels)


@pytest.mark.parametrize("content", [b"notes of somebody", bytes(4 * 32 * 32)])
def test_what_is_somebody_elses_is_never_overwritten(content: bytes, dataset: Dataset, bucket: Any) -> None:
    bucket.pipe("/moved/data/whole.raw", content)
    with pytest.raises(FewscanError, match="other pixels"):
        fewscan.move_pixels(dataset, to=URL, remove=True)
    assert bucket.cat("/moved/data/whole.raw") == content
    assert not bucket.exists("/moved/data/pixels.raw")
    assert tuple(files_of(dataset)) == FILES
    assert fewscan.move_pixels(dataset.folder).url is None


def test_pixels_that_lie_at_one_url_are_brought_back_before_they_go_to_another(dataset: Dataset, bucket: Any) -> None:
    fewscan.move_pixels(dataset, to=URL, remove=True)
    with pytest.raises(FewscanError) as refused:
        fewscan.move_pixels(dataset.folder, to="memory://moved/second")
    for said in (URL, "memory://moved/second", "--back"):
        assert said in str(refused.value)
    assert not bucket.exists("/moved/second/pixels.raw")
    fewscan.move_pixels(dataset.folder, back=True)
    assert fewscan.move_pixels(dataset.folder, to="memory://moved/second").url == "memory://moved/second"
    assert bucket.exists("/moved/data/pixels.raw")


def test_of_each_file_it_is_said_where_it_lies(
    dataset: Dataset, tmp_path: Path, fewscan: Callable[..., CompletedProcess[str]]
) -> None:
    url = f"file://{tmp_path / 'copy'}"

    def lines() -> list[str]:
        said = fewscan("pixels", dataset.folder).stdout.splitlines()
        return [next(line for line in said if line.strip().startswith(name)) for name in FILES]

    assert not any(url in line for line in lines())
    assert fewscan("pixels", dataset.folder, "--to", url).returncode == 0
    assert all("here" in line and url in line for line in lines())
    assert fewscan("pixels", dataset.folder, "--remove").returncode == 0
    assert not any("here" in line for line in lines())
    (tmp_path / "copy" / WHOLE_FILE).unlink()
    assert fewscan("pixels", dataset.folder, "--back").returncode == 2
    assert ["here" in line for line in lines()] == [True, False]


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize(
    ("module", "name"), [("_upload", "after"), ("_require_whole", "before"), ("_require_whole", "after"), ("unlink", "before")]
)
@pytest.mark.parametrize("file", [0, 1])
def test_whenever_it_is_killed_the_same_command_goes_on(
    module: str, name: str, file: int, dataset: Dataset, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls = files_of(dataset), []
    owner: Any = Path if module == "unlink" else moving_pixels
    work = getattr(owner, module)

    def killed(*given: Any, **options: Any) -> Any:
        calls.append(given)
        if len(calls) == file + 1:
            if name == "after":
                work(*given, **options)
            if module == "_upload":
                # As a storage that is no bucket leaves it.
                bucket.pipe("/moved/data/pixels.raw", bucket.cat("/moved/data/pixels.raw")[:-7])
            raise Killed
        return work(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, module, killed)
        with pytest.raises(Killed):
            fewscan.move_pixels(dataset, to=URL, remove=True)
    standing = Dataset.open(dataset.folder)
    np.testing.assert_array_equal(np.asarray(standing.pixels).tobytes(), before[PIXELS_FILE])
    np.testing.assert_array_equal(np.asarray(standing.images.whole).tobytes(), before[WHOLE_FILE])
    assert fewscan.move_pixels(dataset.folder, to=URL, remove=True).away == FILES
    assert {name: bucket.cat(f"/moved/data/{name}") for name in FILES} == before
    assert files_of(dataset) == {}


def own_folder(dataset: Dataset, place: Path) -> Path:
    return dataset.folder / IMAGES_FOLDER


def link_to_the_folder(dataset: Dataset, place: Path) -> Path:
    (place / "linked").symlink_to(dataset.folder / IMAGES_FOLDER, target_is_directory=True)
    return place / "linked"


def links_to_the_files(dataset: Dataset, place: Path) -> Path:
    (place / "there").mkdir()
    for name in FILES:
        (place / "there" / name).symlink_to(dataset.folder / IMAGES_FOLDER / name)
    return place / "there"


def around_it(dataset: Dataset, place: Path) -> Path:
    return dataset.folder


def not_yet_there(dataset: Dataset, place: Path) -> Path:
    return dataset.folder / "copies" / "of_it"


def by_a_detour(dataset: Dataset, place: Path) -> Path:
    return place / "scans" / ".." / dataset.folder.name


def from_here_on(dataset: Dataset, place: Path) -> Path:
    return Path(dataset.folder.name) / IMAGES_FOLDER


@pytest.mark.parametrize("scheme", ["file", "local"])
@pytest.mark.parametrize("remove", [[], ["--remove"]])
@pytest.mark.parametrize(
    "as_there",
    [own_folder, link_to_the_folder, links_to_the_files, around_it, not_yet_there, by_a_detour, from_here_on],
)
def test_a_url_in_the_dataset_itself_is_no_place_for_a_copy(
    as_there: Callable[[Dataset, Path], Path],
    remove: list[str],
    scheme: str,
    dataset: Dataset,
    tmp_path: Path,
    fewscan: Callable[..., CompletedProcess[str]],
) -> None:
    before, url = files_of(dataset), f"{scheme}://{as_there(dataset, tmp_path)}"
    listed = sorted(dataset.folder.rglob("*"))
    done = fewscan("pixels", dataset.folder, "--to", url, *remove, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert str(dataset.folder) in done.stderr
    assert files_of(dataset) == before
    assert [path for path in sorted(dataset.folder.rglob("*")) if path.name != LOCK_FILE] == listed


def test_a_server_that_shows_these_very_files_takes_nothing_away(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As a mount does: nothing of the path says which files these are.
    monkeypatch.setattr(moving_pixels, "on_this_machine", lambda url: None)
    before, url = files_of(dataset), f"file://{links_to_the_files(dataset, tmp_path)}"
    with pytest.raises(FewscanError, match="itself"):
        fewscan.move_pixels(dataset, to=url, remove=True)
    assert files_of(dataset) == before
    assert not verify(dataset.folder).faults


def test_a_path_from_here_on_is_noted_from_the_root_on(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fewscan.move_pixels(dataset, to="file://copy", remove=True).url == f"file://{tmp_path / 'copy'}"
    monkeypatch.chdir("/")
    assert fewscan.move_pixels(dataset.folder, back=True).away == ()


def test_the_folder_of_another_dataset_is_no_place_for_a_copy(dataset: Dataset, tmp_path: Path) -> None:
    other = shutil.copytree(dataset.folder, tmp_path / "other")
    with pytest.raises(FewscanError, match="own images"):
        fewscan.move_pixels(dataset, to=f"file://{other / IMAGES_FOLDER}", remove=True)
    assert tuple(files_of(dataset)) == FILES


def test_killed_between_the_last_look_at_the_copy_and_the_removal_the_file_is_found_again(
    dataset: Dataset, bucket: Any
) -> None:
    before = files_of(dataset)
    fewscan.move_pixels(dataset, to=URL)
    images = dataset.folder / IMAGES_FOLDER
    (images / WHOLE_FILE).rename(images / f"{WHOLE_FILE}.removed")
    assert not verify(dataset.folder).faults
    bucket.rm("/moved/data/whole.raw")
    with pytest.raises(FewscanError, match="no longer exists"):
        fewscan.move_pixels(dataset.folder, remove=True)
    assert files_of(dataset) == before
    assert fewscan.move_pixels(dataset.folder, to=URL, remove=True).away == FILES


def test_a_copy_that_was_changed_is_never_trusted(dataset: Dataset, bucket: Any) -> None:
    fewscan.move_pixels(dataset, to=URL)
    content = bucket.cat("/moved/data/whole.raw")
    bucket.pipe("/moved/data/whole.raw", content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(FewscanError, match="does not have the pixels"):
        fewscan.move_pixels(dataset, remove=True)
    assert tuple(files_of(dataset)) == FILES
    for name in FILES:
        (dataset.folder / IMAGES_FOLDER / name).unlink()
    assert any(URL in fault for fault in verify(dataset.folder).faults)
    with pytest.raises(FewscanError, match="does not have the pixels"):
        fewscan.move_pixels(dataset.folder, back=True)
    assert WHOLE_FILE not in files_of(dataset)
    bucket.pipe("/moved/data/whole.raw", content[:-1])
    with pytest.raises(FewscanError, match="bytes"):
        fewscan.move_pixels(dataset.folder, back=True)


def test_a_disk_that_is_too_small_is_said_before_anything_is_read(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    fewscan.move_pixels(dataset, to=URL, remove=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(FewscanError, match="GB left"):
        fewscan.move_pixels(dataset.folder, back=True)
    assert files_of(dataset) == {}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("somewhere", "URL"),
        ("nosuchprotocol://bucket/data", "nosuchprotocol"),
        ("https://ada:secret@127.0.0.1/data", "password"),
        ("file:///no/such/folder/data", "/no/such/folder"),
        ("memory://moved/data", "gone when this command ends"),
        ("simplecache::memory://moved/data", "'::'"),
    ],
)
def test_a_url_that_cannot_be_is_one_line_and_changes_nothing(
    url: str, said: str, dataset: Dataset, fewscan: Callable[..., CompletedProcess[str]]
) -> None:
    done = fewscan("pixels", dataset.folder, "--to", url, "--remove")
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "secret" not in done.stdout + done.stderr
    assert tuple(files_of(dataset)) == FILES


def test_a_package_that_is_missing_is_named(
    dataset: Dataset, fewscan: Callable[..., CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(known_implementations, "far", {"class": "nosuchpackage.Far", "err": "install farfs"})
    done = fewscan("pixels", dataset.folder, "--to", "far://bucket/data")
    assert done.returncode == 2
    assert "pip install nosuchpackage" in done.stderr
    assert not (dataset.folder / IMAGES_FOLDER / ELSEWHERE_FILE).exists()


def test_the_command_says_where_pixels_lie_and_moves_them(
    dataset: Dataset, fewscan: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    url = (tmp_path / "bucket").as_uri()
    assert "here" in fewscan("pixels", dataset.folder).stdout
    moved = fewscan("pixels", dataset.folder, "--to", url, "--remove")
    assert moved.returncode == 0, moved.stderr
    assert moved.stdout.count(url) == 2
    # Each file is copied and read back to its end.
    assert moved.stderr.count(f"{dataset.images.rows}/{dataset.images.rows}") == 2 * len(FILES)
    assert fewscan("pixels", dataset.folder, "--json").stdout.count(url) == 1
    assert fewscan("pixels", dataset.folder, "--back", "--remove").returncode == 2
    assert fewscan("pixels", dataset.folder, "--back").returncode == 0
    assert tuple(files_of(dataset)) == FILES
