"""The kinds that the gate's form was chosen with."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_images

from benchmarks.non_scans.drawing import SIDE, WORDS, Picture, Random, eight_bit, font_of, part_of, turned_grid


def noise(random: Random, scans: np.ndarray) -> Picture:
    """White noise, Gaussian noise, salt and pepper."""
    return [
        random.integers(0, 256, (SIDE, SIDE)).astype(np.uint8),
        eight_bit(random.normal(random.uniform(40, 200), random.uniform(10, 60), (SIDE, SIDE))),
        eight_bit(255.0 * (random.random((SIDE, SIDE)) < random.uniform(0.02, 0.5))),
    ][random.integers(3)]


def gradient(random: Random, scans: np.ndarray) -> Picture:
    """Even or linearly or radially growing gray."""
    y, x = turned_grid(random)
    values = [x, np.hypot(x, y), 0 * x][random.integers(3)]
    low, high = np.sort(random.uniform(0, 255, 2))
    return eight_bit(low + (high - low) * (values - values.min()) / max(np.ptp(values), 1e-9))


def checkerboard(random: Random, scans: np.ndarray) -> Picture:
    """Checkerboards and stripes, turned."""
    y, x = turned_grid(random)
    period = random.uniform(0.05, 0.6)
    stripes = np.floor(x / period) + random.integers(2) * np.floor(y / period)
    dark, light = np.sort(random.uniform(0, 255, 2))
    return eight_bit(np.where(stripes % 2 == 0, dark, light))


def photograph(random: Random, scans: np.ndarray) -> Picture:
    """Parts of the two photographs that scikit-learn brings."""
    return part_of(random, load_sample_images().images[random.integers(2)])


def text_page(random: Random, scans: np.ndarray) -> Picture:
    """Pages of words, black on white and, one in five, white on black."""
    paper = 0 if random.random() < 0.2 else 255
    page = Image.new("L", (620, int(random.integers(620, 877))), paper)
    font = font_of(random, 12, 36)
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
    y, x = turned_grid(random)
    values = np.zeros((SIDE, SIDE))
    for _ in range(random.integers(1, 8)):
        middle, half = random.uniform(-0.7, 0.7, 2), random.uniform(0.08, 0.6, 2)
        values[((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 < 1] = random.uniform(60, 255)
    return eight_bit(
        ndimage.gaussian_filter(values, random.uniform(0, 4)) + random.normal(0, random.uniform(0, 10), values.shape)
    )


def digit(random: Random, scans: np.ndarray) -> Picture:
    """A handwritten digit, bright on black, as large as a head."""
    digits = load_digits().images
    drawn = Image.fromarray(eight_bit(digits[random.integers(len(digits))] * 16)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(random.uniform(0, 3))))


def abdomen(random: Random, scans: np.ndarray) -> Picture:
    """A slice of another part of the body: wide outline, liver, kidneys, spine, gut."""
    y, x = turned_grid(random, turn=0.15)
    width, height = random.uniform(0.8, 0.95), random.uniform(0.55, 0.7)

    def organ(middle_x: float, middle_y: float, half_x: float, half_y: float) -> np.ndarray:
        shift = random.normal(0, 0.03, 2)
        across, down = (x - middle_x - shift[0]) / half_x, (y - middle_y - shift[1]) / half_y
        return np.asarray(across**2 + down**2 < 1)

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
    return eight_bit(blurred + random.normal(0, random.uniform(2, 10), values.shape) * (values > 0))
