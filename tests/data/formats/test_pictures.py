"""TIFF pages, each an image of its own."""

import numpy as np
import PIL.Image
import pytest

from fewscan.data.formats.image import UnreadableImage
from fewscan.data.listing import list_scans
from fewscan.data.options import ImageFormat
from fewscan.data.readers import read_image, read_images
from fewscan.data.sources import Source


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", ["pages.tif", "pages"])
def test_each_page_of_a_tiff_is_an_image(tmp_path, dtype, name):
    pages = np.random.default_rng(0).integers(0, 250, (11, 8, 9)).astype(dtype)
    first, *others = [PIL.Image.fromarray(page) for page in pages]
    first.save(tmp_path / name, "TIFF", save_all=True, append_images=others)
    scans = list_scans([Source("in", tmp_path)])
    assert [scan.relative for scan in scans] == [f"{name}#page={number}" for number in range(1, 12)]
    assert {scan.patient for scan in scans} == {f"file {name}"}
    images = list(read_images(scans, ImageFormat(size_px=9, resize="stretch", channels=1)))
    for scan, image, page in zip(scans, images, pages, strict=True):
        alone = read_image(scan.path, part=scan.part)
        assert alone.pixels_sha256 == image.pixels_sha256
        black, white = (0, 255) if dtype == np.uint8 else np.percentile(page, (0.1, 99.9))
        expected = np.rint(np.clip((page.astype(float) - black) / (white - black), 0, 1) * 255)
        assert np.abs(alone.pixels - expected).max() <= 1


def test_a_tiff_of_one_page_is_one_image(tmp_path):
    PIL.Image.fromarray(np.full((8, 9), 7, np.uint8)).save(tmp_path / "one.tiff")
    (scan,) = list_scans([Source("in", tmp_path)])
    assert (scan.relative, scan.part, scan.patient) == ("one.tiff", None, None)


def test_one_bad_page_leaves_the_others(tmp_path):
    pages = np.random.default_rng(0).integers(0, 250, (3, 40, 40)).astype(np.uint8)
    first, *others = [PIL.Image.fromarray(page) for page in pages]
    path = tmp_path / "a.tiff"
    first.save(path, save_all=True, append_images=others, compression="tiff_adobe_deflate")
    with PIL.Image.open(path) as image:
        image.seek(1)
        begins = image.tag_v2[273][0]
    content = bytearray(path.read_bytes())
    content[begins : begins + 50] = bytes(50)
    path.write_bytes(content)
    results = list(read_images(list_scans([Source("in", tmp_path)]), ImageFormat(size_px=40, resize="pad", channels=1)))
    assert isinstance(results[1], UnreadableImage)
    np.testing.assert_array_equal(results[0].pixels[0], pages[0])
    np.testing.assert_array_equal(results[2].pixels[0], pages[2])


def test_a_film_is_set_aside(tmp_path):
    frames = [PIL.Image.fromarray(np.full((8, 9), value, np.uint8)) for value in (0, 90)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    (result,) = read_images(list_scans([Source("in", tmp_path)]), ImageFormat(size_px=8, resize="pad", channels=1))
    assert isinstance(result, UnreadableImage)
    assert result.reason == "more than one image: 2 frames"
