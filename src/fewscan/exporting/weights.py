"""A model as `model.safetensors` and `model.json`: a run's weights, and what it takes to build their network again."""

import json
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from fewscan.atomic import write_text
from fewscan.data.formats.image import Pixels
from fewscan.data.readers import fit
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.exporting.description import ModelDescription
from fewscan.exporting.proof import Images, Probabilities

WEIGHTS_FILE = "model.safetensors"
DESCRIPTION_FILE = "model.json"


class SavedModel:
    """A classifier as `fewscan export --format safetensors` saved it."""

    def __init__(self, description: ModelDescription, predictor: Predictor) -> None:
        self.description = description
        self._predictor = predictor

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open the two files in `folder`, on the CPU; raises FewscanError where they are missing or damaged."""
        folder = Path(folder)
        damaged = FewscanError(
            f"{folder} holds no whole {WEIGHTS_FILE} and {DESCRIPTION_FILE}: run 'fewscan export RUN --format safetensors'"
        )
        try:
            content = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise damaged from None
        if not isinstance(content, dict):
            raise damaged
        description = ModelDescription.parse(content, where=DESCRIPTION_FILE)
        network = description.new_network()
        try:
            network.load_state_dict(load_file(folder / WEIGHTS_FILE))
        except (SafetensorError, OSError, RuntimeError):
            raise damaged from None
        return cls(description, Predictor(network, torch.device("cpu"), description.temperature))

    def probabilities(self, images: Images) -> Probabilities:
        """Return (N, K) float32 for N images as `readers.read_image` reads them."""
        fitted: list[Pixels] = [fit(image, self.description.image_size_px, self.description.resize) for image in images]
        return self._predictor.predict(np.stack(fitted)).probabilities


def write_weights(predictor: Predictor, description: ModelDescription, folder: Path) -> None:
    """Write the two files into `folder`."""
    tensors = {name: value.contiguous() for name, value in predictor.network.state_dict().items()}
    (folder / WEIGHTS_FILE).write_bytes(save(tensors, {"format": "pt"}))
    write_text(folder / DESCRIPTION_FILE, description.model_dump_json(indent=2) + "\n")
