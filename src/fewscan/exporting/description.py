"""What an exported model says of itself, in `model.json` and inside an ONNX file."""

import json
import math
from typing import Literal, Self

import pydantic

from fewscan.config import Settings
from fewscan.images.formats.reading import Window
from fewscan.images.options import Resize
from fewscan.models.encoders import AnyEncoderSettings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network
from fewscan.training.run import Run
from fewscan.version import __version__

USE = "research use only: not a medical device"


class ModelDescription(Settings):
    """Everything that it takes to use a model besides its weights; the content of `model.json`."""

    format: Literal[2] = 2
    fewscan_version: str
    use: str = USE
    classes: tuple[str, ...]  # in the order of the probabilities
    channels: Literal[1, 3]
    image_size_px: int
    resize: Resize
    window: Window | None = None  # that deep gray values are to be shown through; None: as docs/data.md says of each format
    temperature: float = pydantic.Field(gt=0)  # logits are divided by it
    # Below it an image is out of distribution; None where all images that the run learned from are of one group.
    typicality_limit: float | None
    encoder: AnyEncoderSettings
    heads: HeadSettings
    dataset_fingerprint: str

    @classmethod
    def of(cls, run: Run, temperature: float, typicality_limit: float) -> Self:
        """Return the description of a run's model."""
        record = run.record
        return cls(
            fewscan_version=__version__,
            classes=record.classes,
            channels=record.channels,
            image_size_px=record.image_size_px,
            resize=record.resize,
            window=record.window,
            temperature=temperature,
            typicality_limit=typicality_limit if math.isfinite(typicality_limit) else None,
            encoder=run.settings.encoder.untrained,
            heads=run.settings.heads,
            dataset_fingerprint=record.dataset_fingerprint,
        )

    def metadata(self) -> dict[str, str]:
        """Return what goes into an ONNX file, whose metadata are texts: classes as a JSON list, the rest as it is written."""
        plain = {"fewscan_version", "use", "channels", "image_size_px", "resize", "temperature", "dataset_fingerprint"}
        limit = -math.inf if self.typicality_limit is None else self.typicality_limit
        window = {} if self.window is None else {"window": str(self.window)}
        return (
            {"classes": json.dumps(self.classes), "typicality_limit": str(limit)}
            | window
            | {name: str(value) for name, value in self.model_dump(include=plain).items()}
        )

    def new_network(self) -> Network:
        """Return a network of the described shape, without trained weights; nothing is ever fetched for it."""
        return Network(
            self.encoder,
            self.heads,
            channels=self.channels,
            image_size_px=self.image_size_px,
            classes=len(self.classes),
        )
