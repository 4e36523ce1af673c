"""A model as three files: a run's weights, the gate for images out of distribution, and what it takes to use both again."""

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors import SafetensorError

from fewscan.atomic import write_text
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Typicality
from fewscan.exporting.description import ModelDescription
from fewscan.exporting.proof import Answers, Images
from fewscan.images.readers import fitted
from fewscan.tensors import read_safetensors, safetensors_of

WEIGHTS_FILE = "model.safetensors"
TYPICALITY_FILE = "typicality.safetensors"
DESCRIPTION_FILE = "model.json"
_BELONGS_TO = "belongs_to"


class SavedModel:
    """A classifier as `fewscan export --format safetensors` saved it."""

    def __init__(self, description: ModelDescription, predictor: Predictor, typicality: Typicality) -> None:
        self.description = description
        self._predictor = predictor
        self._typicality = typicality

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open the three files in `folder`, on the CPU.

        Raises FewscanError where they are missing or damaged, or an earlier version's, whose gate looks at fewer statistics.
        """
        folder = Path(folder)
        damaged = FewscanError(
            f"{folder} does not have a complete {WEIGHTS_FILE}, {TYPICALITY_FILE} and {DESCRIPTION_FILE} of "
            "this version: run 'fewscan export RUN --format safetensors'"
        )
        if not (folder / DESCRIPTION_FILE).is_file():
            raise damaged
        description = ModelDescription.read(folder / DESCRIPTION_FILE, "run 'fewscan export RUN --format safetensors'")
        network = description.new_network()
        try:
            tensors, metadata = read_safetensors(folder / WEIGHTS_FILE)
            network.load_state_dict(tensors)
            typicality = Typicality.load(folder / TYPICALITY_FILE, description.spec.channels, description.spec.size_px)
        except (SafetensorError, OSError, RuntimeError, KeyError, ValueError):  # the last: a gate of fewer densities
            raise damaged from None
        if metadata.get(_BELONGS_TO) != _digest(folder):
            raise FewscanError(
                f"{folder}: {WEIGHTS_FILE} belongs to another {DESCRIPTION_FILE} or {TYPICALITY_FILE}: export again"
            )
        return cls(description, Predictor(network, torch.device("cpu"), description.temperature), typicality)

    def answers(self, images: Images) -> Answers:
        """Return what it says of N images as `readers.read_image` reads them."""
        pixels = np.stack([fitted(image, self.description.spec) for image in images])
        return Answers(self._predictor.predict(pixels).probabilities, self._typicality.of(pixels))


def write_weights(predictor: Predictor, typicality: Typicality, description: ModelDescription, folder: Path) -> None:
    """Write the three files into `folder`."""
    typicality.save(folder / TYPICALITY_FILE)
    write_text(folder / DESCRIPTION_FILE, description.model_dump_json(indent=2) + "\n")
    (folder / WEIGHTS_FILE).write_bytes(safetensors_of(predictor.network.state_dict(), {_BELONGS_TO: _digest(folder)}))


def _digest(folder: Path) -> str:
    """Return what ties weights to the classes and settings that they mean something under, and to their gate."""
    sha256s = [file_sha256(folder / name) for name in (DESCRIPTION_FILE, TYPICALITY_FILE)]
    return hashlib.sha256(" ".join(sha256s).encode()).hexdigest()
