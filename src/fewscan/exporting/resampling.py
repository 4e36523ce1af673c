"""Pillow's antialiased resizing in torch, equal to it to the gray level, so that a graph can do what `readers.fit` does."""

from typing import NamedTuple, Self

import PIL
import torch
from torch import Tensor

from fewscan.images.options import Resize

# Pillow's weights of 8-bit images are whole numbers of 2 ** -22.
_ONE = 2.0**22
# From this version on Pillow resizes vertically first what it shrinks much more vertically.
_CHOOSES_ORDER = int(PIL.__version__.split(".")[0]) >= 13


class Boxes(NamedTuple):
    """Of N images the first column and row that is kept and the one after the last, (N,) int64 each."""

    left: Tensor
    top: Tensor
    right: Tensor
    bottom: Tensor


class Resampling(NamedTuple):
    """How images of one size become `size_px` pixels high and wide: each pass a product with a matrix of whole numbers.

    float64 holds these without rounding, and a pass ends in whole gray levels as Pillow's does. Source: Pillow's documentation,
    "Filters", BILINEAR.
    """

    rows: Tensor  # (..., size_px, H) float64
    columns: Tensor  # (..., W, size_px) float64
    vertically_first: Tensor | None  # (...) whether rows come first; None where they never do

    @classmethod
    def of(cls, images: Tensor, size_px: int, resize: Resize, boxes: Boxes | None = None) -> Self:
        """Return what `readers.fit` does to images (N, C, H, W), or to a box of each; nothing of them counts but their size.

        H and W may be unknown while a graph is being made: nothing here depends on their values but by computing with them.
        """
        # As tensors of one value for all images, or of one for each, with axes for channels, rows and columns behind.
        if boxes is None:
            top, left = (torch.zeros((), dtype=torch.float64) for _ in range(2))
            height, width = (_length(images.shape[axis]) for axis in (-2, -1))
        else:
            left, top, right, bottom = (edge.double()[:, None, None, None] for edge in boxes)
            height, width = bottom - top, right - left
        # As a tensor, since torch divides a number by a tensor in two roundings; half a pixel would then go the other way.
        size = torch.tensor(float(size_px), dtype=torch.float64)
        if resize == "stretch":
            fitted_height = fitted_width = size
        else:
            scale = size / torch.maximum(height, width)
            fitted_height, fitted_width = ((side * scale).round().clamp(min=1) for side in (height, width))
        rows = _weights(images.shape[-2], top, height, fitted_height, size_px)
        columns = _weights(images.shape[-1], left, width, fitted_width, size_px).transpose(-1, -2)
        vertically_first = height - fitted_height > 2 * (width - fitted_width).clamp(min=0) if _CHOOSES_ORDER else None
        return cls(rows, columns, vertically_first)

    def __call__(self, images: Tensor) -> Tensor:
        """Return images (N, C, H, W) uint8 as (N, C, size_px, size_px) uint8."""
        gray = images.double()
        resized = _whole(self.rows @ _whole(gray @ self.columns))
        if self.vertically_first is not None:
            resized = torch.where(self.vertically_first, _whole(_whole(self.rows @ gray) @ self.columns), resized)
        return resized.to(torch.uint8)


def _weights(side_px: int, first: Tensor, length: Tensor, fitted: Tensor, size_px: int) -> Tensor:
    """Return (..., size_px, side_px) float64: how much of each input pixel is in each output pixel, in units of 2 ** -22.

    The image is `length` pixels from `first` on. `fitted` is how many of the output pixels it fills, in their middle; the
    others get nothing of it.
    """
    positions = torch.arange(side_px, dtype=torch.float64) - first
    outputs = torch.arange(size_px, dtype=torch.float64)[:, None] - ((size_px - fitted) / 2).floor()
    scale = length / fitted
    centers = (outputs + 0.5) * scale
    # A triangle as wide as an output pixel where the image shrinks: this is what keeps it free of aliasing.
    triangle = (1 - ((positions - centers + 0.5) * (1 / scale.clamp(min=1))).abs()).clamp(min=0)
    triangle = torch.where((positions >= 0) & (positions < length), triangle, 0.0)
    filled = (outputs >= 0) & (outputs < fitted)
    total = torch.where(filled, triangle.sum(dim=-1, keepdim=True), 1.0)
    return torch.where(filled, (triangle / total * _ONE + 0.5).floor(), 0.0)


def _whole(sums: Tensor) -> Tensor:
    return (sums / _ONE + 0.5).floor()


def _length(side_px: int) -> Tensor:
    """Return a side as a tensor: by way of its positions, because a graph that is being made must not read it as a number."""
    return torch.arange(side_px, dtype=torch.float64)[-1] + 1
