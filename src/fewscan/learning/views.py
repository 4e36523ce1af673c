"""Random views of a batch of scans: sample every image's parameters first, then apply them to the whole batch at once.

Two policies. `study`: a horizontal flip, nothing else. `scan`: what a gray MRI slice may look like from another scanner or
another crop: one geometric resampling (crop, aspect, flip, rotation), then blur, gamma, contrast, brightness and noise.
"""

import math
from dataclasses import dataclass
from typing import Literal

import pydantic
import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.config import Settings


class ViewSettings(Settings):
    """The policy, and the ranges that `scan` draws from."""

    name: Literal["study", "scan"] = "scan"
    flip_probability: float = 0.5
    minimum_crop: float = 0.7  # side of the smallest crop, as a share of the image's side
    maximum_aspect: float = 1.15  # largest stretch of one axis against the other
    maximum_rotation_degrees: float = 15.0
    maximum_shift: float = 0.1  # of the crop's center beyond what keeps it inside, as a share of the side
    contrast: float = 0.4  # factor drawn from [1 - contrast, 1 + contrast]
    brightness: float = 0.2  # added, drawn from [-brightness, brightness]
    log_gamma: float = 0.5  # exponent drawn from exp([-log_gamma, log_gamma])
    blur_probability: float = pydantic.Field(default=0.3, ge=0, le=1)
    noise_probability: float = pydantic.Field(default=0.3, ge=0, le=1)
    maximum_noise: float = 0.06  # deviation of the noise; the image's range is [0, 1]

    def weak(self) -> "ViewSettings":
        """Return the policy with half of every range, without blur and noise: an image that is still easy to recognize."""
        halved = ("maximum_rotation_degrees", "maximum_shift", "contrast", "brightness", "log_gamma")
        return self.model_copy(
            update={name: getattr(self, name) / 2 for name in halved}
            | {"minimum_crop": (1 + self.minimum_crop) / 2, "maximum_aspect": math.sqrt(self.maximum_aspect)}
            | {"blur_probability": 0.0, "noise_probability": 0.0}
        )


@dataclass(frozen=True)
class ViewParameters:
    """How each of B images is changed."""

    flip: Tensor  # (B,) bool
    scan: "ScanParameters | None" = None  # what the policy `scan` changes besides


@dataclass(frozen=True)
class ScanParameters:
    """What the policy `scan` draws for B images."""

    affine: Tensor  # (B, 2, 3) from output to input coordinates in [-1, 1]; holds the flip too
    gamma: Tensor  # (B,) exponent
    contrast: Tensor  # (B,) factor around the image's mean
    brightness: Tensor  # (B,) added
    blurred: Tensor  # (b,) int64, which images are blurred
    blur: Tensor  # (b,) weight in [0, 1] of their blurred version
    noisy: Tensor  # (n,) int64, which images get noise
    noise: Tensor  # (n, 1, S, S) added to them


def sample_views(settings: ViewSettings, count: int, image_size_px: int, generator: torch.Generator) -> ViewParameters:
    """Draw the parameters of `count` views on the generator's device, which is then the only one that works on them.

    Of every batch the same share is blurred and the same share gets noise, so that nobody need wait to know how many.
    """
    device = generator.device

    def uniform(low: float, high: float, number: int = count) -> Tensor:
        return low + (high - low) * torch.rand(number, generator=generator, device=device)

    def some(share: float) -> Tensor:
        return torch.randperm(count, generator=generator, device=device)[: round(share * count)]

    flip = uniform(0, 1) < settings.flip_probability
    if settings.name == "study":
        return ViewParameters(flip)
    crop = uniform(settings.minimum_crop, 1.0)
    stretch = uniform(-1, 1).mul(0.5 * math.log(settings.maximum_aspect)).exp()
    angle = uniform(-1, 1) * math.radians(settings.maximum_rotation_degrees)
    # A crop of side c may sit anywhere inside the image: its center keeps within 1 - c of the middle.
    reach = 1 - crop + settings.maximum_shift
    shift_x, shift_y = uniform(-1, 1) * reach, uniform(-1, 1) * reach
    scale_x, scale_y = crop * stretch * torch.where(flip, -1.0, 1.0), crop / stretch
    cosine, sine = angle.cos(), angle.sin()
    affine = torch.stack(
        [
            torch.stack([scale_x * cosine, -scale_y * sine, shift_x], dim=1),
            torch.stack([scale_x * sine, scale_y * cosine, shift_y], dim=1),
        ],
        dim=1,
    )
    blurred, noisy = some(settings.blur_probability), some(settings.noise_probability)
    shape = (len(noisy), 1, image_size_px, image_size_px)
    deviation = _column(uniform(0, settings.maximum_noise, len(noisy)))
    return ViewParameters(
        flip,
        ScanParameters(
            affine=affine,
            gamma=uniform(-settings.log_gamma, settings.log_gamma).exp(),
            contrast=uniform(1 - settings.contrast, 1 + settings.contrast),
            brightness=uniform(-settings.brightness, settings.brightness),
            blurred=blurred,
            blur=uniform(0, 1, len(blurred)),
            noisy=noisy,
            noise=torch.randn(shape, generator=generator, device=device) * deviation,
        ),
    )


def apply_views(images: Tensor, parameters: ViewParameters) -> Tensor:
    """Return views (B, C, S, S) float32 in [0, 1] of images (B, C, S, S) uint8."""
    views = images.float() / 255
    scan = parameters.scan
    if scan is None:
        return torch.where(_column(parameters.flip), views.flip(-1), views)
    grid = _sampling_grid(scan.affine, views.shape[-2], views.shape[-1])
    views = F.grid_sample(views, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    sharp = views[scan.blurred]
    views[scan.blurred] = torch.lerp(sharp, _blurred(sharp), _column(scan.blur))
    # exp2(g * log2(v)) is v ** g at half its price on a CPU.
    views = views.clamp_(min=1e-6).log2_().mul_(_column(scan.gamma)).exp2_()
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    contrast = _column(scan.contrast)
    views = views.mul_(contrast).add_(mean * (1 - contrast) + _column(scan.brightness))
    views[scan.noisy] += scan.noise
    return views.clamp_(0, 1)


def plain(images: Tensor) -> Tensor:
    """Return images (B, C, S, S) uint8 as float32 in [0, 1], not changed otherwise: what is evaluated."""
    return images.float() / 255


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _sampling_grid(affine: Tensor, height: int, width: int) -> Tensor:
    """Return (B, H, W, 2), where every output pixel reads its input: what `affine_grid` gives, several times faster."""
    x = (2 * torch.arange(width, device=affine.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=affine.device) + 1) / height - 1
    column, row, shift = (affine[:, :, axis].view(-1, 1, 1, 2) for axis in range(3))
    return column * x.view(1, 1, -1, 1) + (row * y.view(1, -1, 1, 1) + shift)


def _blurred(views: Tensor) -> Tensor:
    """Blur with the binomial kernel (1 4 6 4 1) / 16 along both axes, a Gaussian of deviation 1 pixel; edges are repeated."""
    for axis in (2, 3):
        side = views.shape[axis]
        padding = (0, 0, 2, 2) if axis == 2 else (2, 2, 0, 0)
        padded = F.pad(views, padding, mode="replicate")
        tap = [padded.narrow(axis, start, side) for start in range(5)]
        views = (tap[0] + tap[4]) / 16 + (tap[1] + tap[3]) / 4 + tap[2] * 0.375
    return views
