"""A small residual network for gray scans: the encoder that runs have unless told otherwise."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewscan.models.encoder import Encoder, EncoderSettings
from fewscan.models.standardize import standardized


class ResNetSmallSettings(EncoderSettings):
    """Settings of `resnet_small`."""

    name: Literal["resnet_small"] = "resnet_small"
    # First stage's channels. Not below 16: PyTorch 2.13 corrupts memory on a CPU in the backward pass of strided 1x1
    # convolutions of 4, 8 or 12 channels that lie channels-last.
    width: int = pydantic.Field(default=16, ge=16, multiple_of=8)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016, "Deep residual learning", figure 2), batch-normalized."""

    normalized_by: ClassVar[Mapping[str, str]] = {"conv1": "norm1", "conv2": "norm2"}  # see `folding.folded`

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        return F.relu(y + self.shortcut(x), inplace=True)


class ResNetSmall(Encoder):
    """Every image standardized, a strided stem, four stages of one block each.

    Standardizing each image by its own mean and deviation makes the features indifferent to a scanner's brightness and
    contrast, and needs no statistics of the data set.
    """

    name = "resnet_small"
    summary = "a small residual network that standardizes each scan by itself; the default"
    settings_type = ResNetSmallSettings
    same_passes = True
    graph_pays_from = 30_000  # of 96 px

    def __init__(self, settings: ResNetSmallSettings, channels: int, image_size_px: int) -> None:
        super().__init__(settings, channels, image_size_px)
        width = settings.width
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        stages = []
        inputs = width
        for number in range(4):
            outputs = width * 2**number
            stages.append(ResidualBlock(inputs, outputs, stride=1 if number == 0 else 2))
            inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.feature_dim = 2 * inputs

    def parts(self) -> list[nn.Module]:
        """Return the stem and each stage."""
        return [self.stem, *self.stages]

    def forward(self, images: Tensor) -> Tensor:
        """Return h, (B, 16 * width): the mean of every map, then its maximum."""
        maps: Tensor = self.stages(self.stem(standardized(images)))
        # A lesion fills a small part of a slice: in the mean it is drowned, the maximum keeps it.
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
