"""What an image looks like in a few hundred numbers, by plain tensor operations that a graph can hold; no network is asked."""

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

THUMBNAIL_SIDE = 16
MEANS_SIDE = 8
HISTOGRAM_BINS = 32
GRADIENT_SIDE = 4
GRADIENT_SCALES = 4
# Waves a side, from none on, by which the spectrum is described, and the cells each way that it is computed from.
WAVES = 8
SPECTRUM_SIDE = 32
# Contrast, in gray levels, below which an image is not stretched: noise would look like a picture.
LEAST_CONTRAST = 4.0
# Numbers of images that are looked at together: what is computed of so many stays in a processor's cache.
_TOGETHER = 1 << 20
# Added to gradients before their logarithm, in deviations of the image: an even place has none.
LEAST_GRADIENT = 0.02
# Added to a wave's power before its logarithm; the powers of all waves sum to at most 1.
LEAST_POWER = 1e-6


class ImageStatistics(nn.Module):
    """Images (N, C, S, S) uint8 -> (N, D) float32, five families of numbers, which `families` (D,) numbers from 0.

    Where it is bright, whatever brightness and contrast; where it is how bright, channel by channel; how much of it has which
    gray level (roots of shares); how strong edges are at four scales, down and across, in sixteen places (logarithms); and how
    much of its contrast lies in which waves, wherever they begin (logarithms of power): several scans on a sheet repeat.
    """

    def __init__(self, channels: int, size_px: int) -> None:
        super().__init__()
        self.size_px = size_px
        with torch.no_grad():
            families = self._families(torch.zeros(1, channels, size_px, size_px, dtype=torch.uint8))
        sizes = [family.shape[1] for family in families]
        self.families: npt.NDArray[np.int64] = np.repeat(np.arange(len(sizes)), sizes)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D) float32."""
        return torch.cat(self._families(images), dim=1)

    def _families(self, images: Tensor) -> list[Tensor]:
        levels = images.float()
        gray = levels.mean(dim=1)
        centered = gray - gray.mean(dim=(1, 2), keepdim=True)
        contrast = centered.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=LEAST_CONTRAST)
        return [
            _thumbnail(gray),
            (_means(levels, MEANS_SIDE) / 255).flatten(1),
            _histogram(gray),
            _gradients(centered / contrast),
            _spectrum(centered / contrast),
        ]


def in_parts(images: Tensor) -> tuple[Tensor, ...]:
    """Return images (N, C, S, S) in parts of which the statistics are computed quickest; they are the same in any parts."""
    return torch.split(images, max(1, _TOGETHER // images[0].numel())) if len(images) else (images,)


def _thumbnail(gray: Tensor) -> Tensor:
    small = _means(gray, THUMBNAIL_SIDE).flatten(1)
    centered = small - small.mean(dim=1, keepdim=True)
    length = centered.square().sum(dim=1, keepdim=True).sqrt()
    return centered / length.clamp(min=LEAST_CONTRAST * small.shape[1] ** 0.5)


def _histogram(gray: Tensor) -> Tensor:
    bins = (gray * (HISTOGRAM_BINS / 256)).long().flatten(1)
    counts = gray.new_zeros(gray.shape[0], HISTOGRAM_BINS).scatter_add(1, bins, torch.ones_like(bins, dtype=torch.float32))
    return (counts / bins.shape[1]).sqrt()


def _gradients(gray: Tensor) -> Tensor:
    found = []
    for scale in range(GRADIENT_SCALES):
        side = gray.shape[-1] // 2**scale
        # Two pixels a place are the least that have an edge between them.
        if scale and side < 2 * GRADIENT_SIDE:
            break
        small = _means(gray, side) if scale else gray
        steps = (small[:, 1:] - small[:, :-1], small[..., 1:] - small[..., :-1])
        found += [_means(step.abs(), GRADIENT_SIDE).flatten(1) for step in steps]
    return (torch.cat(found, dim=1) + LEAST_GRADIENT).log()


def _spectrum(gray: Tensor) -> Tensor:
    """Return the logarithms of the power of all waves but the constant: whole numbers below WAVES down and across."""
    small = _means(gray, SPECTRUM_SIDE)
    (down_even, down_odd), (across_even, across_odd) = (_waves(cells) for cells in small.shape[-2:])
    even, odd = down_even @ small @ across_even.T, down_odd @ small @ across_odd.T
    mixed, other = down_even @ small @ across_odd.T, down_odd @ small @ across_even.T
    falling = (even - odd).square() + (mixed + other).square()
    rising = (even + odd).square() + (mixed - other).square()
    # Without a wave down or across, falling and rising ones are the same.
    powers = torch.cat([falling.flatten(1)[:, 1:], rising[:, 1:, 1:].flatten(1)], dim=1)
    return (powers + LEAST_POWER).log()


@cache
def _waves(cells: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines (WAVES, cells) of 0 to WAVES - 1 waves over so many cells, divided by these."""
    angles = 2 * math.pi * torch.outer(torch.arange(WAVES), (torch.arange(cells) + 0.5) / cells)
    return angles.cos() / cells, angles.sin() / cells


def _means(images: Tensor, side: int) -> Tensor:
    """Return the means of images (..., H, W) in a grid of `side` cells each way, or of H and W where these are fewer."""
    rows, columns = (torch.from_numpy(_shares(size_px, min(side, size_px))) for size_px in images.shape[-2:])
    return rows @ images @ columns.T


@cache
def _shares(size_px: int, cells: int) -> npt.NDArray[np.float32]:
    """Return (cells, size_px): which share of each of equal cells a pixel has; one may lie in two."""
    edges = np.arange(cells + 1) * size_px / cells
    pixels = np.arange(size_px)
    overlaps = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.maximum(overlaps, 0) * cells / size_px, np.float32)
