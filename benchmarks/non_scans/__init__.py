"""Images that are no scans of the kind that a run learned from, 8-bit as a file would hold them: kinds by name.

CHOSEN_WITH are the kinds that the gate's form was chosen with. TESTED_WITH are ten others: no limit, description or weight was
chosen with them. All but those in NEED_SCIKIT_IMAGE are drawn here or come with scikit-learn and Matplotlib; these need
scikit-image, for the pictures that it brings.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from benchmarks.non_scans import chosen, tested
from benchmarks.non_scans.drawing import Picture, Random
from fewscan.images.options import ImageSpec
from fewscan.images.readers import fitted

Draw = Callable[[Random, np.ndarray], Picture]
CHOSEN_WITH: dict[str, Draw] = {
    "noise": chosen.noise,
    "gradient": chosen.gradient,
    "checkerboard": chosen.checkerboard,
    "photograph": chosen.photograph,
    "text page": chosen.text_page,
    "inverted scan": chosen.inverted_scan,
    "digit": chosen.digit,
    "montage": chosen.montage,
    "blobs": chosen.blobs,
    "slice of an abdomen": chosen.abdomen,
}
TESTED_WITH: dict[str, Draw] = {
    "other photograph": tested.other_photograph,
    "logo": tested.logo,
    "chart": tested.chart,
    "screenshot": tested.screenshot,
    "histology": tested.histology,
    "x-ray of a chest": tested.xray,
    "scrambled scan": tested.scrambled_scan,
    "slice of the thighs": tested.thighs,
    "eye or cells": tested.eye_or_cells,
    "texture": tested.texture,
}
NEED_SCIKIT_IMAGE = ("other photograph", "histology", "eye or cells", "texture")


def of_kind(kind: str, count: int, scans: np.ndarray, seed: int = 0) -> list[Picture]:
    """Draw `count` pictures of a kind; scans: (N, S, S) uint8, which some kinds are made from."""
    number = [*CHOSEN_WITH, *TESTED_WITH].index(kind)
    random = np.random.default_rng([seed, number])
    draw = (CHOSEN_WITH | TESTED_WITH)[kind]
    return [draw(random, scans) for _ in range(count)]


def as_a_dataset_holds_it(picture: Picture, spec: ImageSpec) -> np.ndarray:
    """Return (C, S, S) uint8, the picture as `label` reads its file: a negative undone and its border cut away where asked."""
    image = Image.fromarray(picture).convert("L" if spec.channels == 1 else "RGB")
    return fitted(np.asarray(image), spec)
