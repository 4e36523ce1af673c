"""What an encoder is: settings, and a module from images to features h."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import pydantic
from torch import Tensor, nn

from fewscan.config import ChosenSettings
from fewscan.errors import FewscanError
from fewscan.models.origin import KnownWeights, Weights


class EncoderSettings(ChosenSettings):
    """Settings of an encoder; a subclass fixes `name` and adds its own."""

    name: str
    # What the encoder begins from: a run's folder, a file of weights, or the name of weights that the encoder knows where to
    # get. None: random weights.
    weights: str | None = None
    # The side in pixels that images are brought to, as a part of the network, before the encoder sees them; None: as they are.
    input_px: int | None = pydantic.Field(default=None, ge=8, le=1024)

    @property
    def untrained(self) -> Self:
        """The same encoder without weights from anywhere."""
        return self.model_copy(update={"weights": None})

    @property
    def without_folders(self) -> Self:
        """The same for pages that are handed on: of a place on this machine only its name."""
        return self if self.weights is None else self.model_copy(update={"weights": Path(self.weights).name})


class Encoder(nn.Module):
    """Images (B, C, S, S) float in [0, 1] -> features h (B, feature_dim). A subclass sets the attributes below.

    Random first weights are drawn when it is made, from torch's generator.
    """

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for people
    settings_type: ClassVar[type[EncoderSettings]]
    normalized: ClassVar[bool] = True  # whether its layers normalize, which keeps features of different images apart
    packages: ClassVar[tuple[str, ...]] = ()  # whose versions a run notes because of it
    # Whether a pass in training is the same operations for every batch of a size, without random numbers: a GPU can record it.
    same_passes: ClassVar[bool] = False
    # From how many passes of an image on a CPU ONNX Runtime, which takes them as a graph, spares more time than writing that
    # graph takes; None: not measured, or never.
    graph_pays_from: ClassVar[int | None] = None
    # How many of its first parts see what every picture has, edges and textures, so that learned weights may stay as they are.
    general_parts: ClassVar[int] = 0
    known_weights: ClassVar[tuple[KnownWeights, ...]] = ()  # that it can get by name, the usual ones first

    feature_dim: int

    def __init__(self, settings: Any, channels: int, image_size_px: int) -> None:
        """Make the encoder for images (B, channels, image_size_px, image_size_px), and set `feature_dim`."""
        super().__init__()
        self.settings = settings

    def forward(self, images: Tensor) -> Tensor:
        """Return h, (B, feature_dim)."""
        raise NotImplementedError

    @staticmethod
    def first_weights(module: nn.Module) -> None:
        """Give a module of the network, heads included, its first weights; by default those that it was made with stay."""

    def parts(self) -> list[nn.Module]:
        """Return the parts that contain all weights, in the order in which an image passes through them; by default one part.

        `optimizer.layer_decay` lets earlier ones learn more slowly, `optimizer.frozen_parts` the first ones not at all.
        """
        return [self]

    def get_weights(self, name: str) -> Weights:
        """Return the weights `name` of `known_weights`; raises FewscanError if they are not available."""
        raise FewscanError(f"encoder '{self.name}' has no weights '{name}'")

    def own_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the tensors of a file under the encoder's own names, without those that it has no place for by design.

        By default they already have the names in the encoder's state_dict.
        """
        return tensors
