"""How typical an image is of those that a run learned from: below a limit it is out of distribution."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load
from sklearn.model_selection import GroupKFold
from torch import Tensor, nn

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.image_statistics import ImageStatistics, in_parts
from fewscan.evaluation.principal import principal
from fewscan.images.stored import Chosen, StoredImages
from fewscan.one_thread import libraries_of_one_thread
from fewscan.seeds import stream
from fewscan.splits.support import OUT_OF_DISTRIBUTION
from fewscan.tensors import safetensors_of
from fewscan.training.batches import Rows

# So many of the images learned from stand for them all: time grows with them.
REFERENCE_IMAGES = 5_000
FOLDS = 5
# Directions in which images differ that are described one by one, and how many images it takes for each of them.
AXES = 32
IMAGES_AN_AXIS = 10
# A family of statistics alone must be so many times as far out as all of them together: otherwise each would add false alarms.
FAMILY_SLACK = 2.0
# Of the statistics' variance, which is 1: what never varied among the images learned from may vary by so much.
LEAST_VARIANCE = 1e-6
# What is to be known of an image that shows color where `Gate.gray` holds.
IN_COLOR = "in color, while the run learned from gray scans"
_BLOCK_IMAGES = 256

Images = StoredImages | Chosen  # (N, C, S, S) uint8
Values = npt.NDArray[np.float64]  # (N,)
Flags = npt.NDArray[np.bool_]  # (N,)
Statistics = npt.NDArray[np.float32]  # (N, D)


class Density(nn.Module):
    """A normal distribution of image statistics: some axes of their own variance, the same small variance in all others.

    Source: Tipping and Bishop 1999, "Probabilistic principal component analysis".
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor
    variances: Tensor
    noise: Tensor

    def __init__(self, size: int, axes: int) -> None:
        """size: D, of the statistics."""
        super().__init__()
        shapes = {"mean": (size,), "scale": (size,), "axes": (size, axes), "variances": (axes,), "noise": ()}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.ones(shape, dtype=torch.float64))

    @classmethod
    def fitted(cls, statistics: Statistics, families: Rows) -> Self:
        """Fit to (N, D) statistics; families: (D,) which of them belong together, so that each family counts as much."""
        mean = statistics.mean(axis=0, dtype=np.float64)
        variances = statistics.var(axis=0, dtype=np.float64)
        # Each family's variances sum to the same, and all of them to 1.
        present, index = np.unique(families, return_inverse=True)
        sums = np.bincount(index, weights=variances) * len(present)
        scale = 1 / np.sqrt(np.maximum(sums, LEAST_VARIANCE))[index]
        axes = min(AXES, max(1, len(statistics) // IMAGES_AN_AXIS), statistics.shape[1] - 1)
        scaled = (statistics - mean) * scale
        directions, along = principal(scaled, axes)
        left = scaled.var(axis=0, ddof=1).sum() - along.sum()
        density = cls(statistics.shape[1], axes)
        values = {
            "mean": mean,
            "scale": scale,
            "axes": directions,
            "variances": np.maximum(along, LEAST_VARIANCE / len(mean)),
            "noise": np.maximum(left / (scaled.shape[1] - axes), LEAST_VARIANCE / len(mean)),
        }
        density.load_state_dict({name: torch.from_numpy(np.array(value, dtype=np.float64)) for name, value in values.items()})
        return density

    def forward(self, statistics: Tensor) -> Tensor:
        """Return (N,) float64: the logarithm of the density at (N, D) statistics, divided by D."""
        size, axes = self.axes.shape
        centered = (statistics.double() - self.mean) * self.scale
        along = centered @ self.axes
        beside = (centered.square().sum(dim=1) - along.square().sum(dim=1)).clamp(min=0)
        distances = (along.square() / self.variances).sum(dim=1) + beside / self.noise
        volume = self.variances.log().sum() + (size - axes) * self.noise.log() + size * math.log(2 * math.pi)
        density: Tensor = -(distances + volume) / (2 * size)
        return density


class Typicality(nn.Module):
    """The one gate of every verb that predicts: images (N, C, S, S) uint8 -> how typical they are of those learned from.

    It looks at the images alone and asks no network, which may see nothing where it was never taught to look. An image has a
    density by all statistics and one by each family of them; its typicality is the worst of these: it must be typical in each.
    Each is measured from the median of held-out images, in units of how far OUT_OF_DISTRIBUTION of them reach below it (of a
    family, FAMILY_SLACK times as far): 0 is as usual; below `limit`, about -1, an image is out of distribution.
    """

    limit: Tensor
    medians: Tensor
    reaches: Tensor

    def __init__(self, channels: int, size_px: int, axes: Sequence[int]) -> None:
        super().__init__()
        self.statistics = ImageStatistics(channels, size_px)
        parts = _parts(self.statistics.families)
        self.densities = nn.ModuleList(Density(len(part), count) for part, count in zip(parts, axes, strict=True))
        usual, reach = torch.zeros(len(parts)), torch.ones(len(parts))
        for name, value in (("limit", torch.tensor(-math.inf)), ("medians", usual), ("reaches", reach)):
            self.register_buffer(name, value.double())

    def forward(self, images: Tensor) -> Tensor:
        """Return (N,) float32; see the class."""
        statistics = self.statistics(images)
        parts = _parts(self.statistics.families)
        found = [density(statistics[:, part]) for density, part in zip(self.densities, parts, strict=True)]
        typicality: Tensor = ((torch.stack(found, dim=1) - self.medians) / self.reaches).amin(dim=1).float()
        return typicality

    def of(self, pixels: Images) -> Values:
        """Return (N,) how typical images (N, C, S, S) uint8 are; they are read block by block."""
        return np.concatenate([self(part).double().numpy() for part in _in_turn(pixels)])

    def save(self, path: Path) -> None:
        """Write it as a safetensors file."""
        path.write_bytes(safetensors_of(self.state_dict()))

    @classmethod
    def load(cls, path: Path, channels: int, size_px: int) -> Self:
        """Read what `save` wrote; raises what safetensors and torch raise where it is damaged or of other images."""
        tensors = load(path.read_bytes())
        densities = len(tensors["medians"])
        typicality = cls(channels, size_px, [len(tensors[f"densities.{part}.variances"]) for part in range(densities)])
        typicality.load_state_dict(tensors)
        return typicality


class Gate(NamedTuple):
    """What decides whether images are out of distribution, and how typical each image was that it was made from."""

    typicality: Typicality
    rows: Rows  # (M,) of the dataset, increasing: what it was made from
    held_out: Values  # (M,) how typical these are of all others without their groups
    labeled: Values  # (G,) the same of one labeled image of every group that has any, validation images among them
    gray: bool = False  # whether those are gray, but for fewer than OUT_OF_DISTRIBUTION: then what shows color is unlike them
    row_by_pixels: Mapping[str, int] = MappingProxyType({})  # by the SHA-256 of its file's pixels each of `rows`

    @property
    def limit(self) -> float:
        """Below it an image is out of distribution; minus infinity where all images are of one group."""
        return float(self.typicality.limit)

    @classmethod
    def of(cls, dataset: Snapshot, seed: int = 0) -> Self:
        """Learn from the dataset's images outside its test set, or from REFERENCE_IMAGES of them drawn by `seed`.

        Every image is held out once, together with its group; the limit is what OUT_OF_DISTRIBUTION of them lie below, a group
        counting as one image. Source: Vovk 2015, "Cross-conformal predictors"; Laxhammar and Falkman 2010, "Conformal
        prediction for detecting anomalies".
        """
        rows = dataset.rows("labeled", "unlabeled", "validation")
        if len(rows) > REFERENCE_IMAGES:
            rows = np.sort(stream(seed, "reference images").numpy().choice(rows, REFERENCE_IMAGES, replace=False))
        spec = dataset.spec
        statistics = ImageStatistics(spec.channels, spec.size_px)
        values = _described(statistics, dataset.pixels, rows)
        groups = dataset.groups[rows]
        with libraries_of_one_thread():  # many small products
            densities, held_out = _fitted(values, statistics.families), _held_out(values, statistics.families, groups)
        axes = [len(density.variances) for density in densities]
        typicality = Typicality(spec.channels, spec.size_px, axes)
        typicality.densities = nn.ModuleList(densities)
        row_by_pixels = dict(zip(dataset.manifest["pixels_sha256"].iloc[rows], rows.tolist(), strict=True))
        if held_out is None:
            return cls(typicality, rows, np.zeros(len(rows)), np.zeros(0), row_by_pixels=row_by_pixels)
        medians = np.median(held_out, axis=0)
        # What never varies reaches nowhere: any other value is then far away.
        reaches = np.maximum(medians - [_limit(values, groups) for values in held_out.T], LEAST_VARIANCE)
        reaches[1:] *= FAMILY_SLACK
        # In the precision that every verb and the exported file compare in.
        worst = ((held_out - medians) / reaches).min(axis=1).astype(np.float32).astype(np.float64)
        limit, gray = _limit_by_color(worst, dataset, rows)
        for buffer, value in ((typicality.medians, medians), (typicality.reaches, reaches)):
            buffer.copy_(torch.from_numpy(value))
        typicality.limit.fill_(limit)
        worst = _with_color(worst, gray & dataset.shows_color[rows], limit)
        labeled = np.isin(rows, dataset.rows("labeled", "validation"))
        _, first = np.unique(groups[labeled], return_index=True)
        return cls(typicality, rows, worst, worst[labeled][first], gray, row_by_pixels)

    def row_of(self, pixels_sha256: str) -> int:
        """Return the row that a scan, whose file's pixels have this SHA-256, is where it is one of `rows`; else -1.

        A scan is not like what was learned from because it is there itself, also where it comes as a file.
        """
        return self.row_by_pixels.get(pixels_sha256, -1)

    def of_images(self, pixels: Images, rows: Rows | None = None, in_color: Flags | None = None) -> Values:
        """Return (N,) how typical images (N, C, S, S) are, held out where used: `rows` (N,) of the dataset, -1 for none.

        in_color: (N,) which of them showed color before they became `pixels`; None where that is not known, or none did.
        """
        found = self.typicality.of(pixels)
        if rows is not None:
            places = np.searchsorted(self.rows, rows).clip(max=len(self.rows) - 1)
            found = np.where(self.rows[places] == rows, self.held_out[places], found)
        return found if in_color is None else _with_color(found, self.gray & in_color, self.limit)

    def out_of_distribution(self, pixels: Images, rows: Rows | None = None, in_color: Flags | None = None) -> Flags:
        """Return (N,) which images are out of distribution; as `of_images`."""
        odd: Flags = self.of_images(pixels, rows, in_color) < self.limit
        return odd

    def notes(self, in_color: bool) -> tuple[str, ...]:
        """Return what is to be known of an image beside how typical it is; in_color: whether it showed color."""
        return (IN_COLOR,) if self.gray and in_color else ()


def _limit_by_color(held_out: Values, dataset: Snapshot, rows: Rows) -> tuple[float, bool]:
    """Return the limit of `_limit`, and whether what shows color lies below it: the images in `rows` are gray then.

    Color counts as the least typical of all, so that with it no more than OUT_OF_DISTRIBUTION lie below the limit. It counts
    for nothing where that would be reached by color alone, and where nobody has looked for it.
    """
    groups = dataset.groups[rows]
    limit = _limit(np.where(dataset.shows_color[rows], -np.inf, held_out), groups)
    if math.isfinite(limit) and dataset.manifest["color"].iloc[rows].notna().all():
        return limit, True
    return _limit(held_out, groups), False


def _with_color(typicality: Values, odd: Flags, limit: float) -> Values:
    """Return (N,) typicality where color makes images `odd` (N,): these lie twice as far out as the limit, or farther."""
    return np.where(odd, np.minimum(typicality, 2 * limit), typicality)


def _limit(held_out: Values, groups: Rows) -> float:
    """Return the value below which OUT_OF_DISTRIBUTION of new groups' images lie, if these are drawn like those held out.

    A group counts as one image: many copies of an odd one do not make it typical. With too few groups to know, the least value.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(held_out, kind="stable")
    counted = np.cumsum(1 / sizes[group[order]])
    place = np.searchsorted(counted, OUT_OF_DISTRIBUTION * (len(sizes) + 1))
    return float(held_out[order[place]])


def _parts(families: Rows) -> list[Rows]:
    """Return which statistics each density is of: all, then each family's."""
    return [np.arange(len(families)), *(np.flatnonzero(families == family) for family in np.unique(families))]


def _fitted(values: Statistics, families: Rows) -> list[Density]:
    return [Density.fitted(values[:, part], families[part]) for part in _parts(families)]


def _held_out(values: Statistics, families: Rows, groups: Rows) -> Values | None:
    """Return (N, densities) each image's by fits to those outside its fold, which holds its group.

    None where there is one group, or too few images outside a fold for a variance.
    """
    folds = min(FOLDS, len(np.unique(groups)))
    splits = list(GroupKFold(folds).split(values, groups=groups)) if folds > 1 else []
    if not splits or min(len(others) for others, _ in splits) < 2:
        return None
    found = np.empty((len(values), len(_parts(families))))
    for others, fold in splits:
        for number, (density, part) in enumerate(zip(_fitted(values[others], families), _parts(families), strict=True)):
            found[fold, number] = density(torch.from_numpy(values[fold][:, part])).numpy()
    return found


def _described(statistics: ImageStatistics, pixels: StoredImages, rows: Rows) -> Statistics:
    return np.concatenate([statistics(part).numpy() for part in _in_turn(Chosen(pixels, rows))])


def _in_turn(pixels: Images) -> Iterator[Tensor]:
    """Yield images that are read block by block, a few of a block at once; of no images none, once."""
    for start in range(0, max(1, len(pixels)), _BLOCK_IMAGES):
        yield from in_parts(torch.from_numpy(np.array(pixels[start : start + _BLOCK_IMAGES])))
