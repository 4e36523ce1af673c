"""The figshare brain-tumor set: files laid out as MATLAB 7.3 lays them out."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import contents_of
from fewscan.images.listing import list_scans
from fewscan.images.options import ImageSpec, ImportOptions
from fewscan.images.readers import Image, read_image, read_images
from fewscan.images.sources import ScanFile, Source

IMAGE = np.random.default_rng(0).integers(0, 3000, (20, 30)).astype(np.int16)
USERBLOCK_BYTES = 512


def saved(path: Path, *, patient: str = "MR0172", label: float = 2.0, image: np.ndarray = IMAGE) -> Path:
    """Write a struct as MATLAB does: a text before the HDF5 file, columns first, text as codes of characters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=USERBLOCK_BYTES) as file:
        struct = file.create_group("cjdata")
        struct.attrs["MATLAB_class"] = np.bytes_("struct")
        struct["PID"] = np.array([[ord(letter)] for letter in patient], np.uint16)
        struct["image"] = image.T
        struct["label"] = np.array([[label]])
        struct["tumorBorder"] = np.array([[3.5, 4.5, 6.0]])
        struct["tumorMask"] = np.zeros(image.T.shape, np.uint8)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64 HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")
    return path


def listed(folder: Path, **options: object) -> list[ScanFile]:
    return list_scans([Source("in", folder)], ImportOptions.parse(options))


@pytest.mark.parametrize(("label", "name"), [(1, "meningioma"), (2, "glioma"), (3, "pituitary")])
def test_image_patient_and_label_come_from_the_file(tmp_path, label, name):
    saved(tmp_path / "1.mat", label=label)
    (scan,) = listed(tmp_path)
    assert (scan.relative, scan.label, scan.patient) == ("1.mat", name, "MR0172")
    image = read_image(scan.path)
    black, white = np.percentile(IMAGE, (0.1, 99.9))
    expected = np.rint(np.clip((IMAGE - black) / (white - black), 0, 1) * 255)
    assert np.abs(image.pixels - expected).max() <= 1
    assert (image.height_px, image.width_px) == IMAGE.shape


def test_the_files_own_label_goes_before_its_folder_and_a_csv_before_both(tmp_path):
    for name in ("a", "b"):
        saved(tmp_path / f"in/brainTumorDataPublic_1-766/{name}.mat")
    assert [scan.label for scan in listed(tmp_path / "in")] == ["glioma", "glioma"]
    assert [scan.label for scan in listed(tmp_path / "in", rename={"glioma": "tumor"})] == ["tumor", "tumor"]
    table = tmp_path / "labels.csv"
    table.write_text("path,label,patient\nin/brainTumorDataPublic_1-766/a.mat,other,p9\n")
    scans = listed(tmp_path / "in", labels=[table])
    assert [(scan.label, scan.patient) for scan in scans] == [("other", "p9"), ("glioma", "MR0172")]
    (unlabeled, _) = list_scans([Source("in", tmp_path / "in", labeled=False)])
    assert (unlabeled.label, unlabeled.patient) == (None, "MR0172")


def test_other_files_of_matlabs_are_set_aside(tmp_path):
    with h5py.File(tmp_path / "cvind.mat", "w") as file:
        file["cvind"] = np.arange(9)
    (tmp_path / "old.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(200))
    saved(tmp_path / "label.mat", label=7)
    with h5py.File(saved(tmp_path / "labels.mat"), "r+") as file:
        del file["cjdata/label"]
        file["cjdata/label"] = np.array([[1.0, 2.0]])
    saved(tmp_path / "volume.mat", image=np.zeros((3, 4, 5)))
    reasons = {}
    scans = listed(tmp_path)
    for scan, result in zip(scans, read_images(scans, ImageSpec(size_px=8, resize="pad", channels=1)), strict=True):
        assert isinstance(result, UnreadableImage)
        reasons[scan.relative] = result.reason
    assert reasons["cvind.mat"].startswith("not an image: of MATLAB files, only")
    assert reasons["old.mat"].startswith("truncated or damaged: not a complete scan of the figshare set")
    assert reasons["label.mat"].startswith("no known label")
    assert reasons["labels.mat"].startswith("truncated or damaged")
    assert reasons["volume.mat"].startswith("not an image: cjdata.image is not")


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_set_aside_and_never_a_crash(tmp_path, data):
    path = saved(tmp_path / "in/1.mat")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for result in read_images(listed(tmp_path / "in"), ImageSpec(size_px=8, resize="pad", channels=1), workers=1):
        assert isinstance(result, Image) or ("\n" not in result.reason and result.sha256)


def elsewhere(path: Path, name: str, way: str, secret: Path) -> None:
    """Replace what a struct holds under `name` by something that leads to another file, or another place."""
    with h5py.File(path, "r+") as file:
        struct = file["cjdata"]
        values = struct[name][()]
        del struct[name]
        if way == "external storage":
            struct.create_dataset(name, values.shape, np.uint8, external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
        elif way == "external link":
            struct[name] = h5py.ExternalLink(str(secret), "/values")
        elif way == "soft link":
            file["moved"] = values
            struct[name] = h5py.SoftLink("/moved")
        elif way == "virtual":
            layout = h5py.VirtualLayout(values.shape, values.dtype)
            layout[:] = h5py.VirtualSource(str(secret), "values", values.shape)
            struct.create_virtual_dataset(name, layout)
        else:
            file["moved"] = values
            struct.create_dataset(name, values.shape, h5py.regionref_dtype)[...] = file["moved"].regionref[...]


@pytest.mark.parametrize("name", ["PID", "label", "image"])
@pytest.mark.parametrize("way", ["external storage", "external link", "soft link", "virtual", "reference"])
def test_a_file_is_never_led_to_another(tmp_path, name, way):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["values"] = IMAGE.T
    path = saved(tmp_path / "in/1.mat")
    elsewhere(path, name, way, secret)
    with pytest.raises(UnreadableImage, match=r"not an image|values elsewhere"):
        contents_of(path, Reading())
        read_image(path)


def test_the_struct_itself_is_no_link(tmp_path):
    path = saved(tmp_path / "1.mat")
    with h5py.File(tmp_path / "2.mat", "w") as file:
        file["cjdata"] = h5py.ExternalLink(str(path), "/cjdata")
    with pytest.raises(UnreadableImage, match="values elsewhere"):
        contents_of(tmp_path / "2.mat", Reading())


def test_a_giant_patients_number_is_not_read(tmp_path):
    path = saved(tmp_path / "1.mat")
    with h5py.File(path, "r+") as file:
        del file["cjdata/PID"]
        file["cjdata"].create_dataset("PID", (500_000_000, 1), np.uint16, chunks=(1_000_000, 1), compression="gzip")
    with pytest.raises(UnreadableImage, match="patient's number"):
        contents_of(path, Reading())
