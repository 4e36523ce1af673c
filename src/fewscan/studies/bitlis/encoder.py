"""The study's encoder, and the first weights that its network had."""

from typing import Literal

import pydantic
from torch import Tensor, nn

from fewscan.models.encoder import Encoder, EncoderSettings


class StudyCNNSettings(EncoderSettings):
    """Settings of `study_cnn`."""

    name: Literal["study_cnn"] = "study_cnn"
    dense_units: int = pydantic.Field(default=256, ge=1)  # of each of the three dense layers; the study does not state it


class StudyCNN(Encoder):
    """Three stages of two 3x3 convolutions and one max-pool, then three dense layers, ReLU throughout.

    Filters 16, 32, 64. Convolutions keep the size (the study does not say; with 96 px the flattened map has 64 x 12 x 12
    entries). Source: doi 10.17798/bitlisfen.1558069, section 2.2.4.
    """

    name = "study_cnn"
    summary = "the published study's network: six convolutions, three dense layers, no normalization"
    settings_type = StudyCNNSettings
    same_passes = True
    normalized = False

    def __init__(self, settings: StudyCNNSettings, channels: int, image_size_px: int) -> None:
        super().__init__(settings, channels, image_size_px)
        stages: list[nn.Module] = []
        for inputs, filters in ((channels, 16), (16, 32), (32, 64)):
            stages += [nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU(inplace=True)]
            stages += [nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.stages = nn.Sequential(*stages)
        dense: list[nn.Module] = [nn.Flatten()]
        units = settings.dense_units
        for inputs in (64 * (image_size_px // 8) ** 2, units, units):
            dense += [nn.Linear(inputs, units), nn.ReLU(inplace=True)]
        self.dense = nn.Sequential(*dense)
        self.feature_dim = units

    def forward(self, images: Tensor) -> Tensor:
        """Return h, (B, dense_units)."""
        features: Tensor = self.dense(self.stages(images))
        return features

    @staticmethod
    def first_weights(module: nn.Module) -> None:
        """Give a convolution or dense layer Keras' first weights, which the study's network had: Glorot-uniform, biases zero.

        PyTorch's own are so small that what twelve layers without normalization put out is nearly the same for every image: the
        biases' sum. Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural
        networks", equation 16.
        """
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
