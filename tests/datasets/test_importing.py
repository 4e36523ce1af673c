"""From folders of files to a dataset folder: what is in it, what was set aside, and that it is whole or not there at all."""

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fewscan.datasets import importing
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans, summary
from fewscan.datasets.snapshot import MANIFEST_DTYPES
from fewscan.errors import FewscanError
from fewscan.images.readers import fit

RNG = np.random.default_rng(0)


def draw(path: Path, height: int = 20, width: int = 30) -> np.ndarray:
    pixels = RNG.integers(0, 256, (height, width), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def scans(tmp_path):
    root = tmp_path / "scans"
    for number in range(6):
        draw(root / "glioma" / f"{number}.png")
        draw(root / "no_tumor" / f"{number}.png")
    draw(root / "new.png")
    (root / "glioma/empty.jpg").touch()
    (root / "notes").mkdir()
    (root / "notes/readme.txt").write_text("this is no scan")
    return root


def test_each_row_holds_its_files_pixels_and_facts(scans, tmp_path):
    dataset = import_scans([str(scans)], tmp_path / "dataset", size_px=16, resize="pad").snapshot()
    manifest = dataset.manifest
    assert list(manifest.columns) == list(MANIFEST_DTYPES)
    assert list(manifest["path"]) == sorted(manifest["path"])
    assert dataset.pixels.shape == (len(manifest), 1, 16, 16)
    for row in dataset.usable:
        file = scans / manifest["path"][row]
        np.testing.assert_array_equal(dataset.pixels[row], fit(np.asarray(PIL.Image.open(file)), 16, "pad"))
        assert (manifest["height_px"][row], manifest["width_px"][row]) == (20, 30)
        assert manifest["label"].isna()[row] == (file.name == "new.png")
    assert dataset.classes == ("glioma", "no_tumor")
    assert manifest["sha256"].notna().all()
    assert not manifest["conflict"].any()
    assert manifest[["group", "copy_set", "split"]].isna().all(axis=None)
    (source,) = dataset.description.sources
    assert (source.name, source.folder, source.images, source.set_aside) == ("scans", str(scans), 13, 2)


def test_the_folder_that_is_returned_is_the_one_on_disk(scans, tmp_path):
    dataset = import_scans([str(scans)], tmp_path / "new/place/dataset")
    again = Dataset.open(tmp_path / "new/place/dataset")
    assert again.description == dataset.description
    assert sorted(path.name for path in again.folder.iterdir()) == ["dataset.json", "images", "labels.db"]


def test_color_is_kept_where_it_is_asked_for(tmp_path):
    color = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    (tmp_path / "scans").mkdir()
    PIL.Image.fromarray(color).save(tmp_path / "scans/a.png")
    dataset = import_scans([str(tmp_path / "scans")], tmp_path / "dataset", size_px=8, channels=3)
    np.testing.assert_array_equal(dataset.pixels[0], color.transpose(2, 0, 1))


def test_bad_files_keep_a_black_row_with_the_reason_and_are_counted(scans, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("path,label\nscans/glioma/0.png,glioma\nscans/gone.png,glioma\nscans/new.png,normal\n")
    (scans / "bad.png").write_bytes((scans / "new.png").read_bytes()[:200])
    dataset = import_scans([str(scans)], tmp_path / "dataset", labels=[labels], size_px=16).snapshot()
    aside = dataset.manifest[dataset.manifest["set_aside"].notna()]
    assert list(aside["path"]) == ["bad.png", "glioma/empty.jpg", "gone.png", "notes/readme.txt"]
    assert not dataset.pixels[aside.index].any()
    assert list(aside["sha256"].isna()) == [False, False, True, False]
    assert aside[["pixels_sha256", "width_px", "height_px"]].isna().all(axis=None)

    counted = summary(dataset)
    assert counted.images == 13
    assert counted.classes == {"glioma": 6, "no_tumor": 6, "normal": 1}
    assert counted.unlabeled == 0
    assert counted.set_aside == 4
    assert counted.reasons == {"truncated or damaged": 1, "empty file": 1, "no such file": 1, "not an image": 1}
    assert [example.path for example in counted.examples] == list(aside["path"])
    assert counted.examples[2].reason == "no such file: named in labels.csv, row 3"


def test_a_dataset_says_of_itself_how_many_images_can_be_used(scans, tmp_path):
    dataset = import_scans([str(scans)], tmp_path / "dataset", size_px=16)
    assert len(dataset.snapshot().manifest) == 15
    for shown in (dataset, dataset.snapshot()):
        assert ": 13 images" in repr(shown)
    dataset.labels.set([0], state="not a scan")
    assert ": 12 images" in repr(dataset)


@pytest.mark.parametrize("setting", ["crop", "negatives"])
def test_what_refuses_an_unknown_choice_names_the_one_by_a_look_at_the_scans(setting, scans, tmp_path):
    with pytest.raises(FewscanError, match="foregound") as refused:
        import_scans([str(scans)], tmp_path / "dataset", **{setting: "foregound"})
    assert setting in str(refused.value)
    assert "auto" in str(refused.value)


def test_every_bad_file_of_the_list_is_set_aside_and_the_import_goes_on(tmp_path):
    root = tmp_path / "scans"
    draw(root / "good.png")
    PIL.Image.linear_gradient("L").convert("CMYK").save(root / "cmyk.jpg")
    PIL.Image.new("L", (9, 9), 70).save(root / "blank.png")
    (root / "text.jpg").write_text("no image")
    frames = [PIL.Image.new("L", (9, 9), value) for value in (0, 255)]
    frames[0].save(root / "film.gif", save_all=True, append_images=frames[1:])
    PIL.Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(root / "nan.tiff")
    (root / "link.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(root / "pipe")
    counted = summary(import_scans([str(root)], tmp_path / "dataset").snapshot())
    assert counted.images == 2
    assert counted.reasons == {
        "blank": 1, "more than one image": 1, "no such file": 1, "not finite": 1, "not a regular file": 1, "not an image": 1,
    }  # fmt: skip


@pytest.mark.parametrize("workers", [2, 7])
def test_the_same_files_give_the_same_dataset_whatever_the_workers(scans, tmp_path, workers):
    one = import_scans([str(scans)], tmp_path / "one", workers=1)
    other = import_scans([str(scans)], tmp_path / "other", workers=workers)
    assert one.description == other.description
    assert one.snapshot().description == other.snapshot().description
    for name in ["images/pixels.raw", "images/0000.parquet", "dataset.json"]:
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_the_fingerprint_follows_the_files_not_where_they_lie(scans, tmp_path):
    first = import_scans([str(scans)], tmp_path / "first").snapshot().description.fingerprint
    moved = scans.rename(tmp_path / "moved")
    assert import_scans([f"scans={moved}"], tmp_path / "second").snapshot().description.fingerprint == first
    draw(moved / "new.png")
    assert import_scans([f"scans={moved}"], tmp_path / "third").snapshot().description.fingerprint != first


def test_a_pile_without_labels_is_a_dataset_without_classes(tmp_path):
    draw(tmp_path / "pile/a.png")
    dataset = import_scans([], tmp_path / "dataset", unlabeled=[str(tmp_path / "pile")]).snapshot()
    assert dataset.classes == ()
    assert summary(dataset).unlabeled == 1


@pytest.mark.slow
def test_a_source_without_a_usable_image_is_refused_with_the_first_reasons(scans, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("no scan")
    with pytest.raises(FewscanError, match=r"source 'texts': none of its 1 files is a usable image \(a.txt: not an image"):
        import_scans([str(scans), str(tmp_path / "texts")], tmp_path / "dataset")
    assert {path.name for path in tmp_path.iterdir()} == {"scans", "texts"}


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"size_px": 0}, "setting 'size_px'"),
        ({"channels": 2}, "setting 'channels'"),
        ({"resize": "crop"}, "setting 'resize'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_read(tmp_path, wrong, expected):
    with pytest.raises(FewscanError, match=expected):
        import_scans([str(tmp_path / "nowhere")], tmp_path / "dataset", **wrong)


def test_what_exists_is_never_overwritten(scans, tmp_path):
    (tmp_path / "dataset").mkdir()
    with pytest.raises(FewscanError, match="exists"):
        import_scans([str(scans)], tmp_path / "dataset")
    assert not list((tmp_path / "dataset").iterdir())


@pytest.mark.parametrize("out", ["scans/new.png/dataset", "x" * 300])
def test_an_out_that_cannot_be_made_is_refused(scans, tmp_path, out):
    with pytest.raises(FewscanError, match=r"cannot write .*choose another place"):
        import_scans([str(scans)], tmp_path / out)


def test_an_out_without_rights_is_refused(scans, tmp_path, rights_count):
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(FewscanError, match="Permission denied; choose another place"):
        import_scans([str(scans)], tmp_path / "locked/dataset")


@pytest.mark.parametrize(("size_px", "stopped_file"), [(96, "pixels.raw"), (8, "0000.parquet")])
def test_a_full_disk_is_said_so_and_leaves_nothing(scans, tmp_path, size_px, stopped_file, largest_file_bytes):
    whole = import_scans([str(scans)], tmp_path / "whole", size_px=size_px)
    limit = 5_000
    too_large = {path.name for path in whole.folder.rglob("*") if path.stat().st_size > limit}
    assert stopped_file in too_large
    before = set(tmp_path.iterdir())
    with largest_file_bytes(limit), pytest.raises(FewscanError) as refused:
        import_scans([str(scans)], tmp_path / "dataset", size_px=size_px)
    assert str(refused.value).startswith(f"no disk space left to write {tmp_path / 'dataset'}")
    assert set(tmp_path.iterdir()) == before


def test_an_interrupt_leaves_nothing(scans, tmp_path, monkeypatch):
    def interrupted(items, description, total):
        yield items[0]
        yield items[1]
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "track", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_scans([str(scans)], tmp_path / "dataset")
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


@pytest.mark.slow
def test_real_scans_are_read_and_have_the_classes_of_their_folders(real_scans: Path, tmp_path: Path) -> None:
    """Every eighth: `tests/images/test_listing.py` counts them all."""
    files = [path for name in ("sartaj", "nickparvar") for path in sorted((real_scans / name).rglob("*.jpg"))[::8]]
    for path in files:
        copied = tmp_path / path.relative_to(real_scans)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    sources = [f"{name}={tmp_path / name}" for name in ("sartaj", "nickparvar")]
    counted = summary(import_scans(sources, tmp_path / "mri", size_px=8).snapshot())
    assert (counted.images, counted.unlabeled, counted.set_aside) == (len(files), 0, 0)
    folders = Counter(path.parent.name.removesuffix("_tumor").replace("notumor", "no") for path in files)
    assert {name.removesuffix("_tumor"): count for name, count in counted.classes.items()} == folders
