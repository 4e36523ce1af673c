"""From a finished run to probabilities and features, for rows of a dataset or for arrays of pixels."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch

from fewscan.models.network import Network
from fewscan.training.allocator import keep_freed_memory
from fewscan.training.batches import Rows
from fewscan.training.images import ImageRows
from fewscan.training.predict import predict
from fewscan.training.run import Run


class Prediction(NamedTuple):
    """What a run says of N images."""

    probabilities: npt.NDArray[np.float32]  # (N, K), rows sum to 1
    features: npt.NDArray[np.float32]  # (N, D)
    projections: npt.NDArray[np.float32]  # (N, P)


class Predictor:
    """The trained network of a run, in evaluation mode."""

    def __init__(self, network: Network, device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.device = device

    @classmethod
    def of(cls, run: Run) -> Self:
        """Load a finished run; raises FewscanError where it is unfinished or damaged."""
        keep_freed_memory()
        wanted = run.settings.device
        found = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(run.load_network(), torch.device(found if wanted == "auto" else wanted))

    def predict(self, pixels: npt.NDArray[np.uint8], rows: Rows | None = None) -> Prediction:
        """Return probabilities, features and projections of images (N, C, S, S) uint8, or of the given rows of them."""
        images = ImageRows(pixels, self.device)
        outputs = predict(self.network, images.batches(np.arange(len(pixels)) if rows is None else rows))
        return Prediction(outputs.logits.softmax(dim=1).numpy(), outputs.h.numpy(), outputs.z.numpy())
