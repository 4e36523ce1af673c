"""TIFF: every depth and sign, and its pages, each an image of its own unless it is a smaller copy or a mask."""

import numpy as np
import PIL.Image
import pytest
import tifffile

from fewscan.images.formats.channels import turned
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.listing import list_scans
from fewscan.images.options import ImageSpec, ImportOptions
from fewscan.images.readers import read_image, read_images
from fewscan.images.sources import Source

RAMP = np.tile(np.linspace(0, 4000, 64).round().astype(np.int64), (64, 1))
RAMP_8 = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (64, 1))
RNG = np.random.default_rng(0)


def shows_the_ramp(pixels: np.ndarray) -> bool:
    return pixels.shape == RAMP.shape and bool(np.abs(pixels.astype(int) - RAMP_8).max() <= 2)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
@pytest.mark.parametrize(
    "values",
    [
        (RAMP_8.astype(int) - 128).astype(np.int8),
        RAMP.astype(np.uint16),
        (RAMP - 1024).astype(np.int16),
        (RAMP * 1_000_000).astype(np.uint32),
        ((RAMP - 2000) * 1_000_000).astype(np.int32),
        (RAMP * 2**50).astype(np.uint64),
        (RAMP - 2000) * 2**50,
        (RAMP / 4000).astype(np.float16),
        (RAMP - 2000).astype(np.float32),
        RAMP / 4000,
    ],
    ids=lambda values: str(values.dtype),
)
def test_gray_of_every_depth_and_sign_is_shown_by_its_own_range(tmp_path, values, compression, byteorder):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, values, photometric="minisblack", compression=compression, byteorder=byteorder)
    assert shows_the_ramp(read_image(path).pixels)
    downwards = -values if values.dtype.kind == "f" else ~values
    tifffile.imwrite(path, downwards, photometric="miniswhite", compression=compression, byteorder=byteorder)
    assert shows_the_ramp(read_image(path).pixels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("alpha", [None, 0, 65535])
def test_color_and_alpha_of_16_bits_are_shown_by_their_range(tmp_path, planar, alpha):
    gray = RAMP.astype(np.uint16)
    channels = [gray, gray // 2, gray] + ([] if alpha is None else [np.full_like(gray, alpha)])
    stacked = np.stack(channels, axis=2 if planar == "contig" else 0)
    extra = None if alpha is None else ["unassalpha"]
    tifffile.imwrite(tmp_path / "scan.tif", stacked, photometric="rgb", planarconfig=planar, extrasamples=extra)
    pixels = read_image(tmp_path / "scan.tif", channels=3).pixels
    assert shows_the_ramp(pixels[..., 0])
    assert np.abs(pixels[..., 1].astype(int) - RAMP_8 // 2).max() <= 2


def test_gray_with_alpha_is_laid_on_black(tmp_path):
    half = np.full(RAMP.shape, 65535, np.uint16)
    half[:32] = 0
    stacked = np.stack([RAMP.astype(np.uint16), half], axis=2)
    tifffile.imwrite(tmp_path / "scan.tif", stacked, photometric="minisblack", extrasamples=["unassalpha"])
    pixels = read_image(tmp_path / "scan.tif").pixels
    assert not pixels[:32].any()
    assert np.abs(pixels[32:].astype(int) - RAMP_8[32:]).max() <= 2


def test_a_big_tiff_is_read(tmp_path):
    tifffile.imwrite(tmp_path / "scan", RAMP.astype(np.uint16), bigtiff=True)
    assert shows_the_ramp(read_image(tmp_path / "scan").pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honored(tmp_path, orientation):
    values = RNG.integers(0, 255, (8, 5), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", values, extratags=[(274, "H", 1, orientation, True)])
    np.testing.assert_array_equal(read_image(tmp_path / "scan.tif").pixels, turned(values, orientation))


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "group4", "tiff_lzma"])
def test_what_only_one_library_decompresses_is_read(tmp_path, compression):
    image = PIL.Image.fromarray(RAMP_8)
    image = image.convert("1") if compression == "group4" else image
    image.save(tmp_path / "scan.tif", compression=compression)
    assert np.abs(read_image(tmp_path / "scan.tif").pixels.astype(int) - np.asarray(image.convert("L"))).max() <= 9
    if compression == "tiff_lzw":
        PIL.Image.fromarray(RAMP.astype(np.uint16)).save(tmp_path / "deep.tif", compression=compression)
        assert shows_the_ramp(read_image(tmp_path / "deep.tif").pixels)


@pytest.mark.parametrize(("kind", "predictor"), [(np.float32, 2), (np.float32, 3), (np.uint16, 2)])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_values_stored_as_differences_are_read_by_whichever_library_knows_them(tmp_path, kind, predictor, compression):
    image = PIL.Image.fromarray(RAMP.astype(kind))
    image.save(tmp_path / "scan.tif", compression=compression, tiffinfo={317: predictor})
    assert shows_the_ramp(read_image(tmp_path / "scan.tif").pixels)


def test_a_page_that_would_lose_bits_is_set_aside_with_what_to_do(tmp_path):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, RAMP.astype(np.float64))
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(5)
    with pytest.raises(UnreadableImage, match=r"^not decodable: LZW .* pip install imagecodecs$"):
        read_image(path)


def pages_of(path) -> list[str]:
    return [str(scan.part) for scan in list_scans([Source("in", path.parent)])]


def test_smaller_copies_and_masks_are_no_scans_whether_they_say_so_or_not(tmp_path):
    path = tmp_path / "scan.tif"
    scan = PIL.Image.radial_gradient("L").resize((64, 64))
    small = scan.resize((16, 16), PIL.Image.Resampling.BOX)
    mask = (np.asarray(scan) > 99).astype(np.uint8)
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(np.asarray(scan))
        tiff.write(RNG.integers(0, 255, (16, 16), dtype=np.uint8))  # small, and another picture
        tiff.write(RNG.integers(0, 255, (16, 16), dtype=np.uint8), subfiletype=1)
        tiff.write(np.asarray(small))
        tiff.write(RNG.integers(0, 255, (64, 64), dtype=np.uint8), subfiletype=2)
        tiff.write(mask)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[4].tags["NewSubfileType"].overwrite(4)  # a mask
    (noted, *_) = scans = list_scans([Source("in", tmp_path)])
    assert [one.part for one in scans] == ["page=1", "page=2"]
    assert [note.split(":")[0] for note in noted.notes] == ["pages left out"] * 2
    everything = list_scans([Source("in", tmp_path)], ImportOptions(keep_localizers=True))
    assert [one.part for one in everything] == [f"page={number}" for number in range(1, 7)]


def test_pages_that_are_all_of_two_values_are_scans(tmp_path):
    with tifffile.TiffWriter(tmp_path / "scan.tif") as tiff:
        for _ in range(2):
            tiff.write(RNG.integers(0, 2, (16, 16), dtype=np.uint8))
    assert pages_of(tmp_path / "scan.tif") == ["page=1", "page=2"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", ["pages.tif", "pages"])
def test_each_page_of_a_tiff_is_an_image(tmp_path, dtype, name):
    pages = np.random.default_rng(0).integers(0, 250, (11, 8, 9)).astype(dtype)
    first, *others = [PIL.Image.fromarray(page) for page in pages]
    first.save(tmp_path / name, "TIFF", save_all=True, append_images=others)
    scans = list_scans([Source("in", tmp_path)])
    assert [scan.relative for scan in scans] == [f"{name}#page={number}" for number in range(1, 12)]
    assert {scan.patient for scan in scans} == {f"file {name}"}
    images = list(read_images(scans, ImageSpec(size_px=9, resize="stretch", channels=1)))
    for scan, image, page in zip(scans, images, pages, strict=True):
        alone = read_image(scan.path, part=scan.part)
        assert alone.pixels_sha256 == image.pixels_sha256
        black, white = (0, 255) if dtype == np.uint8 else np.percentile(page, (0.1, 99.9))
        expected = np.rint(np.clip((page.astype(float) - black) / (white - black), 0, 1) * 255)
        assert np.abs(alone.pixels - expected).max() <= 1


def test_a_tiff_of_one_page_is_one_image(tmp_path):
    PIL.Image.fromarray(RAMP_8).save(tmp_path / "one.tiff")
    (scan,) = list_scans([Source("in", tmp_path)])
    assert (scan.relative, scan.part, scan.patient) == ("one.tiff", None, None)


@pytest.mark.parametrize("damaged", ["pixels", "tags", "a tag's count"])
def test_one_bad_page_leaves_the_others(tmp_path, damaged):
    pages = np.random.default_rng(0).integers(0, 250, (3, 40, 40)).astype(np.uint8)
    first, *others = [PIL.Image.fromarray(page) for page in pages]
    path = tmp_path / "a.tiff"
    first.save(path, save_all=True, append_images=others, compression="tiff_adobe_deflate")
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[1]
        begins, length = {
            "pixels": (page.dataoffsets[0], 50),
            "tags": (page.offset + 2, 12 * len(page.tags)),
            "a tag's count": (page.tags["BitsPerSample"].offset + 4, 4),
        }[damaged]
    content = bytearray(path.read_bytes())
    content[begins : begins + length] = bytes(length)
    path.write_bytes(content)
    results = list(read_images(list_scans([Source("in", tmp_path)]), ImageSpec(size_px=40, resize="pad", channels=1)))
    assert isinstance(results[1], UnreadableImage)
    np.testing.assert_array_equal(results[0].pixels[0], pages[0])
    np.testing.assert_array_equal(results[2].pixels[0], pages[2])


def test_pages_that_all_say_to_be_copies_are_scans(tmp_path):
    with tifffile.TiffWriter(tmp_path / "scan.tif") as tiff:
        for _ in range(2):
            tiff.write(RNG.integers(0, 255, (16, 16), dtype=np.uint8), subfiletype=1)
    assert pages_of(tmp_path / "scan.tif") == ["page=1", "page=2"]


def test_small_pages_of_other_proportions_or_of_one_gray_are_no_copies(tmp_path):
    scan = np.asarray(PIL.Image.radial_gradient("L").resize((64, 64)))
    with tifffile.TiffWriter(tmp_path / "scan.tif") as tiff:
        tiff.write(scan)
        tiff.write(np.asarray(PIL.Image.fromarray(scan).resize((16, 32))))
        tiff.write(np.full((16, 16), 7, np.uint8))
    assert pages_of(tmp_path / "scan.tif")[:2] == ["page=1", "page=2"]


@pytest.mark.parametrize("content", [b"II*\0", b"II*\0" + bytes(12), b"MM\0*\0\0\xff\xff", b"no picture"])
def test_what_is_no_tiff_behind_its_beginning_is_set_aside_by_who_reads_it(tmp_path, content):
    (tmp_path / "scan.tif").write_bytes(content)
    (scan,) = list_scans([Source("in", tmp_path)])
    (result,) = read_images([scan], ImageSpec(size_px=8))
    assert isinstance(result, UnreadableImage)


def test_a_page_that_is_a_volume_is_set_aside(tmp_path):
    values = RNG.integers(0, 255, (16, 32, 32), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", values, volumetric=True, tile=(16, 16, 16), photometric="minisblack")
    with pytest.raises(UnreadableImage, match="volume"):
        read_image(tmp_path / "scan.tif")
