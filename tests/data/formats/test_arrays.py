"""Arrays that numpy saved: one image or a stack, never a pickle."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fewscan.data.formats.image import UnreadableImage
from fewscan.data.listing import list_scans
from fewscan.data.options import ImageFormat
from fewscan.data.readers import Image, read_image, read_images
from fewscan.data.sources import ScanFile, Source

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
    images = list(read_images(scans, ImageFormat(size_px=9, resize="pad", channels=1)))
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
    with pytest.raises(UnreadableImage, match="Python objects, which are pickled and never opened"):
        read_image(tmp_path / f"a.{suffix}")
    assert listed(tmp_path)[0].set_aside.startswith("not an image: ")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.zeros(9), "not gray images: an array (9,)"),
        (np.zeros((2, 3, 4, 5)), "not gray images"),
        (np.zeros((9, 9, 3), np.uint8), "not gray images: an array (9, 9, 3)"),
        (np.zeros((9, 9), complex), "not an image: an array of something else than numbers"),
        (np.zeros((0, 9)), "truncated or damaged"),
        (np.full((9, 9), np.nan), "not finite"),
    ],
)  # fmt: skip
def test_what_is_no_gray_image_has_a_reason(tmp_path, values, expected):
    np.save(tmp_path / "a.npy", values)
    (result,) = read_images(listed(tmp_path), ImageFormat(size_px=8, resize="pad", channels=1))
    assert isinstance(result, UnreadableImage)
    assert result.reason.startswith(expected)


def test_one_bad_image_of_a_stack_leaves_the_others(tmp_path):
    values = STACK.astype(np.float32)
    values[3, 2, 2] = np.inf
    np.save(tmp_path / "a.npy", values)
    results = list(read_images(listed(tmp_path), ImageFormat(size_px=8, resize="pad", channels=1)))
    assert [number for number, result in enumerate(results) if isinstance(result, UnreadableImage)] == [3]


def test_an_archive_that_declares_a_giant_array_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("giant.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10_000, 8_000, 8_000)})
    assert listed(tmp_path)[0].set_aside.startswith("too large: declares an array")


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
    results = list(read_images(listed(tmp_path), ImageFormat(size_px=8, resize="pad", channels=1)))
    assert {result.reason for result in results} == {"truncated or damaged: not one whole array of numpy's"}


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


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_set_aside_and_never_a_crash(tmp_path, data):
    np.save(tmp_path / "a.npy", STACK[:2])
    np.savez(tmp_path / "b.npz", GRAY, STACK[:2])
    path = tmp_path / data.draw(st.sampled_from(["a.npy", "b.npz"]))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for result in read_images(listed(tmp_path), ImageFormat(size_px=8, resize="pad", channels=1), workers=1):
        assert isinstance(result, Image) or ("\n" not in result.reason and result.sha256)
