"""Pictures of one image: every depth, with and without color and alpha, in every format that holds it."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import PIL.Image
import pytest
from openjpeg.utils import encode_array

from fewscan.images.formats.channels import has_color, on_black, turned
from fewscan.images.formats.image import MAX_PIXELS, UnreadableImage
from fewscan.images.formats.pictures import MAX_JPEG_SCANS, in_color
from fewscan.images.formats.reading import Reading, Window
from fewscan.images.formats.recognition import read_in_known_time
from fewscan.images.listing import list_scans
from fewscan.images.options import ImageSpec
from fewscan.images.readers import read_image, read_images
from fewscan.images.sources import Source

RAMP = np.tile(np.linspace(0, 4000, 64).round().astype(np.uint16), (64, 1))
RAMP_8 = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (64, 1))


def png(values: np.ndarray, color_type: int) -> bytes:
    """Write what no library here writes: 16 bits with alpha."""
    depth = 8 * values.itemsize
    rows = b"".join(b"\0" + row.astype(f">u{values.itemsize}").tobytes() for row in values.reshape(len(values), -1))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    written = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize("ramp", [RAMP, RAMP * 16, RAMP // 10 + 30_000, RAMP_8], ids=["12 bits", "16 bits", "narrow", "8 bits"])
@pytest.mark.parametrize("alpha", [None, 0, 1])
@pytest.mark.parametrize("colors", [1, 3])
def test_a_png_of_any_depth_is_shown_by_its_range_and_alpha_that_hides_all_is_ignored(tmp_path, ramp, alpha, colors):
    channels = [ramp] * colors
    if alpha is not None:
        channels.append(np.full_like(ramp, alpha * np.iinfo(ramp.dtype).max))
    color_type = {(1, False): 0, (3, False): 2, (1, True): 4, (3, True): 6}[colors, alpha is not None]
    (tmp_path / "scan.png").write_bytes(png(np.stack(channels, axis=-1), color_type))
    pixels = read_image(tmp_path / "scan.png").pixels
    assert np.abs(pixels.astype(int) - RAMP_8).max() <= 2
    content = (tmp_path / "scan.png").read_bytes()
    (tmp_path / "half.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImage, match="truncated or damaged: "):
        read_image(tmp_path / "half.png")


def test_deep_colors_keep_their_order_and_are_turned_upright(tmp_path):
    stored = np.stack([RAMP, RAMP // 2, RAMP // 4], axis=2)
    cv2.imwrite(str(tmp_path / "scan.png"), stored[..., ::-1])
    content = (tmp_path / "scan.png").read_bytes()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(data)) + b"eXIf" + data + struct.pack(">I", zlib.crc32(b"eXIf" + data))
    (tmp_path / "scan.png").write_bytes(content[:33] + chunk + content[33:])
    pixels = read_image(tmp_path / "scan.png", channels=3).pixels
    for channel, share in enumerate((1, 2, 4)):
        assert np.abs(pixels[..., channel] - np.rot90(RAMP_8, 3) / share).max() <= 2


@pytest.mark.parametrize("suffix", ["jp2", "ppm", "pgm"])
@pytest.mark.parametrize("ramp", [RAMP, RAMP_8], ids=["12 bits", "8 bits"])
def test_jpeg_2000_and_portable_maps_are_read_at_their_depth(tmp_path, suffix, ramp):
    values = ramp if suffix == "pgm" else np.stack([ramp, ramp // 2, ramp // 4], axis=2)[..., ::-1]
    cv2.imwrite(str(tmp_path / f"scan.{suffix}"), values, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    pixels = read_image(tmp_path / f"scan.{suffix}", channels=3).pixels
    for channel, share in enumerate((1, 1, 1) if suffix == "pgm" else (1, 2, 4)):
        assert np.abs(pixels[..., channel] - RAMP_8 / share).max() <= 2


def test_a_tiff_that_is_named_as_another_picture_is_read(tmp_path):
    PIL.Image.fromarray(RAMP).save(tmp_path / "scan.png", "TIFF")
    assert np.abs(read_image(tmp_path / "scan.png").pixels.astype(int) - RAMP_8).max() <= 2


@pytest.mark.parametrize("orientation", range(9))
def test_turning_is_pillows(orientation):
    values = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image = PIL.Image.fromarray(values)
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(turned(values, orientation), np.asarray(PIL.ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_half_an_alpha_halves_and_none_is_ignored(dtype):
    top = np.iinfo(dtype).max
    color = np.full((2, 2, 3), top, dtype)
    alpha = np.array([[0, top], [top // 2, top]], dtype)
    np.testing.assert_array_equal(on_black(color, alpha)[..., 0], alpha)
    np.testing.assert_array_equal(on_black(color, 0 * alpha), color)


def test_a_few_colored_pixels_and_the_tints_of_jpeg_are_no_color(tmp_path):
    gray = np.stack([np.asarray(PIL.Image.radial_gradient("L"))] * 3, axis=2)
    marked = gray.copy()
    marked[:5, :5] = (255, 0, 0)
    assert not has_color(gray)
    assert not has_color(marked)
    assert has_color(np.roll(gray, 40, axis=2) * np.array([1, 0, 1], np.uint8))
    for name, pixels, expected in (("gray", gray, False), ("color", gray // np.array([1, 2, 3], np.uint8), True)):
        path = tmp_path / f"{name}.jpg"
        PIL.Image.fromarray(pixels).save(path, quality=40)
        assert read_image(path).color == expected
        with path.open("rb") as file:
            assert in_color(file) == expected


def test_a_film_is_set_aside(tmp_path):
    frames = [PIL.Image.fromarray(np.full((8, 9), value, np.uint8)) for value in (0, 90)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    (result,) = read_images(list_scans([Source("in", tmp_path)]), ImageSpec(size_px=8, resize="pad", channels=1))
    assert isinstance(result, UnreadableImage)
    assert result.reason == "more than one image: an animation"


def test_a_jpeg_of_endless_scans_is_not_decoded(tmp_path):
    content = encoded("JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(content[:-2] + content[last:-2] * MAX_JPEG_SCANS + content[-2:])
    with pytest.raises(UnreadableImage, match="too large: a JPEG of more than"):
        read_image(tmp_path / "a.jpg")


def encoded(kind, **options):
    file = BytesIO()
    PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("bits", [11, 12, 16])
@pytest.mark.parametrize(("suffix", "least"), [("pgm", 0), ("j2k", 0), ("j2k", -1000)])
def test_a_window_means_the_gray_values_that_are_stored_whatever_the_depth(tmp_path, suffix, least, bits):
    values = RAMP.astype(np.int32) // 8 + least
    if suffix == "pgm":
        content = b"P5\n64 64\n%d\n" % ((1 << bits) - 1) + values.astype(">u2").tobytes()
    else:
        content = bytes(encode_array(values.astype("i2" if least else "u2"), bits_stored=bits))
    (tmp_path / f"scan.{suffix}").write_bytes(content)
    np.save(tmp_path / "scan.npy", values)
    window = Reading(window=Window(center=float(np.median(values)), width=300))
    expected = read_image(tmp_path / "scan.npy", reading=window).pixels
    assert len(np.unique(expected)) > 30
    np.testing.assert_array_equal(read_image(tmp_path / f"scan.{suffix}", reading=window).pixels, expected)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_of_a_photograph_with_pictures_behind_it_the_first_is_read_as_strictly_as_any_jpeg(tmp_path, mode):
    first, behind = (PIL.Image.fromarray(values).convert(mode) for values in (RAMP_8, RAMP_8.T[::2]))
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    first.save(tmp_path / "alone.jpg", exif=turned)
    first.save(tmp_path / "both.jpg", "MPO", save_all=True, append_images=[behind], exif=turned)
    assert PIL.Image.open(tmp_path / "both.jpg").format == "MPO"
    np.testing.assert_array_equal(read_image(tmp_path / "both.jpg").pixels, read_image(tmp_path / "alone.jpg").pixels)
    content = (tmp_path / "both.jpg").read_bytes()
    place = content.index(b"\xff\xda") + 100
    (tmp_path / "both.jpg").write_bytes(content[:place] + content[place + 80 :])
    with pytest.raises(UnreadableImage, match="damaged"):
        read_image(tmp_path / "both.jpg")


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("JPEG", True),
        ("PNG", True),
        ("GIF", True),
        ("BMP", True),
        ("WEBP", True),
        ("TIFF", False),
        ("JPEG2000", False),
        ("PPM", False),
    ],
)
def test_what_a_file_is_and_not_its_name_says_whether_a_library_is_done_in_known_time(tmp_path, kind, known):
    (tmp_path / "a.png").write_bytes(encoded(kind))
    assert read_in_known_time(tmp_path / "a.png") is known
    assert read_image(tmp_path / "a.png").width_px == 40


def test_a_picture_larger_than_any_need_be_is_read_where_memory_is_bounded(tmp_path):
    PIL.Image.fromarray(RAMP_8).save(tmp_path / "a.jpg")
    assert read_in_known_time(tmp_path / "a.jpg")
    with (tmp_path / "a.jpg").open("r+b") as file:
        file.truncate(4 * MAX_PIXELS + 1)
    assert not read_in_known_time(tmp_path / "a.jpg")
