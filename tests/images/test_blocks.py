"""An import or addition that was stopped goes on with what it had read, and ends as if it had not been stopped."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import fewscan
from fewscan.datasets import importing
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.images import blocks
from fewscan.images.readers import read_images
from fewscan.locks import LOCK_FILE
from fewscan.partial import growing, partial_folder
from fewscan.verifying.verify import verify
from tests.images.test_crop import LARGE, SMALL, head

BLOCK = 4
IMAGES = 14
FILES = ("images/pixels.raw", "images/whole.raw", "images/0000.parquet", "images/0001.parquet", "dataset.json")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", BLOCK)
    # The salt of patients is drawn anew by every import, disturbed or not.
    monkeypatch.setattr("fewscan.images.patient_keys.secrets.token_bytes", bytes)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Scans of one size and shape each, a file with a note, one that cannot be read, and a film of three pages."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(IMAGES - 4):
        PIL.Image.fromarray(head((SMALL, LARGE)[number % 2]) + np.uint8(number)).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    pages = [PIL.Image.fromarray(head(LARGE) + np.uint8(page)) for page in (50, 51, 52)]
    pages[0].save(folder / "55-pages.tif", save_all=True, append_images=pages[1:])
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that are read, as they are asked for."""
    asked: list[str] = []

    def noting(wanted: Any, *how: Any) -> Any:
        asked.extend(scan.relative for scan in wanted)
        return read_images(wanted, *how)

    monkeypatch.setattr(blocks, "read_images", noting)
    return asked


@pytest.fixture
def stopped_after(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stop what is done by Ctrl-C, or by what else is raised, after so many images."""

    def stopped(images: int, do: Callable[[], object], error: type[BaseException] = KeyboardInterrupt) -> None:
        def track(items: list[Any], description: str, total: int) -> Iterator[Any]:
            for number, item in enumerate(items):
                if number == images:
                    raise error
                yield item
            if images == len(items):
                raise error

        with monkeypatch.context() as patch, pytest.raises(error):
            patch.setattr(importing, "track", track)
            do()

    return stopped


def content(folder: Path) -> dict[str, bytes]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: (folder / name).read_bytes() if name in FILES else b"" for name in names if name != LOCK_FILE}


@pytest.mark.parametrize("crop", ["none", "foreground"])
@pytest.mark.parametrize("after", range(0, IMAGES + 1, 3))
def test_an_import_that_is_stopped_goes_on_and_ends_as_undisturbed(
    after: int, crop: str, scans: Path, tmp_path: Path, read: list[str], stopped_after: Callable[..., None]
) -> None:
    def make(name: str) -> Dataset:
        return fewscan.import_scans(scans, tmp_path / name, crop=crop, size_px=16)

    undisturbed = make("undisturbed")
    stopped_after(after, lambda: make("data"))
    kept = after // BLOCK * BLOCK
    assert partial_folder(tmp_path / "data").exists() == (kept > 0)
    assert not (tmp_path / "data").exists()
    read.clear()
    assert content(make("data").folder) == content(undisturbed.folder)
    assert len(read) == IMAGES - kept
    assert {path.name for path in tmp_path.iterdir()} == {"scans", "undisturbed", "data"}


def test_one_that_is_stopped_again_and_again_goes_on_each_time(
    scans: Path, tmp_path: Path, read: list[str], stopped_after: Callable[..., None]
) -> None:
    undisturbed = fewscan.import_scans(scans, tmp_path / "undisturbed", size_px=16)
    for after in (5, 9, 6, 13):
        stopped_after(after, lambda: fewscan.import_scans(scans, tmp_path / "data", size_px=16), MemoryError)
    read.clear()
    assert content(fewscan.import_scans(scans, tmp_path / "data", size_px=16).folder) == content(undisturbed.folder)
    assert len(read) == IMAGES - 3 * BLOCK


def test_how_far_it_has_come_is_said_at_the_stop_and_when_it_goes_on(
    scans: Path, tmp_path: Path, stopped_after: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stopped_after(9, lambda: fewscan.import_scans(scans, tmp_path / "data", size_px=16))
    assert "8 of 14 images have been read, 57 %" in capsys.readouterr().err
    fewscan.import_scans(scans, tmp_path / "data", size_px=16)
    assert "8 of 14 images have been read, 57 %" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ("another file", BLOCK),
        ("gone", None),
        ("new", None),
        ("pixels", BLOCK),
        ("pixels cut short", BLOCK),
        ("facts", BLOCK),
        ("facts cut short", BLOCK),
    ],
)
def test_what_changed_meanwhile_is_read_again(
    change: str, again: int | None, scans: Path, tmp_path: Path, read: list[str], stopped_after: Callable[..., None]
) -> None:
    stopped_after(13, lambda: fewscan.import_scans(scans, tmp_path / "data", size_px=16, crop="none"))
    images = partial_folder(tmp_path / "data") / "images"
    pixels, facts = images / "pixels.raw", images / "0000.partial" / "000001.json"
    if change == "another file":
        written = (scans / "5.png").stat()
        PIL.Image.fromarray(head(LARGE)[::-1]).save(scans / "5.png")
        os.utime(scans / "5.png", ns=(written.st_atime_ns, written.st_mtime_ns + 1))
    elif change == "gone":
        (scans / "0.png").unlink()
    elif change == "new":
        PIL.Image.fromarray(head(SMALL)).save(scans / "00.png")
    elif change == "pixels":
        content_before = bytearray(pixels.read_bytes())
        content_before[5 * 256] ^= 1
        pixels.write_bytes(content_before)
    elif change == "pixels cut short":
        pixels.write_bytes(pixels.read_bytes()[: 11 * 256])
    elif change == "facts":
        facts.write_text(facts.read_text().replace('"color": false', '"color": 3', 1).replace('"stamp": "', '"stamp": "0'))
    else:
        facts.write_bytes(facts.read_bytes()[:100])
    read.clear()
    data = fewscan.import_scans(scans, tmp_path / "data", size_px=16, crop="none")
    asked = list(read)
    assert content(data.folder) == content(fewscan.import_scans(scans, tmp_path / "new", size_px=16, crop="none").folder)
    assert len(asked) == (data.images.rows if again is None else again + IMAGES - 3 * BLOCK)


def test_other_settings_are_refused_and_what_was_read_is_kept_until_the_user_removes_it(
    scans: Path, tmp_path: Path, read: list[str], stopped_after: Callable[..., None]
) -> None:
    stopped_after(9, lambda: fewscan.import_scans(scans, tmp_path / "data", size_px=16, crop="foreground"))
    kept = content(tmp_path / "data.partial")
    with pytest.raises(FewscanError, match=r"size_px=16, not 24; crop=foreground, not none.*remove") as refused:
        fewscan.import_scans(scans, tmp_path / "data", size_px=24, crop="none")
    assert content(tmp_path / "data.partial") == kept
    read.clear()
    shutil.rmtree(str(refused.value).split(" or remove ")[1].split()[0])
    data = fewscan.import_scans(scans, tmp_path / "data", size_px=24, crop="none")
    assert len(read) == IMAGES
    assert content(data.folder) == content(fewscan.import_scans(scans, tmp_path / "new", size_px=24, crop="none").folder)


@pytest.fixture
def others(tmp_path: Path) -> Path:
    folder = tmp_path / "others"
    folder.mkdir()
    PIL.Image.fromarray(head(SMALL)).save(folder / "a.png")
    PIL.Image.fromarray(head(LARGE)).save(folder / "b.png")
    return folder


def way_out(refused: pytest.ExceptionInfo[FewscanError]) -> str:
    return str(refused.value).split(" or remove ")[1].split()[0]


def test_another_source_is_refused_and_what_was_read_is_kept_until_the_user_removes_it(
    scans: Path, others: Path, tmp_path: Path, read: list[str], stopped_after: Callable[..., None]
) -> None:
    stopped_after(9, lambda: fewscan.import_scans(scans, tmp_path / "data", size_px=16))
    kept = content(tmp_path / "data.partial")
    for wrong in (others, f"scans={others}"):
        with pytest.raises(FewscanError, match=f"scans={scans}.*={others}.*remove") as refused:
            fewscan.import_scans(wrong, tmp_path / "data", size_px=16)
    assert content(tmp_path / "data.partial") == kept
    read.clear()
    # With a further one it goes on.
    stopped_after(9, lambda: fewscan.import_scans([str(scans), str(others)], tmp_path / "data", size_px=16))
    assert len(read) < IMAGES
    shutil.rmtree(way_out(refused))
    assert fewscan.import_scans(others, tmp_path / "data", size_px=16).images.rows == 2


def test_labels_may_change_meanwhile(scans: Path, tmp_path: Path, read: list[str], stopped_after: Callable[..., None]) -> None:
    stopped_after(9, lambda: fewscan.import_scans(scans, tmp_path / "data", size_px=16))
    labels = tmp_path / "labels.csv"
    labels.write_text("path,label,patient\n1.png,glioma,Ada\n2.png,normal,Bob\n")
    read.clear()
    data = fewscan.import_scans(scans, tmp_path / "data", size_px=16, labels=labels)
    assert len(read) == IMAGES - 2 * BLOCK
    assert data.snapshot().classes == ("glioma", "normal")
    assert data.snapshot().manifest["patient"].nunique() == 3  # and the film's, which is known by its file


@pytest.mark.parametrize("after", [3, 5, 14])
def test_an_addition_that_is_stopped_goes_on_and_ends_as_undisturbed(
    after: int, scans: Path, tmp_path: Path, read: list[str], stopped_after: Callable[..., None]
) -> None:
    (tmp_path / "first").mkdir()
    PIL.Image.fromarray(head(SMALL)).save(tmp_path / "first" / "a.png")
    data, undisturbed = (
        fewscan.import_scans(tmp_path / "first", tmp_path / name, size_px=16, crop="foreground").folder
        for name in ("data", "undisturbed")
    )
    fewscan.add_scans(undisturbed, scans)
    stopped_after(after, lambda: fewscan.add_scans(data, scans))
    assert not verify(data).faults
    assert Dataset.open(data).images.rows == 1
    read.clear()
    fewscan.add_scans(data, scans)
    assert len(read) == IMAGES - after // BLOCK * BLOCK
    assert content(data) == content(undisturbed)


def test_an_addition_of_others_is_refused_until_what_was_read_is_removed_and_then_writes_over_it(
    scans: Path, tmp_path: Path, stopped_after: Callable[..., None]
) -> None:
    (tmp_path / "first").mkdir()
    PIL.Image.fromarray(head(SMALL)).save(tmp_path / "first" / "a.png")
    data = fewscan.import_scans(tmp_path / "first", tmp_path / "data", size_px=16).folder
    stopped_after(13, lambda: fewscan.add_scans(data, scans))
    PIL.Image.fromarray(head(LARGE)).save(tmp_path / "first" / "b.png")
    before = content(data)
    with pytest.raises(FewscanError, match=f"scans={scans}.*remove") as refused:
        fewscan.add_scans(data, f"first={tmp_path / 'first'}")
    assert content(data) == before
    shutil.rmtree(way_out(refused))
    fewscan.add_scans(data, f"first={tmp_path / 'first'}")
    assert not verify(data).faults
    images = Dataset.open(data).images
    assert images.rows == 2
    assert (images.folder / "pixels.raw").stat().st_size == images.pixels.nbytes
    assert not list(images.folder.glob("*.partial"))


def test_a_source_without_a_usable_image_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for number in range(9):
        (tmp_path / "texts" / f"{number}.png").write_text("no scan")
    with pytest.raises(FewscanError, match="none of its 9 files"):
        fewscan.import_scans(tmp_path / "texts", tmp_path / "data", size_px=16)
    assert [path.name for path in tmp_path.iterdir()] == ["texts"]


def test_values_that_change_behind_their_header_are_read_again(tmp_path: Path, stopped_after: Callable[..., None]) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    header = "ObjectType = Image\nNDims = 2\nDimSize = 20 20\nElementType = MET_UCHAR\nElementDataFile = z{}.raw\n"
    for number in range(6):
        (folder / f"{number}.mhd").write_text(header.format(number))
        (folder / f"z{number}.raw").write_bytes(np.arange(number, 400 + number).astype(np.uint8).data)
    stopped_after(BLOCK + 1, lambda: fewscan.import_scans(folder, tmp_path / "data", size_px=16))
    (folder / "z0.raw").write_bytes(bytes(400))
    gone_on = fewscan.import_scans(folder, tmp_path / "data", size_px=16)
    assert content(gone_on.folder) == content(fewscan.import_scans(folder, tmp_path / "anew", size_px=16).folder)


def test_what_a_kill_left_of_a_whole_addition_goes_with_the_next(scans: Path, tmp_path: Path) -> None:
    data = fewscan.import_scans(scans, tmp_path / "data", size_px=16)
    left = data.folder / "images" / "0000.partial"
    left.mkdir()
    PIL.Image.fromarray(head(LARGE)).save(scans / "new.png")
    fewscan.add_scans(data.folder, scans)
    assert not left.exists()


def test_what_grows_inside_of_a_source_is_no_scan_of_it(
    scans: Path, stopped_after: Callable[..., None], read: list[str]
) -> None:
    stopped_after(13, lambda: fewscan.import_scans(scans, scans / "data", size_px=16))
    read.clear()
    data = fewscan.import_scans(scans, scans / "data", size_px=16)
    assert data.images.rows == IMAGES
    assert len(read) == IMAGES - 3 * BLOCK


def test_two_at_once_are_refused(scans: Path, tmp_path: Path) -> None:
    with growing(tmp_path / "data", "import"), pytest.raises(FewscanError, match="is being written by 'fewscan import'"):
        fewscan.import_scans(scans, tmp_path / "data", size_px=16)
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


@pytest.mark.parametrize("out", [".", "..", "/"])
def test_a_place_without_a_name_of_its_own_is_refused(out: str, scans: Path) -> None:
    with pytest.raises(FewscanError, match="exists"):
        fewscan.import_scans(scans, out, size_px=16)


def test_what_a_kill_left_beside_a_finished_dataset_goes(scans: Path, tmp_path: Path) -> None:
    fewscan.import_scans(scans, tmp_path / "data", size_px=16)
    with growing(tmp_path / "data", "import") as folder:
        (folder / "images").mkdir()
    with pytest.raises(FewscanError, match="exists"):
        fewscan.import_scans(scans, tmp_path / "data", size_px=16)
    assert {path.name for path in tmp_path.iterdir()} == {"scans", "data"}
