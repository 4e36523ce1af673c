"""What views are: random changes of a batch of scans that leave what is to be learned; parameters first, then all at once."""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from fewscan.config import Settings
from fewscan.seeds import Stream


class ViewSettings(Settings):
    """Settings of views; a subclass fixes `name` and adds its own."""

    name: str


class Views:
    """A policy of random views. A subclass states the facts below and writes `sample` and `apply`."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for people
    settings_type: ClassVar[type[ViewSettings]]

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def weak(self) -> Self:
        """Return the policy as it is for a view that is still easy to recognize; by default as it is."""
        return self

    def sample(self, count: int, image_size_px: int, generator: torch.Generator) -> Any:
        """Draw the parameters of `count` views on the generator's device, which is then the only one that works on them."""
        raise NotImplementedError

    def apply(self, images: Tensor, parameters: Any) -> Tensor:
        """Return views (B, C, S, S) float32 in [0, 1] of images (B, C, S, S) uint8 with the parameters of B views."""
        raise NotImplementedError


def random_views(views: Views, images: Tensor, count: int, drawn_from: Stream) -> Tensor:
    """Return `count` views of each image (B, C, S, S) uint8, one batch after the other: (count * B, C, S, S) float32.

    On one kind of device a stream always gives the same views.
    """
    generator = torch.Generator(images.device).manual_seed(drawn_from.number)
    repeated = images.repeat(count, 1, 1, 1)
    parameters = views.sample(len(repeated), images.shape[-1], generator)
    return views.apply(repeated, parameters).contiguous(memory_format=torch.channels_last)


def plain(images: Tensor) -> Tensor:
    """Return images (B, C, S, S) uint8 as float32 in [0, 1], not changed otherwise: what is evaluated."""
    return images.float() / 255


def uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """Draw `count` numbers in [low, high) on the generator's device."""
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def column(values: Tensor) -> Tensor:
    """Return a number an image, (B,), as what images (B, C, S, S) can be multiplied by."""
    return values.view(-1, 1, 1, 1)
