"""What an encoder is: settings, and a module from images to features h."""

from typing import Any, ClassVar, Self

from torch import Tensor, nn

from fewscan.config import Settings


class EncoderSettings(Settings):
    """Settings of an encoder; a subclass fixes `name` and adds its own."""

    name: str

    @property
    def fetched_from(self) -> str | None:
        """Where the weights are fetched that a run begins from, as people call it; None for random weights."""
        return None

    @property
    def untrained(self) -> Self:
        """The same encoder without weights from anywhere."""
        return self


class Encoder(nn.Module):
    """Images (B, C, S, S) float in [0, 1] -> features h (B, feature_dim). A subclass states the facts below.

    One whose first weights are drawn at random draws them when it is made, from torch's generator.
    """

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for people
    settings_type: ClassVar[type[EncoderSettings]]
    normalized: ClassVar[bool] = True  # whether its layers normalize, which keeps features of different images apart
    packages: ClassVar[tuple[str, ...]] = ()  # whose versions a run notes because of it

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
