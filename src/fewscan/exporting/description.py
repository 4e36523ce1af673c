"""What an exported model says of itself, in `model.json` and inside an ONNX file."""

import json
import math
from typing import Literal, Self

import pydantic

from fewscan.config import Settings
from fewscan.images.options import LEFT_OUT, ImageSpec
from fewscan.models.encoders import AnyEncoderSettings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network
from fewscan.models.origin import Origin
from fewscan.training.run import Run
from fewscan.version import __version__

USE = "research use only: not a medical device"


class ModelDescription(Settings):
    """Everything that it takes to use a model besides its weights; the content of `model.json`."""

    format: Literal[3] = 3
    fewscan_version: str
    use: str = USE
    classes: tuple[str, ...]  # in the order of the probabilities
    spec: ImageSpec  # how files become what the network sees
    temperature: float = pydantic.Field(gt=0)  # logits are divided by it
    # Below it an image is out of distribution; None where all images that the run learned from are of one group.
    typicality_limit: float | None
    only_gray: bool = False  # whether an image that shows color is out of distribution, too; its pixels do not tell
    encoder: AnyEncoderSettings
    heads: HeadSettings
    dataset_fingerprint: str
    began_with: Origin | None = None  # the weights that training began with; None for random ones

    @classmethod
    def of(cls, run: Run, temperature: float, typicality_limit: float, *, only_gray: bool = False) -> Self:
        """Return the description of a run's model."""
        record = run.record
        return cls(
            fewscan_version=__version__,
            classes=record.classes,
            spec=record.spec,
            temperature=temperature,
            typicality_limit=typicality_limit if math.isfinite(typicality_limit) else None,
            only_gray=only_gray,
            encoder=run.settings.encoder.untrained,
            heads=run.settings.heads,
            dataset_fingerprint=record.dataset_fingerprint,
            began_with=None if record.began_with is None else record.began_with.origin.without_folders,
        )

    def metadata(self) -> dict[str, str]:
        """Return what goes into an ONNX file, whose metadata are texts: classes as a JSON list, the rest as it is written."""
        plain = {"fewscan_version", "use", "temperature", "only_gray", "dataset_fingerprint"}
        limit = -math.inf if self.typicality_limit is None else self.typicality_limit
        spec = {"channels": self.spec.channels, "image_size_px": self.spec.size_px, "resize": self.spec.resize}
        said = self.spec.model_dump()
        shown = {name: said[name] for name in LEFT_OUT if name in said}
        window = {} if self.spec.window is None else {"window": str(self.spec.window)}
        return (
            {"classes": json.dumps(self.classes), "typicality_limit": str(limit)}
            | shown
            | window
            | ({} if self.began_with is None else {"began_with": self.began_with.model_dump_json(exclude_none=True)})
            | {name: str(value) for name, value in (spec | self.model_dump(include=plain)).items()}
        )

    def new_network(self) -> Network:
        """Return a network of the described shape, without trained weights; nothing is ever fetched for it."""
        return Network.of(self.spec, len(self.classes), self.encoder, self.heads)
