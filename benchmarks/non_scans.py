"""Images that are no scans of the kind that a run learned from, 8-bit as a file would hold them: kinds by name.

CHOSEN_WITH are the kinds that the gate's form was chosen with. TESTED_WITH are ten others: no limit, description or weight was
chosen with them. All but those in NEED_SCIKIT_IMAGE are drawn here or come with scikit-learn and Matplotlib; these need
scikit-image, for the pictures that it brings.
"""

import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage
from scipy.spatial import cKDTree
from sklearn.datasets import load_digits, load_sample_images

from fewscan.images.options import Resize
from fewscan.images.readers import fit

SIDE = 256
Random = np.random.Generator
Picture = np.ndarray  # (H, W) or (H, W, 3) uint8

_TEXT = """the patient was seen again and all findings of the scan were read with care no change since the last report slice
contrast series value image normal left right follow up in six weeks signed by"""
WORDS = _TEXT.split()


def of_kind(kind: str, count: int, scans: np.ndarray, seed: int = 0) -> list[Picture]:
    """Draw `count` pictures of a kind; scans: (N, S, S) uint8, which some kinds are made from."""
    number = [*CHOSEN_WITH, *TESTED_WITH].index(kind)
    random = np.random.default_rng([seed, number])
    draw = (CHOSEN_WITH | TESTED_WITH)[kind]
    return [draw(random, scans) for _ in range(count)]


def as_a_dataset_holds_it(picture: Picture, size_px: int, resize: Resize, channels: int) -> np.ndarray:
    """Return (C, S, S) uint8."""
    image = Image.fromarray(picture).convert("L" if channels == 1 else "RGB")
    return fit(np.asarray(image), size_px, resize)


# --- kinds that the gate was chosen with


def noise(random: Random, scans: np.ndarray) -> Picture:
    """White noise, Gaussian noise, salt and pepper."""
    return [
        random.integers(0, 256, (SIDE, SIDE)).astype(np.uint8),
        _8_bit(random.normal(random.uniform(40, 200), random.uniform(10, 60), (SIDE, SIDE))),
        _8_bit(255.0 * (random.random((SIDE, SIDE)) < random.uniform(0.02, 0.5))),
    ][random.integers(3)]


def gradient(random: Random, scans: np.ndarray) -> Picture:
    """Even or linearly or radially growing gray."""
    y, x = _grid(random)
    values = [x, np.hypot(x, y), 0 * x][random.integers(3)]
    low, high = np.sort(random.uniform(0, 255, 2))
    return _8_bit(low + (high - low) * (values - values.min()) / max(np.ptp(values), 1e-9))


def checkerboard(random: Random, scans: np.ndarray) -> Picture:
    """Checkerboards and stripes, turned."""
    y, x = _grid(random)
    period = random.uniform(0.05, 0.6)
    stripes = np.floor(x / period) + random.integers(2) * np.floor(y / period)
    dark, light = np.sort(random.uniform(0, 255, 2))
    return _8_bit(np.where(stripes % 2 == 0, dark, light))


def photograph(random: Random, scans: np.ndarray) -> Picture:
    """Parts of the two photographs that scikit-learn brings."""
    return _part(random, load_sample_images().images[random.integers(2)])


def text_page(random: Random, scans: np.ndarray) -> Picture:
    """Pages of words, black on white and, one in five, white on black."""
    paper = 0 if random.random() < 0.2 else 255
    page = Image.new("L", (620, int(random.integers(620, 877))), paper)
    font = _font(random, 12, 36)
    for top in np.arange(40, page.height - 60, 1.4 * font.size):
        line = " ".join(random.choice(WORDS, int(random.integers(3, 14))))
        ImageDraw.Draw(page).text((40, top), line, fill=255 - paper, font=font)
    return np.asarray(page)


def inverted_scan(random: Random, scans: np.ndarray) -> Picture:
    """A scan in negative."""
    return np.asarray(255 - scans[random.integers(len(scans))])


def montage(random: Random, scans: np.ndarray) -> Picture:
    """Four or nine scans on one sheet."""
    side = int(random.integers(2, 4))
    chosen = scans[random.integers(len(scans), size=(side, side))]
    return np.block([[*row] for row in chosen])


def blobs(random: Random, scans: np.ndarray) -> Picture:
    """A few even ellipses on black."""
    y, x = _grid(random)
    values = np.zeros((SIDE, SIDE))
    for _ in range(random.integers(1, 8)):
        middle, half = random.uniform(-0.7, 0.7, 2), random.uniform(0.08, 0.6, 2)
        values[((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 < 1] = random.uniform(60, 255)
    return _8_bit(ndimage.gaussian_filter(values, random.uniform(0, 4)) + random.normal(0, random.uniform(0, 10), values.shape))


def digit(random: Random, scans: np.ndarray) -> Picture:
    """A handwritten digit, bright on black, as large as a head."""
    digits = load_digits().images
    drawn = Image.fromarray(_8_bit(digits[random.integers(len(digits))] * 16)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(random.uniform(0, 3))))


def abdomen(random: Random, scans: np.ndarray) -> Picture:
    """A slice of another part of the body: wide outline, liver, kidneys, spine, gut."""
    y, x = _grid(random, turn=0.15)
    width, height = random.uniform(0.8, 0.95), random.uniform(0.55, 0.7)

    def organ(middle_x: float, middle_y: float, half_x: float, half_y: float) -> np.ndarray:
        shift = random.normal(0, 0.03, 2)
        return ((x - middle_x - shift[0]) / half_x) ** 2 + ((y - middle_y - shift[1]) / half_y) ** 2 < 1

    values = np.zeros((SIDE, SIDE))
    values[(x / width) ** 2 + (y / height) ** 2 < 1] = random.uniform(50, 90)  # fat
    values[(x / (width - 0.1)) ** 2 + (y / (height - 0.1)) ** 2 < 1] = random.uniform(100, 130)
    values[organ(-0.35, -0.1, 0.35, 0.3)] = random.uniform(140, 170)
    for side in (-1, 1):
        values[organ(side * 0.4, 0.25, 0.12, 0.16)] = random.uniform(160, 200)
    values[organ(0, 0.33, 0.12, 0.12)] = random.uniform(220, 250)
    for _ in range(random.integers(3, 7)):
        values[organ(random.uniform(0.05, 0.45), random.uniform(-0.3, 0.1), 0.09, 0.09)] = random.uniform(30, 150)
    blurred = ndimage.gaussian_filter(values, random.uniform(1, 2.5))
    return _8_bit(blurred + random.normal(0, random.uniform(2, 10), values.shape) * (values > 0))


# --- kinds that it is tested with


def other_photograph(random: Random, scans: np.ndarray) -> Picture:
    """Parts of photographs: people, a cat, a cup, a rocket, stars, a street."""
    names = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "coins.png")
    name = (*names, "grace_hopper.jpg")[random.integers(len(names) + 1)]
    return _part(random, _matplotlibs(name) if name.startswith("grace") else _scikit_images(name))


def logo(random: Random, scans: np.ndarray) -> Picture:
    """Matplotlib's logo, and drawn ones: a few large letters and shapes, on white, black or gray."""
    if random.random() < 0.2:
        return _part(random, _matplotlibs("logo2.png"), smallest=0.8)
    paper = int(random.choice([0, 255, 230, 40]))
    canvas = Image.new("L", (SIDE, SIDE), paper)
    pen = ImageDraw.Draw(canvas)
    for _ in range(random.integers(1, 4)):
        middle, reach = random.uniform(60, 196, 2), random.uniform(30, 90)
        box = [*(middle - reach), *(middle + reach)]
        draw = [pen.ellipse, pen.rectangle, lambda box, fill: pen.rounded_rectangle(box, 20, fill=fill)][random.integers(3)]
        draw(box, fill=int(random.integers(0, 256)))
    font = _font(random, 40, 110)
    pen.text((random.uniform(10, 60), random.uniform(60, 140)), "".join(random.choice([*"ABKMRSX"], 3)), 255 - paper, font=font)
    return np.asarray(canvas)


def chart(random: Random, scans: np.ndarray) -> Picture:
    """Lines, bars, points and heat maps by Matplotlib, on white or black."""
    look = "dark_background" if random.random() < 0.3 else "default"
    with style.context(look):
        figure = Figure(figsize=(4, random.uniform(3, 4.5)), dpi=80)
        axes = figure.subplots()
        match random.integers(4):
            case 0:
                axes.plot(random.normal(size=(60, random.integers(1, 5))).cumsum(axis=0))
            case 1:
                axes.bar(np.arange(8), random.uniform(1, 9, 8))
            case 2:
                axes.scatter(*random.normal(size=(2, 120)), s=random.uniform(5, 60))
            case _:
                axes.imshow(ndimage.gaussian_filter(random.normal(size=(40, 40)), random.uniform(0, 4)))
        axes.set_title(" ".join(random.choice(WORDS, 3)))
        content = io.BytesIO()
        figure.savefig(content, format="png")
    return np.asarray(Image.open(content).convert("RGB"))


def screenshot(random: Random, scans: np.ndarray) -> Picture:
    """Windows with title bars, buttons, lists and text, on a desktop."""
    dark = random.random() < 0.5
    canvas = Image.new("L", (480, 320), int(random.integers(20, 90) if dark else random.integers(150, 240)))
    pen = ImageDraw.Draw(canvas)
    font = _font(random, 9, 14)
    for _ in range(random.integers(1, 4)):
        left, top = random.integers(0, 220), random.integers(0, 140)
        right, bottom = left + random.integers(160, 300), top + random.integers(110, 220)
        paper = int(random.integers(25, 60) if dark else random.integers(235, 256))
        pen.rectangle([left, top, right, bottom], fill=paper, outline=128)
        pen.rectangle([left, top, right, top + 16], fill=int(random.integers(60, 200)))
        for line in range(top + 22, bottom - 12, 15):
            pen.text((left + 6, line), " ".join(random.choice(WORDS, 4)), 225 if dark else 30, font=font)
        pen.rounded_rectangle([right - 60, bottom - 22, right - 8, bottom - 6], 4, fill=int(random.integers(80, 200)))
    return np.asarray(canvas)


def histology(random: Random, scans: np.ndarray) -> Picture:
    """Tissue under a microscope: parts of a stained section, and cells drawn with dark nuclei."""
    if random.random() < 0.5:
        return _part(random, _scikit_images("ihc.png"))
    cells = random.uniform(0, SIDE, (random.integers(60, 400), 2))
    y, x = np.mgrid[:SIDE, :SIDE]
    near, second = cKDTree(cells).query(np.stack([y, x], axis=-1), k=2)[0].transpose(2, 0, 1)
    walls, nuclei = second - near < 2, near < random.uniform(3, 7)
    values = 215 - 60 * walls - 130 * nuclei + ndimage.gaussian_filter(random.normal(0, 40, (SIDE, SIDE)), 1.5)
    return _8_bit(ndimage.gaussian_filter(values, 0.8))


def xray(random: Random, scans: np.ndarray) -> Picture:
    """A chest on an x-ray film, in outline: lungs dark, ribs, spine and heart bright."""
    y, x = _grid(random, turn=0.1)
    values = 190 - 60 * np.hypot(x, y)
    for side in (-1, 1):
        lung = ((x - side * random.uniform(0.38, 0.46)) / 0.3) ** 2 + ((y + 0.05) / random.uniform(0.6, 0.75)) ** 2
        values -= 120 / (1 + np.exp(12 * (lung - 1)))
    ribs = np.sin(random.uniform(22, 30) * (y - 0.35 * x**2))
    values += 22 * (ribs > 0.5) * (np.abs(x) < 0.8) + 55 * (np.abs(x) < 0.08)
    values += 70 / (1 + np.exp(14 * (((x - 0.15) / 0.28) ** 2 + ((y - 0.35) / 0.3) ** 2 - 1)))
    blurred = ndimage.gaussian_filter(values, random.uniform(1, 3)) + random.normal(0, random.uniform(1, 6), values.shape)
    return _8_bit(blurred)


def scrambled_scan(random: Random, scans: np.ndarray) -> Picture:
    """A scan cut into 16 or 64 squares that are put together in another order."""
    scan = scans[random.integers(len(scans))]
    cuts = int(random.choice([4, 8]))
    step = len(scan) // cuts
    squares = scan[: cuts * step, : cuts * step].reshape(cuts, step, cuts, step).swapaxes(1, 2).reshape(-1, step, step)
    mixed = squares[random.permutation(len(squares))]
    return np.ascontiguousarray(mixed.reshape(cuts, cuts, step, step).swapaxes(1, 2).reshape(cuts * step, -1))


def thighs(random: Random, scans: np.ndarray) -> Picture:
    """A slice of both thighs: two rounded outlines side by side, fat around muscle around bone."""
    y, x = _grid(random, turn=0.15)
    reach, fat, muscle = random.uniform(0.36, 0.46), random.uniform(150, 220), random.uniform(70, 130)
    values = np.zeros((SIDE, SIDE))
    for side in (-1, 1):
        middle_x, middle_y = side * random.uniform(0.46, 0.5), random.normal(0, 0.03)
        distance = np.hypot((x - middle_x) / random.uniform(0.95, 1.05), y - middle_y)
        values[distance < reach] = fat
        values[distance < reach - random.uniform(0.05, 0.12)] = muscle
        values[np.hypot(x - middle_x - random.normal(0, 0.03), y - middle_y) < random.uniform(0.07, 0.1)] = random.uniform(
            10, 40
        )
        values[np.hypot(x - middle_x, y - middle_y) < 0.05] = random.uniform(150, 220)
    streaks = ndimage.gaussian_filter(random.normal(0, 60, values.shape), random.uniform(1, 3))
    return _8_bit(ndimage.gaussian_filter(values + streaks * (values > 0), random.uniform(0.5, 2)))


def eye_or_cells(random: Random, scans: np.ndarray) -> Picture:
    """Other medical pictures: the back of an eye, and single cells under a microscope."""
    name = ("retina.jpg", "microaneurysms.png", "cell.png")[random.integers(3)]
    return _part(random, _scikit_images(name), smallest=0.6)


def texture(random: Random, scans: np.ndarray) -> Picture:
    """Brick, grass and gravel, and clouds of 1/f noise."""
    if random.random() < 0.5:
        return _part(random, _scikit_images(("brick.png", "grass.png", "gravel.png")[random.integers(3)]))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = 1
    clouds = np.fft.ifft2(np.fft.fft2(random.normal(size=(SIDE, SIDE))) / frequency ** random.uniform(0.7, 2)).real
    return _8_bit(255 * (clouds - clouds.min()) / np.ptp(clouds))


Draw = Callable[[Random, np.ndarray], Picture]
CHOSEN_WITH: dict[str, Draw] = {
    "noise": noise,
    "gradient": gradient,
    "checkerboard": checkerboard,
    "photograph": photograph,
    "text page": text_page,
    "inverted scan": inverted_scan,
    "digit": digit,
    "montage": montage,
    "blobs": blobs,
    "slice of an abdomen": abdomen,
}
TESTED_WITH: dict[str, Draw] = {
    "other photograph": other_photograph,
    "logo": logo,
    "chart": chart,
    "screenshot": screenshot,
    "histology": histology,
    "x-ray of a chest": xray,
    "scrambled scan": scrambled_scan,
    "slice of the thighs": thighs,
    "eye or cells": eye_or_cells,
    "texture": texture,
}
NEED_SCIKIT_IMAGE = ("other photograph", "histology", "eye or cells", "texture")


def _8_bit(values: Any) -> Picture:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _grid(random: Random, turn: float = np.pi) -> tuple[np.ndarray, np.ndarray]:
    """Return y and x, (SIDE, SIDE) in [-1, 1], turned by at most `turn`."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2, indexing="ij")
    angle = random.uniform(-turn, turn)
    return np.cos(angle) * y - np.sin(angle) * x, np.sin(angle) * y + np.cos(angle) * x


def _part(random: Random, picture: np.ndarray, smallest: float = 0.3) -> Picture:
    """Return a part of a picture whose sides are at least `smallest` of its own."""
    height, width = picture.shape[:2]
    tall, wide = (int(random.uniform(smallest, 1) * side) for side in (height, width))
    top, left = random.integers(0, height - tall + 1), random.integers(0, width - wide + 1)
    return np.ascontiguousarray(picture[top : top + tall, left : left + wide])


def _font(random: Random, smallest: int, largest: int) -> ImageFont.FreeTypeFont:
    name = random.choice(["DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"])
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), int(random.integers(smallest, largest))
    )


def _matplotlibs(name: str) -> np.ndarray:
    return _opened(Path(matplotlib.get_data_path()) / "sample_data" / name)


def _scikit_images(name: str) -> np.ndarray:
    # Found without an import, which would want its dependencies too: only its pictures are needed.
    found = importlib.util.find_spec("skimage")
    if found is None:
        raise SystemExit("these kinds need the pictures of scikit-image: pip install scikit-image")
    return _opened(Path(*found.submodule_search_locations) / "data" / name)


def _opened(path: Path) -> np.ndarray:
    picture = Image.open(path).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"))
