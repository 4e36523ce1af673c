"""Views of gray slices: what one may look like from another scanner or another crop.

One geometric resampling (crop, aspect, flip, rotation), then lost details, blur, equalization, a bias field, inversion, gamma,
contrast, brightness and noise. Lost details, equalization, bias fields and inversion are off unless asked for: docs/search.md,
17 and 28.
"""

import math
from dataclasses import dataclass
from typing import Literal, Self

import pydantic
import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.learning.lost_detail import kept_frequencies, without_details
from fewscan.learning.views import Views, ViewSettings, column, plain, uniform


class ScanViewSettings(ViewSettings):
    """The ranges that the views `scan` draw from."""

    name: Literal["scan"] = "scan"
    flip_probability: float = pydantic.Field(default=0.5, ge=0, le=1)
    minimum_crop: float = pydantic.Field(default=0.7, gt=0, le=1)  # side of the smallest crop, as a share of the image's side
    maximum_aspect: float = pydantic.Field(default=1.15, ge=1, le=10)  # largest stretch of one axis against the other
    maximum_rotation_degrees: float = pydantic.Field(default=15.0, ge=0, le=180)
    # Of the crop's center beyond what keeps it inside, as a share of the side.
    maximum_shift: float = pydantic.Field(default=0.1, ge=0, le=1)
    contrast: float = pydantic.Field(default=0.4, ge=0, le=1)  # factor drawn from [1 - contrast, 1 + contrast]
    brightness: float = pydantic.Field(default=0.2, ge=0, le=1)  # added, drawn from [-brightness, brightness]
    log_gamma: float = pydantic.Field(default=0.5, ge=0, le=5)  # exponent drawn from exp([-log_gamma, log_gamma])
    blur_probability: float = pydantic.Field(default=0.3, ge=0, le=1)
    noise_probability: float = pydantic.Field(default=0.3, ge=0, le=1)
    maximum_noise: float = pydantic.Field(default=0.06, ge=0, le=1)  # deviation of the noise; the image's range is [0, 1]
    equalization_probability: float = pydantic.Field(default=0.0, ge=0, le=1)
    field_probability: float = pydantic.Field(default=0.0, ge=0, le=1)  # of a bias field, as a coil leaves it
    maximum_field: float = pydantic.Field(default=0.5, ge=0, le=2)  # see `bias_fields`: coefficients drawn from [-this, this]
    inversion_probability: float = pydantic.Field(default=0.0, ge=0, le=1)
    detail_loss_probability: float = pydantic.Field(default=0.0, ge=0, le=1)  # see `lost_detail`


@dataclass(frozen=True)
class ScanParameters:
    """What is drawn for B images."""

    affine: Tensor  # (B, 2, 3) from output to input coordinates in [-1, 1]; holds the flip too
    gamma: Tensor  # (B,) exponent
    contrast: Tensor  # (B,) factor around the image's mean
    brightness: Tensor  # (B,) added
    blurred: Tensor  # (b,) int64, which images are blurred
    blur: Tensor  # (b,) weight in [0, 1] of their blurred version
    noisy: Tensor  # (n,) int64, which images get noise
    noise: Tensor  # (n, 1, S, S) added to them
    equalized: Tensor  # (e,) int64, which images are equalized
    equalization: Tensor  # (e,) weight in [0, 1] of their equalized version
    biased: Tensor  # (f,) int64, which images lie under a bias field
    field: Tensor  # (f, 1, S, S) factor of each of their pixels
    inverted: Tensor  # (i,) int64, of which images the negative is shown
    coarse: Tensor  # (d,) int64, which images lose details
    kept: Tensor  # (d, 2, S) complex64, what is kept of their frequencies


class ScanViews(Views):
    """Of every batch the same share is blurred, gets noise and so on, so that nobody need wait to know how many."""

    name = "scan"
    summary = "crop, aspect, flip, rotation, blur, gamma, contrast, brightness, noise; the default"
    settings_type = ScanViewSettings

    settings: ScanViewSettings

    def weak(self) -> Self:
        """Return the policy with half of every range, and nothing that only some images get: still easy to recognize."""
        settings = self.settings
        of_some = ("blur", "noise", "equalization", "field", "inversion", "detail_loss")
        halved = ("maximum_rotation_degrees", "maximum_shift", "contrast", "brightness", "log_gamma")
        milder = settings.model_copy(
            update={name: getattr(settings, name) / 2 for name in halved}
            | {"minimum_crop": (1 + settings.minimum_crop) / 2, "maximum_aspect": math.sqrt(settings.maximum_aspect)}
            | {f"{change}_probability": 0.0 for change in of_some}
        )
        return type(self)(milder)

    def sample(self, count: int, image_size_px: int, generator: torch.Generator) -> ScanParameters:
        """Draw the parameters of `count` views."""
        settings = self.settings

        def drawn(low: float, high: float, number: int = count) -> Tensor:
            return uniform(low, high, number, generator)

        def some(share: float) -> Tensor:
            return torch.randperm(count, generator=generator, device=generator.device)[: round(share * count)]

        flip = drawn(0, 1) < settings.flip_probability
        crop = drawn(settings.minimum_crop, 1.0)
        stretch = drawn(-1, 1).mul(0.5 * math.log(settings.maximum_aspect)).exp()
        angle = drawn(-1, 1) * math.radians(settings.maximum_rotation_degrees)
        # A crop of side c may sit anywhere inside the image: its center keeps within 1 - c of the middle.
        reach = 1 - crop + settings.maximum_shift
        shift_x, shift_y = drawn(-1, 1) * reach, drawn(-1, 1) * reach
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
        deviation = column(drawn(0, settings.maximum_noise, len(noisy)))
        return ScanParameters(
            affine=affine,
            gamma=drawn(-settings.log_gamma, settings.log_gamma).exp(),
            contrast=drawn(1 - settings.contrast, 1 + settings.contrast),
            brightness=drawn(-settings.brightness, settings.brightness),
            blurred=blurred,
            blur=drawn(0, 1, len(blurred)),
            noisy=noisy,
            noise=torch.randn(shape, generator=generator, device=generator.device) * deviation,
            # Drawn last, so that views without these are what they were before there were any.
            equalized=some(settings.equalization_probability),
            equalization=drawn(0, 1, round(settings.equalization_probability * count)),
            biased=some(settings.field_probability),
            field=self._some_fields(round(settings.field_probability * count), image_size_px, generator),
            inverted=some(settings.inversion_probability),
            coarse=some(settings.detail_loss_probability),
            kept=kept_frequencies(round(settings.detail_loss_probability * count), image_size_px, generator),
        )

    def _some_fields(self, count: int, size_px: int, generator: torch.Generator) -> Tensor:
        reach = self.settings.maximum_field
        return bias_fields(uniform(-reach, reach, 5 * count, generator).view(count, 5), size_px)

    def parameters_of(self, places: Tensor, parameters: ScanParameters) -> ScanParameters:
        """Return the parameters of the views at `places`; on a GPU this waits, to know how many are blurred and so on."""
        scan = parameters
        new_place = torch.full((len(scan.gamma),), -1, device=places.device)
        new_place[places] = torch.arange(len(places), device=places.device)

        def kept(some: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            there = new_place[some] >= 0
            return new_place[some][there], values[there]

        blurred, blur = kept(scan.blurred, scan.blur)
        noisy, noise = kept(scan.noisy, scan.noise)
        equalized, equalization = kept(scan.equalized, scan.equalization)
        biased, field = kept(scan.biased, scan.field)
        coarse, frequencies = kept(scan.coarse, scan.kept)
        return ScanParameters(
            affine=scan.affine[places],
            gamma=scan.gamma[places],
            contrast=scan.contrast[places],
            brightness=scan.brightness[places],
            blurred=blurred,
            blur=blur,
            noisy=noisy,
            noise=noise,
            equalized=equalized,
            equalization=equalization,
            biased=biased,
            field=field,
            inverted=kept(scan.inverted, scan.inverted)[0],
            coarse=coarse,
            kept=frequencies,
        )

    def apply(self, images: Tensor, parameters: ScanParameters) -> Tensor:
        """Return the images so changed."""
        scan, views = parameters, plain(images)
        grid = _sampling_grid(scan.affine, views.shape[-2], views.shape[-1])
        views = F.grid_sample(views, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        if len(scan.coarse):  # the transform takes no empty batch
            views[scan.coarse] = without_details(views[scan.coarse], scan.kept)
        sharp = views[scan.blurred]
        views[scan.blurred] = torch.lerp(sharp, _blurred(sharp), column(scan.blur))
        uneven = views[scan.equalized]
        views[scan.equalized] = torch.lerp(uneven, _equalized(uneven), column(scan.equalization))
        views[scan.biased] *= scan.field
        views[scan.inverted] = 1 - views[scan.inverted]
        # exp2(g * log2(v)) is v ** g at half its price on a CPU.
        views = views.clamp_(min=1e-6).log2_().mul_(column(scan.gamma)).exp2_()
        mean = views.mean(dim=(1, 2, 3), keepdim=True)
        contrast = column(scan.contrast)
        views = views.mul_(contrast).add_(mean * (1 - contrast) + column(scan.brightness))
        views[scan.noisy] += scan.noise
        return views.clamp_(0, 1)


def _sampling_grid(affine: Tensor, height: int, width: int) -> Tensor:
    """Return (B, H, W, 2), where every output pixel reads its input: what `affine_grid` gives, several times faster."""
    x = (2 * torch.arange(width, device=affine.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=affine.device) + 1) / height - 1
    across, down, shift = (affine[:, :, axis].view(-1, 1, 1, 2) for axis in range(3))
    return across * x.view(1, 1, -1, 1) + (down * y.view(1, -1, 1, 1) + shift)


def _blurred(views: Tensor) -> Tensor:
    """Blur with the binomial kernel (1 4 6 4 1) / 16 along both axes, a Gaussian of deviation 1 pixel; edges are repeated."""
    for axis in (2, 3):
        side = views.shape[axis]
        padding = (0, 0, 2, 2) if axis == 2 else (2, 2, 0, 0)
        padded = F.pad(views, padding, mode="replicate")
        tap = [padded.narrow(axis, start, side) for start in range(5)]
        views = (tap[0] + tap[4]) / 16 + (tap[1] + tap[3]) / 4 + tap[2] * 0.375
    return views


def _equalized(views: Tensor) -> Tensor:
    """Bring the 256 gray levels of views (B, C, S, S) in [0, 1], each by itself, to where all are equally frequent.

    The darkest becomes black, as OpenCV's `equalizeHist` has it.
    """
    levels = views.flatten(1).mul(255).round_().long()
    counts = views.new_zeros(len(views), 256).scatter_add_(1, levels, views.new_ones(levels.shape))
    up_to = counts.cumsum(1)
    darkest = up_to.gather(1, levels.amin(dim=1, keepdim=True))
    shares = (up_to - darkest) / (up_to[:, -1:] - darkest).clamp(min=1)
    return shares.gather(1, levels).view(views.shape)


def bias_fields(coefficients: Tensor, size_px: int) -> Tensor:
    """Return bias fields (B, 1, S, S): the exponential of a x + b y + c x^2 + d x y + e y^2, where x and y reach from -1 to 1.

    coefficients: (B, 5). Smooth in space and multiplied into the scan, as the sensitivity of a coil is.
    """
    axis = torch.linspace(-1, 1, size_px, device=coefficients.device)
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    terms = torch.stack([across, down, across**2, across * down, down**2]).view(5, -1)
    return (coefficients @ terms).exp_().view(-1, 1, size_px, size_px)
