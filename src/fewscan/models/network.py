"""The network that every method trains: encoder, projection head and classifier, one forward pass for all."""

from typing import NamedTuple, Self

from torch import Tensor, nn

from fewscan.images.options import ImageSpec
from fewscan.models.encoder import EncoderSettings
from fewscan.models.encoders import build_encoder
from fewscan.models.heads import HeadSettings, classifier, projection_head


class Outputs(NamedTuple):
    """What the network says of a batch."""

    h: Tensor  # (B, D) features
    z: Tensor  # (B, P) projections
    logits: Tensor  # (B, K)


class Network(nn.Module):
    """Images (B, C, S, S) float in [0, 1] -> Outputs."""

    def __init__(
        self, encoder: EncoderSettings, heads: HeadSettings, *, channels: int, image_size_px: int, classes: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.encoder = build_encoder(encoder, channels, image_size_px)
        self.projection_head = projection_head(self.encoder.feature_dim, heads)
        inputs = heads.projection_units[-1] if heads.classifier_input == "projection" else self.encoder.feature_dim
        self.classifier = classifier(inputs, classes, heads)
        self.apply(self.encoder.first_weights)

    @classmethod
    def of(cls, spec: ImageSpec, classes: int, encoder: EncoderSettings, heads: HeadSettings) -> Self:
        """Return a network for images of this size and these channels."""
        return cls(encoder, heads, channels=spec.channels, image_size_px=spec.size_px, classes=classes)

    def forward(self, images: Tensor) -> Outputs:
        """Return features, projections and logits of images (B, C, S, S)."""
        return self.read(self.encoder(images))

    def read(self, h: Tensor) -> Outputs:
        """Return the same of features (B, D)."""
        z = self.projection_head(h)
        read = z if self.heads.classifier_input == "projection" else h
        return Outputs(h, z, self.classifier(read.detach() if self.heads.classifier_detached else read))
