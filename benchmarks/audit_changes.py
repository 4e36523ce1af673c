"""What happens to a scan between two data sets: the changes through which the audit should still know it."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def contrast_and_brightness(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    gray = np.asarray(scan, np.float32)
    changed = (gray - gray.mean()) * random.uniform(0.6, 1.6) + gray.mean() + random.uniform(-40, 40)
    return Image.fromarray(np.clip(changed, 0, 255).astype(np.uint8))


def gamma(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    changed = (np.asarray(scan, np.float32) / 255) ** np.exp(random.uniform(-0.6, 0.6))
    return Image.fromarray((255 * changed).astype(np.uint8))


def sharpen(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return scan.filter(ImageFilter.UnsharpMask(random.uniform(1, 3), int(random.uniform(80, 250)), 0))


def resize(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    factor = random.uniform(0.5, 2)
    return scan.resize((max(8, int(scan.width * factor)), max(8, int(scan.height * factor))), Image.Resampling.BICUBIC)


def crop(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    left, top, right, bottom = random.uniform(0, 0.12, 4)
    wide, high = scan.size
    return scan.crop((int(left * wide), int(top * high), int(wide - right * wide), int(high - bottom * high)))


def mirror(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(scan)


def jpeg(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    scan.save(file, "JPEG", quality=int(random.integers(30, 96)))
    return Image.open(file).convert("L")


MILD: tuple[Change, ...] = (contrast_and_brightness, gamma, sharpen, resize, crop, mirror, jpeg)


def three_at_once(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    for number in random.permutation(len(MILD))[:3]:
        scan = MILD[number](scan, random)
    return scan


def cropped(share: float) -> Change:
    """Cut `share` of width and height off every side."""

    def change(scan: Image.Image, random: np.random.Generator) -> Image.Image:
        wide, high = scan.size
        return scan.crop((int(share * wide), int(share * high), int((1 - share) * wide), int((1 - share) * high)))

    return change


def turned(degrees: float) -> Change:
    """Turn to the left or to the right; what comes into the frame is black."""

    def change(scan: Image.Image, random: np.random.Generator) -> Image.Image:
        return scan.rotate(degrees * random.choice([-1, 1]), Image.Resampling.BICUBIC)

    return change


def quarter_turn(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return scan.transpose(random.choice([Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270]))


def half_turn(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return scan.transpose(Image.Transpose.ROTATE_180)


def upside_down(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.flip(scan)


def equalized(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.equalize(scan)


def inverted(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.invert(scan)


def blur(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return scan.filter(ImageFilter.GaussianBlur(0.02 * scan.width))


def padded(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    """Add a black border of a fifth of the width and the height on every side."""
    wide, high = int(0.2 * scan.width), int(0.2 * scan.height)
    return ImageOps.expand(scan, (wide, high), fill=0)


def caption(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    """Burn lines of text into a corner at the top, and one at the bottom."""
    scan, size = scan.copy(), max(8, int(scan.width * 0.06))
    draw = ImageDraw.Draw(scan)
    lines = f"PATIENT {random.integers(1000, 9999)}\nAX T1 +C  R\n20{random.integers(10, 25)}-04-12 SE {random.integers(1, 9)}"
    draw.text((scan.width * 0.03, scan.height * 0.03), lines, fill=255, font_size=size)
    draw.text((scan.width * 0.75, scan.height * 0.9), f"IM {random.integers(10, 99)}", fill=255, font_size=size)
    return scan


# What an audit is measured by: name -> change.
CHANGES: dict[str, Change] = {
    "contrast and brightness": contrast_and_brightness,
    "gamma": gamma,
    "sharpened": sharpen,
    "resized": resize,
    "JPEG quality 30 to 95": jpeg,
    "mirrored": mirror,
    "crop of 0 to 12 % a side": crop,
    "three of these at once": three_at_once,
    "crop of 12 % of each side": cropped(0.12),
    "crop of 15 % of each side": cropped(0.15),
    "crop of 20 % of each side": cropped(0.20),
    "padded by 20 % of each side": padded,
    "turned by 3 degrees": turned(3),
    "turned by 5 degrees": turned(5),
    "turned by 8 degrees": turned(8),
    "turned by 15 degrees": turned(15),
    "quarter turn": quarter_turn,
    "half turn": half_turn,
    "upside down": upside_down,
    "histogram equalized": equalized,
    "gray inverted": inverted,
    "caption burnt in": caption,
    "blurred by 2 % of the width": blur,
}
