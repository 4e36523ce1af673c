"""Reading one file: pixels as they were stored, hashes that tell copies, a reason for every file that is no use."""

import hashlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fewscan.images.formats import pictures
from fewscan.images.options import ImageSpec
from fewscan.images.parallel import in_order
from fewscan.images.readers import Image, UnreadableImage, fit, read_image, read_images, sha256_of_images

FORMATS = (*pictures.FORMATS, "TIFF")
RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (24, 17), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (24, 17, 3), dtype=np.uint8)
DEEP = (np.arange(24 * 17, dtype=np.uint16) * 9 + 300).reshape(24, 17)


def saved(path: Path, image: PIL.Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    assert "\n" not in caught.value.reason
    return caught.value.reason


def windowed(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, (0.1, 99.9))
    return np.rint(np.clip((values.astype(float) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp", "gif"])
def test_gray_of_8_bits_is_kept_in_every_lossless_format(tmp_path, suffix):
    image = read_image(saved(tmp_path / f"scan.{suffix}", PIL.Image.fromarray(GRAY)))
    np.testing.assert_array_equal(image.pixels, GRAY)
    assert (image.width_px, image.height_px) == (17, 24)


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp", "webp"])
def test_color_is_kept_in_every_lossless_format(tmp_path, suffix):
    path = saved(tmp_path / f"scan.{suffix}", PIL.Image.fromarray(COLOR), lossless=True)
    np.testing.assert_array_equal(read_image(path, channels=3).pixels, COLOR)


def test_jpeg_is_read_as_pillow_reads_it_and_hashed_by_its_bytes(tmp_path):
    path = saved(tmp_path / "scan.jpg", PIL.Image.fromarray(GRAY))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, np.asarray(PIL.Image.open(path)))
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_color_becomes_gray_by_the_601_weights(tmp_path):
    image = read_image(saved(tmp_path / "scan.png", PIL.Image.fromarray(COLOR)))
    assert np.abs(image.pixels - COLOR @ np.array([0.299, 0.587, 0.114])).max() <= 0.51


def test_gray_asked_for_in_color_has_three_equal_channels(tmp_path):
    image = read_image(saved(tmp_path / "scan.png", PIL.Image.fromarray(GRAY)), channels=3)
    np.testing.assert_array_equal(image.pixels, np.stack([GRAY] * 3, axis=2))


def test_the_pixel_hash_sees_through_formats_and_equal_channels_but_not_through_values(tmp_path):
    gray = PIL.Image.fromarray(GRAY)
    variants = [
        saved(tmp_path / "gray.png", gray),
        saved(tmp_path / "gray.tiff", gray, compression="tiff_lzw"),
        saved(tmp_path / "color.png", gray.convert("RGB")),
        saved(tmp_path / "opaque.png", gray.convert("RGBA")),
        saved(tmp_path / "palette.gif", gray),
    ]
    images = [read_image(path) for path in variants]
    assert len({image.pixels_sha256 for image in images}) == 1
    assert len({image.sha256 for image in images}) == len(images)
    changed = GRAY.copy()
    changed[3, 4] ^= 1
    assert read_image(saved(tmp_path / "changed.png", PIL.Image.fromarray(changed))).pixels_sha256 != images[0].pixels_sha256
    turned = saved(tmp_path / "turned.png", PIL.Image.fromarray(GRAY.reshape(17, 24)))
    assert read_image(turned).pixels_sha256 != images[0].pixels_sha256


def test_the_pixel_hash_does_not_depend_on_the_channels_asked_for(tmp_path):
    path = saved(tmp_path / "scan.png", PIL.Image.fromarray(COLOR))
    assert read_image(path, channels=1).pixels_sha256 == read_image(path, channels=3).pixels_sha256


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("scan.png", DEEP),
        ("scan.tiff", DEEP),
        ("scan.tiff", DEEP.astype(">u2")),
        ("scan.tiff", DEEP.astype(np.int32) * 40_000 - 2_000_000),
        ("scan.tiff", DEEP.astype(np.float32) / 7 - 100),
    ],
)
def test_deep_gray_is_mapped_linearly_from_its_own_range(tmp_path, name, values):
    image = read_image(saved(tmp_path / name, PIL.Image.fromarray(values)))
    np.testing.assert_array_equal(image.pixels, windowed(values))
    assert len(np.unique(image.pixels)) > 200


def test_both_byte_orders_of_16_bits_have_the_same_pixel_hash(tmp_path):
    little = read_image(saved(tmp_path / "little.tiff", PIL.Image.fromarray(DEEP.astype("<u2"))))
    big = read_image(saved(tmp_path / "big.tiff", PIL.Image.fromarray(DEEP.astype(">u2"))))
    assert little.sha256 != big.sha256
    assert little.pixels_sha256 == big.pixels_sha256


def test_one_hot_pixel_does_not_darken_a_deep_image(tmp_path):
    values = RNG.integers(0, 4096, (64, 64), dtype=np.uint16)
    values[5, 5] = 65535
    pixels = read_image(saved(tmp_path / "scan.png", PIL.Image.fromarray(values))).pixels
    assert pixels[5, 5] == 255
    assert 120 < np.median(pixels) < 135


@pytest.mark.parametrize("value", [np.uint8(0), np.uint8(255), np.uint16(900), np.float32(0)])
def test_an_image_of_one_value_is_blank(tmp_path, value):
    assert reason(saved(tmp_path / "scan.tiff", PIL.Image.fromarray(np.full((64, 64), value)))).startswith("blank: ")


def test_a_picture_of_one_color_is_blank(tmp_path):
    assert reason(saved(tmp_path / "scan.png", PIL.Image.new("RGB", (9, 9), (200, 100, 0)))).startswith("blank: ")


def test_the_little_that_a_nearly_blank_deep_image_shows_is_kept(tmp_path):
    values = np.full((64, 64), 1000, np.uint16)
    values[0, 0], values[0, 1] = 500, 1500
    pixels = read_image(saved(tmp_path / "scan.png", PIL.Image.fromarray(values))).pixels
    assert (pixels[0, 0], pixels[0, 1], pixels[9, 9]) == (0, 255, 128)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_whose_zero_is_white_is_turned_round_at_every_depth(tmp_path, dtype):
    values = np.arange(64 * 64).reshape(64, 64).astype(dtype)
    path = saved(tmp_path / "scan.tiff", PIL.Image.fromarray(values), tiffinfo={262: 0})
    with PIL.Image.open(path) as image:
        assert image.tag_v2[262] == 0
        offset = image.tag_v2[273][0]
    stored = np.frombuffer(path.read_bytes(), dtype, values.size, offset).reshape(64, 64)
    expected = 255 - (stored if dtype == np.uint8 else windowed(stored))
    assert np.abs(read_image(path).pixels.astype(int) - expected).max() <= 1


def test_palette_one_bit_and_alpha_are_read(tmp_path):
    bits = PIL.Image.fromarray((GRAY > 127).astype(np.uint8) * 255).convert("1")
    np.testing.assert_array_equal(read_image(saved(tmp_path / "bits.png", bits)).pixels, (GRAY > 127) * 255)

    palette = PIL.Image.fromarray(COLOR).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(read_image(saved(tmp_path / "palette.png", palette), channels=3).pixels, expected)

    alpha = np.zeros_like(GRAY)
    alpha[:, :8] = 255
    faded = PIL.Image.merge("LA", [PIL.Image.fromarray(GRAY), PIL.Image.fromarray(alpha)])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "alpha.png", faded)).pixels, np.where(alpha, GRAY, 0))


def test_half_transparent_color_is_composited_onto_black(tmp_path):
    faded = PIL.Image.new("RGBA", (5, 5), (200, 100, 40, 128))
    faded.putpixel((4, 4), (200, 100, 40, 255))
    pixels = read_image(saved(tmp_path / "scan.png", faded), channels=3).pixels
    assert np.abs(pixels[0, 0].astype(int) - [100, 50, 20]).max() <= 1


def test_a_transparent_palette_entry_is_black(tmp_path):
    palette = PIL.Image.fromarray(GRAY).convert("P")
    path = saved(tmp_path / "scan.gif", palette, transparency=int(GRAY[0, 0]))
    assert read_image(path).pixels[0, 0] == 0


def test_cmyk_is_converted(tmp_path):
    ramp = PIL.Image.fromarray(np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (64, 1)))
    path = saved(tmp_path / "scan.jpg", ramp.convert("CMYK"), quality=95)
    assert PIL.Image.open(path).mode == "CMYK"
    assert np.abs(read_image(path).pixels.astype(int) - np.asarray(ramp)).max() <= 6


@pytest.mark.parametrize("name", ["scan.jpg", "scan.tiff", "scan.png"])
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (8, 1), (3, 2), (6, 3)])
def test_exif_orientation_is_honored(tmp_path, name, orientation, turns):
    image = PIL.Image.fromarray(np.pad(np.full((16, 16), 255, np.uint8), ((0, 16), (0, 0))))
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    upright = np.rot90(np.asarray(image), turns)
    read = read_image(saved(tmp_path / name, image, exif=exif))
    assert np.abs(read.pixels.astype(int) - upright).max() <= 8
    assert (read.height_px, read.width_px) == upright.shape


@settings(max_examples=40, deadline=None)
@given(
    pixels=npst.arrays(
        np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)) | st.tuples(*[st.integers(1, 20)] * 2, st.just(3))
    )
)
def test_any_png_comes_back_as_it_was(tmp_path, pixels):
    assume(pixels.min(axis=(0, 1)).tolist() != pixels.max(axis=(0, 1)).tolist())
    path = saved(tmp_path / "scan.png", PIL.Image.fromarray(pixels))
    expected = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    np.testing.assert_array_equal(read_image(path, channels=3).pixels, expected)


def encoded(format_: str) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(COLOR).save(buffer, format_)
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_set_aside_with_a_reason_never_a_crash(tmp_path, format_, data):
    content = bytearray(encoded(format_))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "scan"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    (result,) = read_images([path], ImageSpec(size_px=8, resize="pad", channels=1), workers=1)
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    if isinstance(result, UnreadableImage):
        assert result.reason
        assert "\n" not in result.reason
    else:
        assert result.pixels.shape == (1, 8, 8)


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
def test_half_a_file_is_never_read_as_a_whole_one(tmp_path, format_):
    path = tmp_path / "scan"
    content = encoded(format_)
    path.write_bytes(content[: len(content) // 2])
    assert reason(path).startswith(("truncated or damaged", "not an image"))


def test_an_empty_file(tmp_path):
    (tmp_path / "scan.jpg").touch()
    assert reason(tmp_path / "scan.jpg") == "empty file"


def test_text_that_is_called_jpg(tmp_path):
    (tmp_path / "scan.jpg").write_text("this is no scan")
    assert reason(tmp_path / "scan.jpg").startswith("not an image")


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (header, rows, b"IEND")
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("side", [50_000, 10_000, 8_001])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_png_that_declares_too_many_pixels_is_not_decoded(tmp_path, side):
    (tmp_path / "bomb.png").write_bytes(png_header(side, side))
    assert reason(tmp_path / "bomb.png").startswith("too large: declares")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_several_frames_are_set_aside(tmp_path, suffix):
    frames = [PIL.Image.fromarray(np.full((9, 9), value, np.uint8)) for value in (0, 90, 200)]
    path = saved(tmp_path / f"scan.{suffix}", frames[0], save_all=True, append_images=frames[1:])
    several = "it has 3; name one, such as the first, FILE#page=1"
    assert reason(path) == f"more than one image: {several if suffix == 'tiff' else 'an animation'}"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tiff_that_holds_no_number_somewhere(tmp_path, value):
    values = np.ones((8, 8), np.float32)
    values[2, 3] = value
    assert reason(saved(tmp_path / "scan.tiff", PIL.Image.fromarray(values))).startswith("not finite")


def test_formats_that_are_not_asked_for_are_not_opened(tmp_path):
    assert reason(saved(tmp_path / "scan.eps", PIL.Image.fromarray(COLOR))).startswith("not an image")


def test_files_that_cannot_be_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert reason(tmp_path / "missing") == "no such file"
    assert reason(tmp_path / "broken") == "no such file"
    assert reason(tmp_path / "pipe") == "not a regular file"
    assert reason(tmp_path) == "not a regular file"
    assert reason(tmp_path / "loop").startswith("cannot be read")


def test_a_file_without_rights(tmp_path, rights_count):
    path = saved(tmp_path / "scan.png", PIL.Image.fromarray(GRAY))
    path.chmod(0)
    assert reason(path) == "no permission to read it"


def test_stretch_fills_the_square_and_pad_keeps_the_proportions():
    wide = np.full((20, 80), 200, np.uint8)
    np.testing.assert_array_equal(fit(wide, 40, "stretch"), np.full((1, 40, 40), 200))
    padded = fit(wide, 40, "pad")[0]
    np.testing.assert_array_equal(padded[15:25], np.full((10, 40), 200))
    assert not padded[:15].any()
    assert not padded[25:].any()


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_an_image_of_the_right_size_is_left_as_it_is(resize):
    np.testing.assert_array_equal(fit(COLOR[:17, :17], 17, resize), COLOR[:17, :17].transpose(2, 0, 1))


def test_shrinking_is_antialiased():
    stripes = np.tile(np.array([0, 255], np.uint8), (128, 64))
    assert np.abs(fit(stripes, 16, "stretch").astype(int) - 127).max() <= 8


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    size_px=st.integers(1, 64),
    resize=st.sampled_from(["stretch", "pad"]),
    channels=st.sampled_from([1, 3]),
)
def test_any_shape_fits_and_gray_fits_as_each_channel_of_color_does(height, width, size_px, resize, channels):
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, channels), dtype=np.uint8)
    fitted = fit(pixels if channels == 3 else pixels[..., 0], size_px, resize)
    assert fitted.shape == (channels, size_px, size_px)
    assert fitted.dtype == np.uint8
    assert fitted.flags["C_CONTIGUOUS"]
    for channel in range(channels):
        np.testing.assert_array_equal(fitted[channel], fit(pixels[..., channel], size_px, resize)[0])
    assert fitted.max() <= pixels.max()


def test_many_files_come_in_order_each_image_or_reason_whatever_the_workers(tmp_path):
    paths = [saved(tmp_path / f"{number}.png", PIL.Image.fromarray(GRAY + np.uint8(number))) for number in range(30)]
    paths[7].write_bytes(b"")

    def read(workers: int) -> list[tuple[object, ...]]:
        results = list(read_images(paths, ImageSpec(size_px=8, resize="pad", channels=1), workers=workers))
        assert isinstance(results[7], UnreadableImage)
        return [(one.sha256, one.pixels.tobytes() if isinstance(one, Image) else one.reason) for one in results]

    assert read(1) == read(4)
    expected = [fit(GRAY + np.uint8(number), 8, "pad").tobytes() for number in range(30) if number != 7]
    assert [content for number, (_, content) in enumerate(read(2)) if number != 7] == expected


@pytest.mark.parametrize("block", [1, 2, 5, 100])
def test_results_come_in_the_order_of_the_items_however_many_are_worked_on_at_once(block):
    assert list(in_order(abs, range(-5, 0), workers=2, block=block)) == [5, 4, 3, 2, 1]
    assert list(in_order(abs, range(-5, 0), workers=2, block=block, weigh=lambda item: -item)) == [5, 4, 3, 2, 1]


def test_what_is_not_there_has_no_hash(tmp_path):
    assert sha256_of_images(tmp_path / "nothing.png") is None
