"""What kinds of pictures are drawn with, and where ready ones are found."""

import importlib.util
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageFont

SIDE = 256
Random = np.random.Generator
Picture = np.ndarray  # (H, W) or (H, W, 3) uint8

_TEXT = """the patient was seen again and all findings of the scan were read with care no change since the last report slice
contrast series value image normal left right follow up in six weeks signed by"""
WORDS = _TEXT.split()


def eight_bit(values: Any) -> Picture:
    return np.asarray(np.rint(np.clip(values, 0, 255)).astype(np.uint8))


def turned_grid(random: Random, turn: float = np.pi) -> tuple[np.ndarray, np.ndarray]:
    """Return y and x, (SIDE, SIDE) in [-1, 1], turned by at most `turn`."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2, indexing="ij")
    angle = random.uniform(-turn, turn)
    return np.cos(angle) * y - np.sin(angle) * x, np.sin(angle) * y + np.cos(angle) * x


def part_of(random: Random, picture: np.ndarray, smallest: float = 0.3) -> Picture:
    """Return a part of a picture whose sides are at least `smallest` of its own."""
    height, width = picture.shape[:2]
    tall, wide = (int(random.uniform(smallest, 1) * side) for side in (height, width))
    top, left = random.integers(0, height - tall + 1), random.integers(0, width - wide + 1)
    return np.ascontiguousarray(picture[top : top + tall, left : left + wide])


def font_of(random: Random, smallest: int, largest: int) -> ImageFont.FreeTypeFont:
    name = random.choice(["DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"])
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), int(random.integers(smallest, largest))
    )


def picture_of_matplotlib(name: str) -> np.ndarray:
    return _opened(Path(matplotlib.get_data_path()) / "sample_data" / name)


def picture_of_scikit_image(name: str) -> np.ndarray:
    # Found without an import, which would want its dependencies too: only its pictures are needed.
    found = importlib.util.find_spec("skimage")
    if found is None or found.submodule_search_locations is None:
        raise SystemExit("these kinds need the pictures of scikit-image: pip install scikit-image")
    return _opened(Path(*found.submodule_search_locations) / "data" / name)


def _opened(path: Path) -> np.ndarray:
    picture = Image.open(path).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"))
