"""Whether an exported model says what its run says: both are asked about the same scans, and the answers compared."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from fewscan.config import Settings
from fewscan.datasets.originals import originals
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Typicality
from fewscan.images.formats.image import Pixels
from fewscan.images.png import as_in_a_file
from fewscan.images.readers import fitted
from fewscan.images.stored import Chosen, one_by_one
from fewscan.progress import track
from fewscan.seeds import stream
from fewscan.wording import counted

# How far a probability may be from the run's. Sums in another order move it by about a millionth; a wrong weight, a wrong
# temperature or one gray level in many pixels move it further than this.
TOLERANCE = 1e-4
SCANS = 256

# The same for how typical an image is, a number whose size is about 1: sums of a few hundred terms in another order.
TYPICALITY_TOLERANCE = 1e-3

Images = Sequence[Pixels]  # of one size, (H, W) or (H, W, 3) each


class Answers(NamedTuple):
    """What a model says of N images."""

    probabilities: npt.NDArray[np.floating]  # (N, K)
    typicality: npt.NDArray[np.floating]  # (N,)


class ExportedModel(Protocol):
    """What an exported model can do, whatever its format."""

    def answers(self, images: Images) -> Answers:
        """Return what it says of N images of one size, as `readers.read_image` reads them."""


class Proof(Settings):
    """How far an exported model was from its run."""

    scans: int
    originals: int  # those of the scans that were also read again from the files that they were imported from
    largest_difference: float  # between two probabilities
    tolerance: float = TOLERANCE
    largest_typicality_difference: float  # as a share of the larger of 1 and the run's
    typicality_tolerance: float = TYPICALITY_TOLERANCE

    def __str__(self) -> str:
        """Say it in a line."""
        files = f"{self.originals} of them read again from their files" if self.originals else "as the dataset stores them"
        return (
            f"largest difference in probability {self.largest_difference:.1e}, allowed {self.tolerance:.0e}, "
            f"in typicality {self.largest_typicality_difference:.1e}, allowed {self.typicality_tolerance:.0e}, "
            f"on {counted(self.scans, 'scan')}, {files}"
        )


def prove(model: ExportedModel, predictor: Predictor, typicality: Typicality, dataset: Snapshot) -> Proof:
    """Compare `model` with the run's `predictor` and `typicality` on at most SCANS of the run's dataset, none of its test set.

    The model sees the pixels that the dataset stores, all at once, and besides, one by one, the files that they were imported
    from, in their own sizes, where these are still there and hold the same image. The predictor sees what the dataset stores
    of the files, and of the stored pixels what it would store of them, were they files: the same, unless scans are cropped
    or inverted.
    Raises FewscanError where a probability differs by TOLERANCE or a typicality by TYPICALITY_TOLERANCE or more.
    """
    rows = dataset.rows("labeled", "unlabeled", "validation")
    rows = np.sort(stream(0, "proof scans").numpy().permutation(rows)[:SCANS])
    stored = [as_in_a_file(image) for image in one_by_one(dataset.pixels, rows)]
    as_files = np.stack([fitted(image, dataset.spec) for image in stored])
    of_stored = Answers(predictor.predict(as_files).probabilities, typicality.of(as_files))
    differences = [_differences(model.answers(stored), of_stored)]
    expected = Answers(predictor.predict(dataset.pixels, rows).probabilities, typicality.of(Chosen(dataset.pixels, rows)))
    for position, image in track(originals(dataset, rows), "prove", total=len(rows)):
        if image is not None:
            of_one = Answers(*(values[position : position + 1] for values in expected))
            differences.append(_differences(model.answers([image]), of_one))
    largest, largest_typicality = (float(value) for value in np.max(differences, axis=0))
    for name, found, allowed in (
        ("probability", largest, TOLERANCE),
        ("typicality", largest_typicality, TYPICALITY_TOLERANCE),
    ):
        # Asked like this, NaN fails too.
        if not found < allowed:
            raise FewscanError(
                f"the exported model differs from the run: a {name} is off by {found:.1e}, and {allowed:.0e} is allowed, so "
                "nothing was written; if fewscan, torch or Pillow changed since the import, import and train again"
            )
    return Proof(
        scans=len(rows),
        originals=len(differences) - 1,
        largest_difference=largest,
        largest_typicality_difference=largest_typicality,
    )


def _differences(found: Answers, expected: Answers) -> tuple[float, float]:
    """Return the largest difference of two probabilities, and of two typicalities as a share of these where they are large."""
    probabilities, typicality = (a.astype(np.float64) - b for a, b in zip(found, expected, strict=True))
    sizes = np.maximum(1, np.abs(expected.typicality))
    return float(np.abs(probabilities).max()), float(np.abs(typicality / sizes).max())
