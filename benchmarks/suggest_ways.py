"""Ways to choose what to label next: those of the package, and others that `benchmarks.suggest` holds beside them."""

from collections.abc import Callable

import numpy as np

from fewscan.choosing.scans import Scans
from fewscan.choosing.suggest import LABELS_A_POWER, RANDOM_SHARE, Strategy, choose
from fewscan.choosing.typical import typical
from fewscan.choosing.uncertain import margin

Says = np.ndarray | None  # (N, K) probabilities of the model so far
Way = Callable[[Scans, Says, int, int], np.ndarray]  # scans, what the model says, how many, the draw -> rows
Score = Callable[[Scans, np.ndarray], np.ndarray]


def of_package(strategy: Strategy, random_share: float = 0.0) -> Way:
    def way(scans: Scans, says: Says, count: int, draw: int) -> np.ndarray:
        asked: Strategy = "typical" if strategy == "uncertain" and says is None else strategy
        chosen = choose(scans, count, probabilities=says, strategy=asked, random_share=random_share, seed=draw)
        return np.array([one.row for one in chosen])

    return way


def after_typical(step: Callable[[Scans, np.ndarray, np.ndarray, int, int], np.ndarray]) -> Way:
    """Return a way that takes typical scans until there is a model, and then `step` with probabilities and candidates."""

    def way(scans: Scans, says: Says, count: int, draw: int) -> np.ndarray:
        rows = np.flatnonzero(scans.open & ~np.isin(scans.groups, scans.groups[scans.labeled]))
        candidates = rows[np.unique(scans.groups[rows], return_index=True)[1]]
        if says is None:
            return typical(scans.points, scans.labeled, candidates, count, draw)
        return step(scans, says, candidates, count, draw)

    return way


def margin_alone(scans: Scans, says: np.ndarray, candidates: np.ndarray, count: int, draw: int) -> np.ndarray:
    return candidates[np.argsort(-margin(says[candidates]), kind="stable")[:count]]


def weighted(weights: Score, *, near_labels: bool = False) -> Callable[..., np.ndarray]:
    """Return clusters of candidates that weigh so; near_labels: also those that a label is in."""

    def step(scans: Scans, says: np.ndarray, candidates: np.ndarray, count: int, draw: int) -> np.ndarray:
        labeled = scans.labeled[:0] if near_labels else scans.labeled
        return typical(scans.points, labeled, candidates, count, draw, weights(scans, says))

    return step


def power(labels: float) -> Score:
    return lambda scans, says: margin(says) ** (len(scans.labeled) / labels)


def disagreeing(scans: Scans, says: np.ndarray) -> np.ndarray:
    """Return the weights of `auto`, three times as much where three near labels, by majority, are not what is predicted."""
    labeled = scans.labeled
    nearest = np.argsort(-(scans.points @ scans.points[labeled].T), axis=1)[:, :3]
    votes = np.stack([(scans.labels[labeled][nearest] == number).sum(axis=1) for number in range(says.shape[1])], axis=1)
    differ = votes.argmax(axis=1) != says.argmax(axis=1)
    return power(LABELS_A_POWER)(scans, says) * np.where(differ, 3.0, 1.0)


def gradients(scans: Scans, says: np.ndarray, candidates: np.ndarray, count: int, draw: int) -> np.ndarray:
    """k-means++ on what each scan would change in the classifier if it were of the class that is predicted.

    Source: Ash et al. 2020, "Deep batch active learning by diverse, uncertain gradient lower bounds" (BADGE).
    """
    random, points, errors = np.random.default_rng(draw), scans.points[candidates], says[candidates].astype(np.float64)
    errors[np.arange(len(errors)), errors.argmax(axis=1)] -= 1
    length = (errors**2).sum(axis=1) * (points**2).sum(axis=1)
    chosen = [int(length.argmax())]
    away = np.full(len(candidates), np.inf)
    while len(chosen) < min(count, len(candidates)):
        newest = chosen[-1]
        inner = (errors @ errors[newest]) * (points @ points[newest])
        away = np.minimum(away, np.maximum(length + length[newest] - 2 * inner, 0))
        away[chosen] = 0
        chosen.append(int(random.choice(len(away), p=away / away.sum())))
    return candidates[chosen]


def farthest(scans: Scans, says: np.ndarray, candidates: np.ndarray, count: int, draw: int) -> np.ndarray:
    """One after the other the scan that is least like all that are labeled or chosen.

    Source: Sener and Savarese 2018, "Active learning for convolutional neural networks: a core-set approach".
    """
    likeness = (scans.points[candidates] @ scans.points[scans.labeled].T).max(axis=1)
    chosen: list[int] = []
    for _ in range(min(count, len(candidates))):
        chosen.append(int(likeness.argmin()))
        likeness = np.maximum(likeness, scans.points[candidates] @ scans.points[candidates[chosen[-1]]])
        likeness[chosen] = np.inf
    return candidates[chosen]


SHIPPED: dict[str, Way] = {
    "drawn at random": of_package("random"),
    "typical": of_package("typical"),
    "uncertain after 20 typical": of_package("uncertain"),
    "auto without a random share": of_package("auto"),
    "auto": of_package("auto", RANDOM_SHARE),
}
OTHERS: dict[str, Way] = {
    "auto, margins to labels / 40": after_typical(weighted(power(40))),
    "auto, margins to labels / 160": after_typical(weighted(power(160))),
    "auto, margins from the first on": after_typical(weighted(lambda scans, says: margin(says))),
    "auto, also near labels": after_typical(weighted(power(LABELS_A_POWER), near_labels=True)),
    "auto, neighbors that disagree": after_typical(weighted(disagreeing)),
    "margin alone": after_typical(margin_alone),
    "gradients (BADGE)": after_typical(gradients),
    "farthest from labels": after_typical(farthest),
}
