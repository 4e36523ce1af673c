"""What the page's model sees of every scan: features of an encoder, or, where none is to be had, what pixels alone give."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.evaluation.principal import principal
from fewscan.images.readers import fit
from fewscan.images.stored import StoredImages
from fewscan.progress import say
from fewscan.training.continuing import ReadyEncoder, asked_encoder, ready_encoder
from fewscan.training.embedding import usual_encoder
from fewscan.training.features import dataset_features
from fewscan.training.images import usable_device

Floats = npt.NDArray[np.float32]
PIXELS_PX = 32
COMPONENTS = 64


class Seen(NamedTuple):
    """Features (N, D) of all scans, what they are in words, and the encoder, None for pixels alone."""

    features: Floats
    words: str
    encoder: ReadyEncoder | None
    taught: bool = False  # the encoder is of a run on these very scans, whose labels it may have learned from


def see(dataset: Dataset, encoder: str | None, told: Callable[[int], None]) -> Seen:
    """Return what there is to see of all scans of a dataset, which keeps an encoder's features.

    encoder: a name, a run, or a file of weights; None: the usual one where its weights are installed, else pixels alone, which
    is said. told: is told how many scans more are done. Raises FewscanError where an encoder that was named cannot be had.
    """
    try:
        asked = usual_encoder() if encoder is None else asked_encoder(encoder)
    except FewscanError as lacking:
        if encoder is not None:
            raise
        say(f"{lacking}; until then suggestions rest on pixels alone, a poor guide")
        return Seen(pixel_features(dataset.pixels), "pixels alone, without a pretrained encoder", None)
    ready = ready_encoder(asked, dataset.description.spec)
    words = "random weights" if ready.origin is None else ready.origin.words
    kept = dataset_features(dataset.folder, dataset.images, ready, usable_device("auto"), told)
    features = kept.features.plain
    taught = ready.origin is not None and ready.origin.dataset_identity == dataset.images.identity
    return Seen(np.ascontiguousarray(features), f"{ready.settings.name} with {words}", ready, taught)


def pixel_features(pixels: StoredImages) -> Floats:
    """Return (N, D) the principal components of scans (N, C, S, S) as small squares, each of mean 0 and deviation 1."""
    small = np.stack([fit(np.asarray(scan.mean(axis=0), np.uint8), PIXELS_PX, "stretch")[0] for scan in pixels])
    flat = small.reshape(len(small), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(flat.std(axis=1, keepdims=True), 1.0)
    flat -= flat.mean(axis=0)
    directions, _ = principal(flat, min(COMPONENTS, *flat.shape))
    return np.asarray(flat @ directions, np.float32)
