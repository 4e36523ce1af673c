"""Does hiding what a map points at cost the right answer more than any other place found by as long a search?"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from fewscan.config import Settings
from fewscan.evaluation.intervals import Interval, Rows, bootstrap
from fewscan.evaluation.predictor import Predictor
from fewscan.explaining.attribution import HeatMap, heat_map, windows
from fewscan.images.stored import StoredImages
from fewscan.progress import track
from fewscan.seeds import stream
from fewscan.training.run import Run

# So many of the scans are looked at, drawn at random: each takes about a second, most of it for the searches.
SCANS = 100
HIDDEN_SHARE = 0.1  # of a scan's pixels
# Another place shares at most so much of its pixels with the map's.
LARGEST_OVERLAP = 0.25
# A share of a scan's side: the Gaussian deviation with which a hidden pixel looks for visible ones. Within 4 of them, where the
# Gaussian is cut, it always finds some, since no hole of a tenth of the pixels is deeper than a quarter disc in a corner: 0.36.
AROUND_SHARE = 0.1
UNTRAINED_SEED = 20_260_101

Mask = npt.NDArray[np.bool_]
Images = npt.NDArray[np.uint8]  # (N, C, S, S)
Labels = npt.NDArray[np.int64]  # (N,)
Falls = npt.NDArray[np.float64]  # (N, 2): of the labeled class's probability, by the map and by the other place


class HidingFigures(Settings):
    """By how much the labeled class's probability falls where a tenth of a scan is hidden, each class counting as much."""

    map_drop: Interval  # hidden: the top tenth of the heat map
    searched_drop: Interval  # hidden: the same shape at the place that costs the prediction most, of as many as the map tried
    difference: Interval


class HidingCheck(Settings):
    """A network's figures and those of an untrained one of the same kind on the same scans; intervals over groups."""

    images: int
    groups: int
    places: int  # how many places each search tries at most
    network: HidingFigures
    untrained: HidingFigures
    above_untrained: Interval  # by how much the network's difference is larger

    @property
    def passed(self) -> bool:
        """Whether the map's place costs more than the other, and more so than without training: both intervals above 0."""
        return all(
            interval.low is not None and interval.low > 0 for interval in (self.network.difference, self.above_untrained)
        )

    @property
    def verdict(self) -> str:
        """What the figures say, in words."""
        if self.passed:
            return "maps point at what the network has learned: hiding it costs the right class more than any other place found"
        if self.network.difference.low is not None and self.network.difference.low > 0:
            return "maps are not shown to mean anything: they are not shown to do better than those of an untrained network"
        return (
            "maps are not shown to mean anything: hiding what they point at is not shown to cost the right class more than the "
            "worst of as many other places"
        )


def untrained_predictor(run: Run, device: torch.device) -> Predictor:
    """Return a network of the run's shape that has learned nothing, with first weights of its own."""
    with torch.random.fork_rng(devices=[]):
        stream(UNTRAINED_SEED, "untrained weights").seed_torch()
        return Predictor(run.new_network(), device)


def hiding_check(
    predictor: Predictor, untrained: Predictor, pixels: StoredImages, rows: Rows, labels: Labels, groups: Rows, *, seed: int = 0
) -> HidingCheck:
    """Compare hiding the top tenth of each scan's heat map with hiding the same shape at the worst of many other places.

    pixels: of the dataset; rows, labels, groups: (N,) which of them, what they show, what belongs together; SCANS of them are
    looked at. Map and search are about the predicted class, and each tries as many places: a map is the end of a search for
    what the network reacts to, so that chance places are no match for it, whatever the network has learned. What is hidden is
    filled from around it (`hide`), which is another way than the map's own blur. Counted is the labeled class's probability,
    with the same weight for each class: for a network that knows nothing of labels both falls are 0 on average. What is found
    is held against an untrained network's on the same scans.
    """
    random = stream(seed, "hiding").numpy()
    chosen = np.sort(random.permutation(len(rows))[:SCANS])
    rows, labels, groups = rows[chosen], labels[chosen], groups[chosen]
    places = windows(pixels.shape[-1])
    scans = pixels[rows]
    own, other = (
        np.array(
            [
                _falls(network, scan, int(label), places, random)
                for scan, label in track(zip(scans, labels, strict=True), f"hide, {called} network", total=len(rows))
            ]
        )
        for called, network in (("trained", predictor), ("untrained", untrained))
    )

    def score(positions: Rows) -> Mapping[str, float]:
        found = _figures(own[positions], labels[positions]) | {
            f"untrained_{name}": value for name, value in _figures(other[positions], labels[positions]).items()
        }
        return found | {"above_untrained": found["difference"] - found["untrained_difference"]}

    names = HidingFigures.model_fields
    # Each class counts as much, whatever its number of images.
    _, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    differences = [*names, *(f"untrained_{name}" for name in names), "above_untrained"]
    intervals = bootstrap(score, groups, weights=dict.fromkeys(differences, 1 / sizes[index]), differences=differences)
    return HidingCheck(
        images=len(rows),
        groups=len(np.unique(groups)),
        places=places,
        network=HidingFigures(**{name: intervals[name] for name in names}),
        untrained=HidingFigures(**{name: intervals[f"untrained_{name}"] for name in names}),
        above_untrained=intervals["above_untrained"],
    )


def _figures(falls: Falls, labels: Labels) -> dict[str, float]:
    """Return the means over classes of their scans' mean falls."""
    by_map, searched = np.mean([falls[labels == label].mean(axis=0) for label in np.unique(labels)], axis=0)
    return {"map_drop": float(by_map), "searched_drop": float(searched), "difference": float(by_map - searched)}


def _falls(predictor: Predictor, pixels: Images, label: int, places: int, random: np.random.Generator) -> tuple[float, float]:
    """Return by how much the probability of class `label` falls, hidden by the map and at the worst of the other places."""
    before = predictor.predict(pixels[np.newaxis]).probabilities[0]
    predicted = int(before.argmax())
    top = top_tenth(heat_map(predictor, pixels, predicted))
    # What leaves at one edge comes in at the other.
    shifts = random.integers(len(top), size=(2 * places, 2))
    shifted = np.stack([np.roll(top, shift, axis=(0, 1)) for shift in shifts])
    elsewhere = shifted[(shifted & top).sum(axis=(1, 2)) <= LARGEST_OVERLAP * top.sum()][:places]
    after = predictor.predict(hide(pixels, np.concatenate([top[np.newaxis], elsewhere]))).probabilities
    falls = before - after
    worst = 1 + int(falls[1:, predicted].argmax()) if len(elsewhere) else 0
    return float(falls[0, label]), float(falls[worst, label])


def top_tenth(values: HeatMap) -> Mask:
    """Return (S, S), true at the tenth of the pixels that are largest, exactly so many; the first in order where some tie."""
    top = np.zeros(values.size, dtype=np.bool_)
    top[np.argsort(-values, axis=None, kind="stable")[: round(HIDDEN_SHARE * values.size)]] = True
    return top.reshape(values.shape)


def hide(pixels: Images, hidden: Mask) -> Images:
    """Return (N, C, S, S) copies of a scan (C, S, S) uint8, each with the pixels of a mask (N, S, S) filled from around them.

    hidden: true at a tenth of the pixels of each copy at most.

    A hidden pixel becomes the mean of the visible ones, weighted by a Gaussian of their distance: nothing of what was there is
    left, and no edge or black hole that the network has never seen is put in its place.
    Source: normalized convolution, Knutsson and Westin 1993, "Normalized and differential convolution", section 3.
    """
    deviation_px = AROUND_SHARE * pixels.shape[-1]

    def spread(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = ndimage.gaussian_filter(values, (0, 0, deviation_px, deviation_px), mode="constant")
        return found

    visible = (~hidden[:, np.newaxis]).astype(np.float64)
    around = spread(visible * pixels) / spread(visible)
    return np.rint(np.where(hidden[:, np.newaxis], around, pixels)).astype(np.uint8)
