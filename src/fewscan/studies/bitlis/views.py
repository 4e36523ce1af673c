"""The study's views: a horizontal flip, nothing else."""

from typing import Literal

import pydantic
import torch
from torch import Tensor

from fewscan.learning.views import Views, ViewSettings, column, plain, uniform


class StudyViewSettings(ViewSettings):
    """Settings of the views `study`."""

    name: Literal["study"] = "study"
    flip_probability: float = pydantic.Field(default=0.5, ge=0, le=1)


class StudyViews(Views):
    """Each image or its mirror image. Source: doi 10.17798/bitlisfen.1558069, section 2.2."""

    name = "study"
    summary = "the published study's: a horizontal flip and nothing else"
    settings_type = StudyViewSettings

    settings: StudyViewSettings

    def sample(self, count: int, image_size_px: int, generator: torch.Generator) -> Tensor:
        """Return which images are flipped, (B,) bool."""
        return uniform(0, 1, count, generator) < self.settings.flip_probability

    def parameters_of(self, places: Tensor, parameters: Tensor) -> Tensor:
        """Return which of the images at `places` are flipped."""
        return parameters[places]

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        """Return the images, those flipped that `parameters` says."""
        views = plain(images)
        return torch.where(column(parameters), views.flip(-1), views)
