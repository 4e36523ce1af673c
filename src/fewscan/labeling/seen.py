"""Which scans to be labeled a run has seen already: it learned from them, was chosen by them, or is scored by them.

A scan is compared with the run's dataset by its file and its pixels, and where these are others, as a near-duplicate: the most
similar small picture of the dataset, mirrored, turned by quarters or cropped, is compared with the scan as the audit does.
Where the dataset's scans are cropped and kept whole besides, whole ones are compared.
"""

from collections.abc import Callable, Iterable, Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies import are_copies
from fewscan.datasets.descriptions import Split
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.readers import Image
from fewscan.labeling.small_pictures import SmallPictures
from fewscan.learning.registry import method_type
from fewscan.training.batches import Rows
from fewscan.training.run import Run

KNOWN_PATIENT = "of a known patient"  # who has another scan that was learned from, or that thresholds rest on
LEARNED_FROM = "learned from"
VALIDATION = "validation set"
TEST = "test set"


class Seen:
    """What a run's dataset holds of scans that are to be labeled."""

    def __init__(self, run: Run, dataset: Snapshot, *, near: bool = True) -> None:
        """Take the run's dataset; without `near` only the same files and pixels are recognized."""
        self._dataset = dataset
        self._near = near
        self._making = Lock()
        self._made: SmallPictures | None = None
        self._words = _words(run, dataset)
        manifest = dataset.manifest.assign(row=np.arange(len(dataset.manifest)))[self._words != ""]
        files = manifest.drop_duplicates("sha256", keep=False)  # of a file with several images, the pixels say which
        self._by_pixels = dict(zip(manifest["pixels_sha256"], manifest["row"], strict=True))
        self._by_file = dict(zip(files["sha256"], files["row"], strict=True))

    def rows(self, rows: Rows) -> list[str | None]:
        """Return of rows of the dataset how each was seen, None where it was not."""
        return [word or None for word in self._words[rows].tolist()]

    def scans(self, images: Sequence[Image]) -> list[str | None]:
        """Return of scans, read as the dataset's were, how each was seen, None where it is new."""
        keeps_whole = self._dataset.store.keeps_whole

        def shown(places: Sequence[int]) -> npt.NDArray[np.uint8]:
            return np.stack([images[place].whole if keeps_whole else images[place].pixels for place in places])

        return self._seen([image.pixels_sha256 for image in images], [image.sha256 for image in images], shown)

    def stored(self, other: Snapshot, rows: Rows) -> list[str | None]:
        """Return of rows of another dataset, whose scans were read as the run's, how each was seen, None where it is new."""
        facts = other.manifest.iloc[rows]
        pixels, files = (facts[name].tolist() for name in ("pixels_sha256", "sha256"))
        return self._seen(pixels, files, lambda places: other.whole[rows[places]])

    def _seen(
        self, pixels: Sequence[str], files: Sequence[str], shown: Callable[[Sequence[int]], npt.NDArray[np.uint8]]
    ) -> list[str | None]:
        """Return how scans were seen, by the SHA-256 of their pixels and files; shown: what is seen at some places of them."""
        found = [self._by_pixels.get(one, self._by_file.get(file)) for one, file in zip(pixels, files, strict=True)]
        unknown = [place for place, row in enumerate(found) if row is None]
        if self._near and len(unknown):
            for place, row in self._near_copies(shown(unknown)):
                found[unknown[place]] = row
        return [None if row is None else str(self._words[row]) for row in found]

    def _near_copies(self, pixels: npt.NDArray[np.uint8]) -> Iterable[tuple[int, int]]:
        """Yield (place, row) of near-duplicates of the dataset's rows among new `pixels` (B, C, S, S)."""
        place, row, symmetry = self._pictures.likest(pixels)
        both = np.concatenate([pixels[place], self._dataset.whole[row]])
        first = np.arange(len(place))
        copies = are_copies(both, first, first + len(place), symmetry)
        yield from zip(place[copies].tolist(), row[copies].tolist(), strict=True)

    @property
    def _pictures(self) -> SmallPictures:
        """Small pictures of the rows that were seen, made once, whichever thread asks first."""
        with self._making:
            if self._made is None:
                rows = np.intersect1d(np.flatnonzero(self._words != ""), self._dataset.usable)
                self._made = SmallPictures.of(self._dataset.whole, rows)
            return self._made


def learned_patients(run: Run, dataset: Snapshot) -> set[str]:
    """Return whose images a run has learned from or was calibrated on, as the column `patient` of its dataset has them."""
    learned = np.isin(_words(run, dataset), (LEARNED_FROM, VALIDATION))
    return set(dataset.manifest["patient"][learned].dropna())


def _words(run: Run, dataset: Snapshot) -> npt.NDArray[np.str_]:
    """Return (N,) how each row was seen, '' where it was not; a copy of a row was seen as the row was."""
    learned: tuple[Split, ...] = (
        ("labeled", "unlabeled") if method_type(run.settings.method.name).uses_unlabeled else ("labeled",)
    )
    words = np.full(len(dataset.manifest), "", dtype="<U14")
    manifest = dataset.manifest
    sets = manifest["copy_set"]
    # What was learned from goes before what was judged by, where a split leaks.
    for word, parts in ((TEST, ("test",)), (VALIDATION, ("validation",)), (LEARNED_FROM, learned)):
        own = manifest["split"].isin(parts)
        words[(own | (sets.notna() & sets.isin(sets[own].dropna()))).to_numpy()] = word
    return words
