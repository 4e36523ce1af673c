"""Encoders: images (B, C, S, S) in [0, 1] -> features h (B, D)."""

from typing import Self

import pydantic
import pydantic_core
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewscan.config import Settings, nearest
from fewscan.models.standardize import standardized
from fewscan.models.timm_encoder import TimmEncoder

OWN_ENCODERS = ("study_cnn", "resnet_small")
TIMM_PREFIX = "timm:"


class EncoderSettings(Settings):
    """Which encoder, how wide, and what it begins from."""

    name: str = "resnet_small"  # one of OWN_ENCODERS, or timm:NAME for timm's model NAME
    # Whether a run begins from weights that timm fetches for its model: the one setting that fetches anything.
    pretrained: bool = False
    # First stage's channels of resnet_small. Not below 16: PyTorch 2.13 corrupts memory on a CPU in the backward pass of
    # strided 1x1 convolutions of 4, 8 or 12 channels that lie channels-last.
    width: int = pydantic.Field(default=16, ge=16, multiple_of=8)
    dense_units: int = 256  # of each of study_cnn's three dense layers; the study does not state it

    @property
    def timm_model(self) -> str | None:
        """What timm calls the model; None for an encoder of ours."""
        return self.name.removeprefix(TIMM_PREFIX) if self.name.startswith(TIMM_PREFIX) else None

    @property
    def untrained(self) -> Self:
        """The same encoder without weights from anywhere."""
        return self.model_copy(update={"pretrained": False})

    @pydantic.field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name in OWN_ENCODERS or (name.startswith(TIMM_PREFIX) and name != TIMM_PREFIX):
            return name
        hint = nearest(name, [*OWN_ENCODERS, f"{TIMM_PREFIX}NAME"])
        raise pydantic_core.PydanticCustomError("unknown_encoder", "there is no such encoder; {hint}", {"hint": hint})

    @pydantic.field_validator("pretrained")
    @classmethod
    def _only_of_timm(cls, pretrained: bool, others: pydantic.ValidationInfo) -> bool:
        if pretrained and not str(others.data.get("name")).startswith(TIMM_PREFIX):
            raise pydantic_core.PydanticCustomError(
                "nothing_to_fetch", "only timm's models have weights to fetch: choose one with encoder=timm:NAME"
            )
        return pretrained


class StudyCNN(nn.Module):
    """The study's encoder: three stages of two 3x3 convolutions and one max-pool, then three dense layers, ReLU throughout.

    Filters 16, 32, 64. Convolutions keep the size (the study does not say; with 96 px the flattened map has 64 x 12 x 12
    entries). Source: doi 10.17798/bitlisfen.1558069, section 2.2.4.
    """

    def __init__(self, channels: int, image_size_px: int, dense_units: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for inputs, filters in ((channels, 16), (16, 32), (32, 64)):
            stages += [nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU(inplace=True)]
            stages += [nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.stages = nn.Sequential(*stages)
        dense: list[nn.Module] = [nn.Flatten()]
        for inputs in (64 * (image_size_px // 8) ** 2, dense_units, dense_units):
            dense += [nn.Linear(inputs, dense_units), nn.ReLU(inplace=True)]
        self.dense = nn.Sequential(*dense)
        self.feature_dim = dense_units

    def forward(self, images: Tensor) -> Tensor:
        """Return h, (B, dense_units)."""
        features: Tensor = self.dense(self.stages(images))
        return features


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016, "Deep residual learning", figure 2), batch-normalized."""

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


class ResNetSmall(nn.Module):
    """A small residual network for gray scans: every image standardized, a strided stem, four stages of one block each.

    Standardizing each image by its own mean and deviation makes the features indifferent to a scanner's brightness and
    contrast, and needs no statistics of the data set.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
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

    def forward(self, images: Tensor) -> Tensor:
        """Return h, (B, 16 * width): the mean of every map, then its maximum."""
        maps: Tensor = self.stages(self.stem(standardized(images)))
        # A lesion fills a small part of a slice: in the mean it is drowned, the maximum keeps it.
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


def build_encoder(settings: EncoderSettings, channels: int, image_size_px: int) -> StudyCNN | ResNetSmall | TimmEncoder:
    """Return a new encoder for images (B, channels, image_size_px, image_size_px); its `feature_dim` is D.

    Raises FewscanError where a model of timm cannot be had, or does not take such images.
    """
    if settings.timm_model is not None:
        return TimmEncoder(settings.timm_model, channels, image_size_px, pretrained=settings.pretrained)
    if settings.name == "study_cnn":
        return StudyCNN(channels, image_size_px, settings.dense_units)
    return ResNetSmall(channels, settings.width)
