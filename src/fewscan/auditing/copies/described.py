"""What an audit keeps of its images: their descriptors, so that later images are compared with them without reading them again.

Kept are the whole image and its enlarged views. An image that comes later is itself looked at turned and enlarged, which finds
what it is a part of no less than what it was turned into; only that it is a part of an older image shows in the older one's
enlarged views alone.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fewscan.atomic import replaced_file
from fewscan.auditing.copies.describe import Projection, fit_projection, histograms
from fewscan.auditing.copies.images import Floats, Int64s, in_batches, read_gray, showing_something
from fewscan.auditing.copies.placing import ENLARGED, VIEWS, WHOLE
from fewscan.errors import FewscanError
from fewscan.images.stored import StoredImages
from fewscan.progress import track

Halves = npt.NDArray[np.float16]

KEPT_VIEWS = (WHOLE, *ENLARGED)
# Of what is kept in files: another number wherever images are described in another way.
FORMAT = "2"
# The reach of an image whose neighbors nobody has looked for: no cosine is as large.
UNKNOWN_REACH = 2.0
_VIEW = "view_"


@dataclass(frozen=True)
class Described:
    """Images as the search compares them: `views[v]` (R, D) describe `rows` (R,) in view v.

    `projection` was fitted among `fitted_among` images. A blank image is in no row. `reach` (R,) is the cosine of the farthest
    image in each one's neighborhood, by which the search knows whether a new image belongs to it; or UNKNOWN_REACH.
    """

    projection: Projection
    fitted_among: int
    rows: Int64s
    views: dict[int, Halves]
    reach: Floats

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)

    def outgrown_by(self, images: int) -> bool:
        """Return whether a dataset of so many images has more than twice those that the projection was fitted among.

        Describing all anew only then takes, over all additions, no longer than the additions themselves.
        """
        return images > 2 * self.fitted_among

    def of(self, rows: Int64s) -> Self:
        """Return those of the images that are among `rows`; all share their memory with these."""
        kept = np.isin(self.rows, rows)
        if kept.all():
            return self
        views = {view: vectors[kept] for view, vectors in self.views.items()}
        return replace(self, rows=self.rows[kept], views=views, reach=self.reach[kept])

    def save(self, path: Path) -> None:
        """Write a safetensors file, 1 kB an image; raises FewscanError where it cannot be written."""
        arrays: dict[str, npt.NDArray[Any]] = {f"{_VIEW}{view}": vectors for view, vectors in self.views.items()}
        arrays |= {
            "rows": self.rows,
            "reach": self.reach,
            "offset": self.projection.offset,
            "directions": self.projection.directions,
        }
        # What lies in memory column by column would be written as if it lay row by row.
        tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        with replaced_file(path) as temporary:
            temporary.touch()
            mode = temporary.stat().st_mode
            save_file(tensors, temporary, {"format": FORMAT, "fitted_among": str(self.fitted_among)})
            # What safetensors writes is for its owner alone, whatever the folder's other files are.
            temporary.chmod(mode)

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Self:
        """Read what was saved of one audit and of the additions since, in this order.

        Raises FewscanError where a file is missing, damaged, or of another version.
        """
        return cls.joined([cls._read(path) for path in paths])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return images that were described alike as one; a single part that has some shares its memory."""
        parts = [part for part in parts if len(part)] or list(parts[:1])
        if len(parts) == 1:
            return parts[0]
        rows = np.concatenate([part.rows for part in parts])
        views = {view: np.concatenate([part.views[view] for part in parts]) for view in parts[0].views}
        reach = np.concatenate([part.reach for part in parts])
        return replace(parts[0], rows=rows, views=views, reach=reach)

    @classmethod
    def _read(cls, path: Path) -> Self:
        try:
            with safe_open(path, "numpy") as file:
                note = file.metadata() or {}
                if note.get("format") != FORMAT:
                    raise FewscanError(f"{path} was written by another version of fewscan")
                projection = Projection(file.get_tensor("offset"), file.get_tensor("directions"))
                named = [name for name in file.keys() if name.startswith(_VIEW)]  # noqa: SIM118 - no mapping
                views = {int(name.removeprefix(_VIEW)): file.get_tensor(name) for name in named}
                rows, reach = file.get_tensor("rows"), file.get_tensor("reach")
                return cls(projection, int(note["fitted_among"]), rows, views, reach)
        except FileNotFoundError:
            raise FewscanError(f"{path} is missing") from None
        except (OSError, SafetensorError, KeyError, ValueError):
            raise FewscanError(f"{path} is damaged") from None


def describe(pixels: StoredImages, rows: Int64s, workers: ThreadPoolExecutor, like: Described | None = None) -> Described:
    """Describe those of `rows`, ascending, that show something, by a projection fitted to them or as others were described."""
    shown = showing_something(pixels, rows)
    if like is None:
        projection, fitted_among = fit_projection(pixels, shown), len(shown)
    else:
        projection, fitted_among = like.projection, like.fitted_among

    def kept(batch: Int64s) -> Halves:
        gray = read_gray(pixels, batch)
        return np.stack([projection(histograms(gray, VIEWS[view])) for view in KEPT_VIEWS]).astype(np.float16)

    none = np.zeros((len(KEPT_VIEWS), 0, projection.directions.shape[1]), np.float16)
    batches = list(in_batches(shown))
    described = track(workers.map(kept, batches), "describing images", len(batches), passing=True)
    vectors = np.concatenate([none, *described], axis=1)
    return Described(projection, fitted_among, shown, dict(zip(KEPT_VIEWS, vectors, strict=True)), unknown_reach(shown))


def unknown_reach(rows: Int64s) -> Floats:
    """Return the reach (R,) of images that were only described."""
    return np.full(len(rows), UNKNOWN_REACH, np.float32)
