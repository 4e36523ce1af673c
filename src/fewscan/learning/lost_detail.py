"""Details that a batch of scans loses as if by a scanner: out of focus, of few frequencies, or of a head that moved meanwhile.

What each does to a single scan is in `artifacts`. Here it is a factor for every frequency down times one for every frequency
across, (n, 2, S) complex64 for n scans of S x S pixels, so that one transform of the batch serves all three.
"""

import math

import torch
from torch import Tensor

from fewscan.learning.artifacts import FEWEST_PIXELS, MOST_BLUR, MOST_MOVEMENT, MOST_PIXELS, MOVEMENTS
from fewscan.learning.views import uniform

AXES = (-2, -1)


def out_of_focus(shares: Tensor, size_px: int) -> Tensor:
    """Return the factors of Gaussians whose deviations are these shares (n,) of the side; scans go on beyond their edges."""
    deviation = shares.view(-1, 1) * size_px
    factors = torch.exp(-2 * (math.pi * deviation * _frequencies(size_px, shares)) ** 2)
    return torch.stack([factors, factors], dim=1).to(torch.complex64)


def few_frequencies(shares: Tensor, size_px: int) -> Tensor:
    """Return the factors that keep these shares (n,) of all frequencies each way."""
    factors = _frequencies(size_px, shares).abs() <= shares.view(-1, 1) / 2
    return torch.stack([factors, factors], dim=1).to(torch.complex64)


def moved(shares: Tensor, begins: Tensor, movements: Tensor, down: Tensor, size_px: int) -> Tensor:
    """Return the factors of heads that move to and fro while line after line is measured.

    shares: (n,) of the side, how far; begins: (n,) in [0, 1], how far through a movement they are at first; movements: (n,) how
    often they move; down: (n,) bool, whether down or across.
    """
    times = (torch.arange(size_px, device=shares.device) / size_px + begins.view(-1, 1)) * movements.view(-1, 1)
    # In the order in which the transform has them, lines begin at frequency 0.
    shifts = shares.view(-1, 1) * size_px * torch.fft.ifftshift(torch.sin(2 * math.pi * times), dim=-1)
    turned = torch.polar(torch.ones_like(shifts), -2 * math.pi * _frequencies(size_px, shares) * shifts)
    ways = torch.stack([down, ~down], dim=1).unsqueeze(2)
    return torch.where(ways, turned.unsqueeze(1), 1)


def kept_frequencies(count: int, size_px: int, generator: torch.Generator) -> Tensor:
    """Draw the factors of `count` scans; each is, by chance, out of focus, of few frequencies or moved."""

    if not count:  # as in most trainings, which need not wait for factors of no scan in each step
        return torch.empty((0, 2, size_px), dtype=torch.complex64, device=generator.device)

    def drawn(low: float, high: float) -> Tensor:
        return uniform(low, high, count, generator)

    blurred = out_of_focus(drawn(0, MOST_BLUR), size_px)
    few = few_frequencies(drawn(FEWEST_PIXELS, MOST_PIXELS), size_px)
    moving = moved(drawn(0, MOST_MOVEMENT), drawn(0, 1), drawn(*MOVEMENTS), drawn(0, 1) < 0.5, size_px)
    way = drawn(0, 3).view(-1, 1, 1)
    return torch.where(way < 1, blurred, torch.where(way < 2, few, moving))


def without_details(views: Tensor, kept: Tensor) -> Tensor:
    """Return views (n, C, S, S) float32 with these factors of their frequencies, as magnitudes."""
    down, across = kept[:, 0, :, None], kept[:, 1, None, :]
    frequencies = torch.fft.fft2(views, dim=AXES) * (down * across).unsqueeze(1)
    changed: Tensor = torch.fft.ifft2(frequencies, dim=AXES)
    return changed.abs()


def _frequencies(size_px: int, like: Tensor) -> Tensor:
    """Return the S frequencies in periods a pixel, in the transform's order."""
    frequencies: Tensor = torch.fft.fftfreq(size_px, device=like.device)
    return frequencies
