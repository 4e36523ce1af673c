"""Arrays that numpy saved: one image or a stack, never a pickle."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.images.formats import arrays, recognition
from fewscan.images.formats.array_labels import class_names
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.listing import list_scans
from fewscan.images.options import ImageSpec
from fewscan.images.readers import Image, read_image, read_images
from fewscan.images.sources import ScanFile, Source

RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 256, (9, 7), dtype=np.uint8)
STACK = RANDOM.integers(0, 4000, (12, 9, 7)).astype(np.uint16)


def listed(folder: Path) -> list[ScanFile]:
    return list_scans([Source("in", folder)])


def windowed(values: np.ndarray) -> np.ndarray:
    black, white = np.percentile(values, (0.1, 99.9))
    return np.rint(np.clip((values.astype(float) - black) / (white - black), 0, 1) * 255)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_image_of_8_bits_is_kept_and_each_of_a_stack_has_a_window_of_its_own(tmp_path, order):
    np.save(tmp_path / "a.npy", np.asarray(GRAY, order=order))
    np.save(tmp_path / "b.npy", np.asarray(STACK, order=order))
    scans = listed(tmp_path)
    assert [scan.relative for scan in scans] == ["a.npy", *(f"b.npy#image={number}" for number in range(12))]
    assert [scan.patient for scan in scans] == [None, *["file b.npy"] * 12]
    images = [read_image(scan.path, part=scan.part).pixels for scan in scans]
    np.testing.assert_array_equal(images[0], GRAY)
    for image, values in zip(images[1:], STACK, strict=True):
        np.testing.assert_array_equal(image, windowed(values))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_arrays_of_an_archive_are_numbered_in_its_order(tmp_path, save):
    save(tmp_path / "c.npz", one=GRAY, more=STACK[:2])
    save(tmp_path / "d.npz", GRAY)
    scans = listed(tmp_path)
    assert [scan.relative for scan in scans] == [
        "c.npz#array=0",
        "c.npz#array=1,image=0",
        "c.npz#array=1,image=1",
        "d.npz",
    ]
    images = list(read_images(scans, ImageSpec(size_px=9, resize="pad", channels=1)))
    digests = [image.pixels_sha256 for image in images]
    assert digests[0] == digests[3]
    assert len(set(digests)) == 3
    np.testing.assert_array_equal(read_image(scans[2].path, part=scans[2].part).pixels, windowed(STACK[1]))


@pytest.mark.parametrize("dtype", [">u2", "<i4", "f4", "f2", "i1", "bool"])
def test_numbers_of_every_kind_are_read(tmp_path, dtype):
    values = (STACK[0] % 100).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    expected = values * 255 if dtype == "bool" else windowed(values)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy").pixels, expected)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_pickles_are_never_opened(tmp_path, suffix):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    objects = np.array([[Trap()]], dtype=object)
    with (tmp_path / f"a.{suffix}").open("wb") as file:
        np.save(file, objects, allow_pickle=True) if suffix == "npy" else np.savez(file, objects)
    with pytest.raises(UnreadableImage, match="pickled Python objects"):
        read_image(tmp_path / f"a.{suffix}")
    assert listed(tmp_path)[0].set_aside.startswith("not an image: ")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.zeros(9), "not an image: an array of shape (9,)"),
        (np.zeros((9, 1)), "not an image: an array of shape (9, 1)"),
        (np.zeros((1, 9)), "not an image: an array of shape (1, 9)"),
        (np.zeros((7, 1, 9)), "not an image: an array of shape (7, 1, 9)"),
        (np.zeros((2, 3, 4, 5)), "not an image: an array of shape (2, 3, 4, 5)"),
        (np.zeros((9, 9, 3)), "not an image: an array of shape (9, 9, 3)"),
        (np.zeros((9, 9, 4), np.uint8), "not an image: an array of shape (9, 9, 4)"),
        (np.zeros((9, 9), complex), "not an image: an array of something other than numbers"),
        (np.zeros((0, 9)), "truncated or damaged"),
        (np.full((9, 9), np.nan), "not finite"),
    ],
)  # fmt: skip
def test_what_is_no_image_has_a_reason(tmp_path, values, expected):
    np.save(tmp_path / "a.npy", values)
    (result,) = read_images(listed(tmp_path), ImageSpec(size_px=8, resize="pad", channels=1))
    assert isinstance(result, UnreadableImage)
    assert result.reason.startswith(expected)


COLOR = RANDOM.integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
GRAYS = RANDOM.integers(0, 256, (5, 9, 7), dtype=np.uint8)


@pytest.mark.parametrize(
    ("array", "images"),
    [
        (GRAYS[0][..., None], GRAYS[:1]),
        (GRAYS[..., None], GRAYS),
        (GRAYS[:, None], GRAYS),
        (COLOR[0], COLOR[:1]),
        (COLOR, COLOR),
        (COLOR.transpose(0, 3, 1, 2), COLOR),
        (np.repeat(GRAYS[..., None], 3, axis=3), GRAYS),
    ],
)
@pytest.mark.parametrize("save", [np.save, np.savez])
def test_gray_and_color_are_told_by_the_sides_of_an_array(tmp_path, save, array, images):
    save(tmp_path / ("a.npy" if save is np.save else "a.npz"), array)
    scans = listed(tmp_path)
    assert len(scans) == len(images)
    for scan, image in zip(scans, images, strict=True):
        np.testing.assert_array_equal(read_image(scan.path, 3 if image.ndim == 3 else 1, part=scan.part).pixels, image)


def archive(path: Path, **arrays: np.ndarray) -> list[tuple[str | None, str | None]]:
    """The label and the part of a split of every image in an archive of these arrays."""
    np.savez(path / "a.npz", **arrays)
    return [(scan.label, scan.given_split) for scan in listed(path) if scan.set_aside is None]


def test_medmnist_comes_with_labels_and_a_split(tmp_path):
    classes = np.array([[0], [3], [0], [1], [3]], np.uint8)
    names = {"train": slice(0, 2), "val": slice(2, 3), "test": slice(3, 5)}
    images = {f"{name}_images": COLOR[part] for name, part in names.items()}
    labels = {f"{name}_labels": classes[part] for name, part in names.items()}
    assert archive(tmp_path, **images, **labels) == [
        ("0", "train"),
        ("3", "train"),
        ("0", "validation"),
        ("1", "test"),
        ("3", "test"),
    ]
    scans = listed(tmp_path)
    # The images of a labeled archive are of many people: they are not kept together as one head's slices are.
    assert {scan.patient for scan in scans} == {None}
    np.testing.assert_array_equal(read_image(scans[3].path, 3, part=scans[3].part).pixels, COLOR[3])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 0, 1, 1, 0]),
        np.array([[1], [0], [1], [1], [0]], np.int64),
        np.array([1.0, 0.0, 1.0, 1.0, 0.0]),
        np.array([True, False, True, True, False]),
        np.array(["1", "0", "1", "1", "0"]),
        np.array([b"1", b"0", b"1", b"1", b"0"]),
        np.array([[0, 1], [1, 0], [0, 1], [0, 1], [1, 0]]),
    ],
)
@pytest.mark.parametrize("names", [("images", "labels"), ("X", "y"), ("X_train", "y_train"), ("data", "target")])
def test_labels_beside_images_are_class_names(tmp_path, names, labels):
    found = archive(tmp_path, **dict(zip(names, (GRAYS, labels), strict=True)))
    assert [label for label, _ in found] == ["1", "0", "1", "1", "0"]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0]]),
        np.array([0.5, 1, 2, 1, 0]),
        np.array([1, 0, 1]),
        np.array([1 + 2j] * 5),
    ],
)
def test_labels_that_tell_no_class_are_not_read_and_said(tmp_path, labels):
    assert {label for label, _ in archive(tmp_path, images=GRAYS, labels=labels)} == {None}
    assert all("not read" in scan.notes[0] for scan in listed(tmp_path) if scan.set_aside is None)


def test_labels_that_are_missing_are_none(tmp_path):
    assert [label for label, _ in archive(tmp_path, X=GRAYS, y=np.array([1, np.nan, 0, 0, 1]))] == ["1", None, "0", "0", "1"]


def test_labels_in_a_file_of_their_own_are_no_image(tmp_path):
    np.save(tmp_path / "X.npy", GRAYS)
    np.save(tmp_path / "y.npy", np.eye(5, dtype=np.uint8))
    assert [scan.file for scan in listed(tmp_path) if scan.set_aside is None] == ["X.npy"] * 5


def test_more_images_than_other_formats_may_declare_are_read_where_they_are_there(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20_001, 2, 8), np.uint8))
    assert len(listed(tmp_path)) == 20_001


def test_one_bad_image_of_a_stack_leaves_the_others(tmp_path):
    values = STACK.astype(np.float32)
    values[3, 2, 2] = np.inf
    np.save(tmp_path / "a.npy", values)
    results = list(read_images(listed(tmp_path), ImageSpec(size_px=8, resize="pad", channels=1)))
    assert [number for number, result in enumerate(results) if isinstance(result, UnreadableImage)] == [3]


def test_an_archive_that_declares_a_giant_array_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("giant.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10_000, 8_000, 8_000)})
    assert listed(tmp_path)[0].set_aside.startswith("too large: declares an array")


def test_images_are_counted_over_all_arrays_of_an_archive(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", STACK[:3], STACK[:3])
    assert len(listed(tmp_path)) == 6
    monkeypatch.setattr(arrays, "MAX_ARCHIVED_IMAGES", 5)
    with pytest.raises(UnreadableImage, match="too large: declares more than 5 images"):
        recognition.contents_of(tmp_path / "a.npz", Reading())
    monkeypatch.setattr(arrays, "MAX_IMAGES", 1)
    with pytest.raises(UnreadableImage, match="too large: an archive of 2 arrays"):
        recognition.contents_of(tmp_path / "a.npz", Reading())


def npy(header: str) -> bytes:
    """A .npy file, version 1.0, with this header and zeros behind it."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(400)


@pytest.mark.parametrize("shape", ["(10, 10, }", "(-3, 10, 10)}", "(-1, -1)}", "(0, 10, 10)}"])
def test_a_header_that_cannot_be_is_set_aside(tmp_path, shape):
    (tmp_path / "a.npy").write_bytes(npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}"))
    (scan,) = listed(tmp_path)
    assert scan.set_aside.startswith("truncated or damaged: ")


def test_a_damaged_member_of_an_archive_is_set_aside(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive, archive.open("a.npy", "w") as file:
        np.save(file, STACK)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[600:700] = bytes(100)
    (tmp_path / "a.npz").write_bytes(content)
    results = list(read_images(listed(tmp_path), ImageSpec(size_px=8, resize="pad", channels=1)))
    assert {result.reason for result in results} == {"truncated or damaged: not a complete NumPy array"}


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "f2", "f4", "f8"])
def test_neighbors_at_both_ends_of_a_type_do_not_overflow(tmp_path, dtype):
    limits = np.finfo(dtype) if dtype.startswith("f") else np.iinfo(dtype)
    shares = np.linspace(0.5, 1, 900).reshape(30, 30)
    shares[0, 0] = -1
    values = (shares * (0.99 * float(limits.max))).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    # The lower percentile lies nine tenths of the way from the least value to the next.
    wide = values.astype(np.longdouble)
    black, white = np.percentile(wide, (0.1, 99.9))
    expected = np.clip((wide - black) / (white - black), 0, 1) * 255
    assert np.abs(read_image(tmp_path / "a.npy").pixels - expected).max() <= 1


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_set_aside_and_never_a_crash(tmp_path, data):
    np.save(tmp_path / "a.npy", STACK[:2])
    np.savez(tmp_path / "b.npz", GRAY, STACK[:2])
    path = tmp_path / data.draw(st.sampled_from(["a.npy", "b.npz"]))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for result in read_images(listed(tmp_path), ImageSpec(size_px=8, resize="pad", channels=1), workers=1):
        assert isinstance(result, Image) or ("\n" not in result.reason and result.sha256)


def test_a_stack_is_no_image_until_one_of_it_is_named(tmp_path):
    np.save(tmp_path / "stack.npy", np.zeros((4, 8, 9), np.uint8))
    with pytest.raises(UnreadableImage, match=r"it has 4; .*FILE#image=0"):
        read_image(tmp_path / "stack.npy")


def test_several_numbers_an_image_are_no_class():
    assert isinstance(class_names(np.full((3, 2), 2), 3), str)
    assert class_names(np.eye(3, dtype=int), 3) == ("0", "1", "2")
