"""What views are: random changes of a batch of scans that leave what is to be learned; parameters first, then all at once."""

from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from fewscan.config import ChosenSettings
from fewscan.errors import FewscanError
from fewscan.seeds import Stream


class ViewSettings(ChosenSettings):
    """Settings of views; a subclass fixes `name` and adds its own."""

    name: str


class Part(NamedTuple):
    """Some of all views of a batch: those that one of several devices makes."""

    places: Tensor  # (b,) int64, where they stand among all
    of: int  # how many all are


class Views:
    """A policy of random views. A subclass sets the attributes below and defines `sample` and `apply`."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for people
    settings_type: ClassVar[type[ViewSettings]]

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def weak(self) -> Self:
        """Return the policy for weak views, which are still easy to recognize; by default the same policy."""
        return self

    def sample(self, count: int, image_size_px: int, generator: torch.Generator) -> Any:
        """Draw the parameters of `count` views on the generator's device, which is then the only one that works on them."""
        raise NotImplementedError

    def apply(self, images: Tensor, parameters: Any) -> Tensor:
        """Return views (B, C, S, S) float32 in [0, 1] of images (B, C, S, S) uint8 with the parameters of B views."""
        raise NotImplementedError

    def parameters_of(self, places: Tensor, parameters: Any) -> Any:
        """Return the part of a batch's parameters that `apply` takes for the views at `places`, (b,) int64.

        Needed if several devices share a batch.
        """
        raise FewscanError(
            f"the views '{self.name}' do not define parameters_of, which several devices need to share a batch: "
            "train on one device"
        )


def random_views(views: Views, images: Tensor, count: int, drawn_from: Stream, part: Part | None = None) -> Tensor:
    """Return `count` views of each image (B, C, S, S) uint8, one batch after the other: (count * B, C, S, S) float32.

    On one kind of device a stream always gives the same views. With `part` the images are those of a part of all views, which
    are as they would be among all.
    """
    generator = torch.Generator(images.device).manual_seed(drawn_from.number)
    repeated = images.repeat(count, 1, 1, 1)
    parameters = views.sample(len(repeated) if part is None else part.of, images.shape[-1], generator)
    if part is not None:
        parameters = views.parameters_of(part.places, parameters)
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
