"""The kinds that the gate is tested with: nothing was chosen with them."""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import cKDTree

from benchmarks.non_scans.drawing import (
    SIDE,
    WORDS,
    Picture,
    Random,
    eight_bit,
    font_of,
    part_of,
    picture_of_matplotlib,
    picture_of_scikit_image,
    turned_grid,
)


def other_photograph(random: Random, scans: np.ndarray) -> Picture:
    """Parts of photographs: people, a cat, a cup, a rocket, stars, a street."""
    names = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "coins.png")
    name = (*names, "grace_hopper.jpg")[random.integers(len(names) + 1)]
    return part_of(random, picture_of_matplotlib(name) if name.startswith("grace") else picture_of_scikit_image(name))


def logo(random: Random, scans: np.ndarray) -> Picture:
    """Matplotlib's logo, and drawn ones: a few large letters and shapes, on white, black or gray."""
    if random.random() < 0.2:
        return part_of(random, picture_of_matplotlib("logo2.png"), smallest=0.8)
    paper = int(random.choice([0, 255, 230, 40]))
    canvas = Image.new("L", (SIDE, SIDE), paper)
    pen = ImageDraw.Draw(canvas)
    for _ in range(random.integers(1, 4)):
        middle, reach = random.uniform(60, 196, 2), random.uniform(30, 90)
        box = [*(middle - reach), *(middle + reach)]
        draws: list[Callable[..., None]] = [pen.ellipse, pen.rectangle, partial(pen.rounded_rectangle, radius=20)]
        draws[random.integers(3)](box, fill=int(random.integers(0, 256)))
    font = font_of(random, 40, 110)
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
                x, y = random.normal(size=(2, 120))
                axes.scatter(x, y, s=random.uniform(5, 60))
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
    font = font_of(random, 9, 14)
    for _ in range(random.integers(1, 4)):
        left, top = int(random.integers(0, 220)), int(random.integers(0, 140))
        right, bottom = left + int(random.integers(160, 300)), top + int(random.integers(110, 220))
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
        return part_of(random, picture_of_scikit_image("ihc.png"))
    cells = random.uniform(0, SIDE, (random.integers(60, 400), 2))
    y, x = np.mgrid[:SIDE, :SIDE]
    near, second = cKDTree(cells).query(np.stack([y, x], axis=-1), k=2)[0].transpose(2, 0, 1)
    walls, nuclei = second - near < 2, near < random.uniform(3, 7)
    values = 215 - 60 * walls - 130 * nuclei + ndimage.gaussian_filter(random.normal(0, 40, (SIDE, SIDE)), 1.5)
    return eight_bit(ndimage.gaussian_filter(values, 0.8))


def xray(random: Random, scans: np.ndarray) -> Picture:
    """A chest on an x-ray film, in outline: lungs dark, ribs, spine and heart bright."""
    y, x = turned_grid(random, turn=0.1)
    values = 190 - 60 * np.hypot(x, y)
    for side in (-1, 1):
        lung = ((x - side * random.uniform(0.38, 0.46)) / 0.3) ** 2 + ((y + 0.05) / random.uniform(0.6, 0.75)) ** 2
        values -= 120 / (1 + np.exp(12 * (lung - 1)))
    ribs = np.sin(random.uniform(22, 30) * (y - 0.35 * x**2))
    values += 22 * (ribs > 0.5) * (np.abs(x) < 0.8) + 55 * (np.abs(x) < 0.08)
    values += 70 / (1 + np.exp(14 * (((x - 0.15) / 0.28) ** 2 + ((y - 0.35) / 0.3) ** 2 - 1)))
    blurred = ndimage.gaussian_filter(values, random.uniform(1, 3)) + random.normal(0, random.uniform(1, 6), values.shape)
    return eight_bit(blurred)


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
    y, x = turned_grid(random, turn=0.15)
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
    return eight_bit(ndimage.gaussian_filter(values + streaks * (values > 0), random.uniform(0.5, 2)))


def eye_or_cells(random: Random, scans: np.ndarray) -> Picture:
    """Other medical pictures: the back of an eye, and single cells under a microscope."""
    name = ("retina.jpg", "microaneurysms.png", "cell.png")[random.integers(3)]
    return part_of(random, picture_of_scikit_image(name), smallest=0.6)


def texture(random: Random, scans: np.ndarray) -> Picture:
    """Brick, grass and gravel, and clouds of 1/f noise."""
    if random.random() < 0.5:
        return part_of(random, picture_of_scikit_image(("brick.png", "grass.png", "gravel.png")[random.integers(3)]))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = 1
    clouds = np.fft.ifft2(np.fft.fft2(random.normal(size=(SIDE, SIDE))) / frequency ** random.uniform(0.7, 2)).real
    return eight_bit(255 * (clouds - clouds.min()) / np.ptp(clouds))
