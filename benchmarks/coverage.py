"""How often intervals hold the truth and tests claim what is not there, where the truth is known.

    python -m benchmarks.coverage [--part shares scores calibration significance balanced] [--csv docs/results/coverage.csv]

shares: the share of images called right, over numbers of images and groups, groups of one size and of unequal sizes, images of
a group alike by an intraclass correlation; hits are drawn, the rule is that of `bootstrap`, which finds the spread of a share
by resampling where this computes it. scores: macro AUROC and balanced accuracy of four classes, by `bootstrap` itself.
calibration: the calibration error of networks that are surer than right by so much. significance: how often two methods of one
true accuracy, or of accuracies 5 points apart, are called different at the level 5 %, by the test of `fewscan compare`.
balanced: the same of two methods of one true balanced accuracy where a class is rare, by the test of `--rank-by
balanced_accuracy`; as good in every class, or better in the rare one and as much worse in the others.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import fewscan.comparison.significance as significance
from fewscan.evaluation.intervals import Interval, Spread, bootstrap, share_interval
from fewscan.evaluation.metrics import calibration_error, scores, weights
from fewscan.progress import track

Line = dict[str, object]

SHARES = (0.5, 0.8, 0.9, 0.95, 0.99)
# Images, and into how many groups they fall.
GROUPS = {10: (5, 10), 30: (5, 15, 30), 100: (5, 15, 75, 100), 308: (5, 15, 75, 300, 308), 1000: (5, 15, 75, 300, 1000)}
ALIKE = (0.0, 0.1, 0.4)
RESAMPLES = 100


def sizes(images: int, groups: int, unequal: bool) -> np.ndarray:
    """Group sizes that sum to `images`: alike, or falling as 1 / rank^0.8, so that one of 15 groups holds a fifth."""
    pull = 1 / np.arange(1, groups + 1) ** (0.8 if unequal else 0.0)
    bounds = np.rint(np.cumsum(pull) / pull.sum() * (images - groups)).astype(int)
    return np.asarray(1 + np.diff(bounds, prepend=0))


def summary(found: list[Interval], truth: float) -> Line:
    """Return how often intervals hold the truth, how often it lies below and above them, and how wide they are."""
    low, high = (
        np.array([np.nan if end is None else end for end in ends]) for ends in ([i.low for i in found], [i.high for i in found])
    )
    return {
        "draws": len(found),
        "covered": round(float(((low <= truth) & (truth <= high)).mean()), 4),
        "truth_below": round(float((truth < low).mean()), 4),
        "truth_above": round(float((truth > high).mean()), 4),
        "median_width": round(float(np.median(high - low)), 4),
        "mean_value": round(float(np.mean([i.value for i in found])), 4),
    }


def share_spread(hits: np.ndarray, size: np.ndarray) -> tuple[float, Spread]:
    """Return the share of right images and how it varies, of groups (G,) with so many right and so many in all."""
    images, groups = size.sum(), len(size)
    share = hits.sum() / images
    rest = hits - size * share
    return float(share), Spread(
        groups=groups,
        undefined=0.0,
        images=float(images),
        whole_groups=images**2 / np.square(size).sum(),
        clarity=np.square(size).sum() ** 2 / (size.astype(float) ** 4).sum() / groups,
        mean=float(share),
        variance=float(np.square(rest).sum()) / images**2 * groups / max(groups - 1, 1),
        variance_of_images=float(share * (1 - share)) / images,
    )


def of_shares(draws: int, random: np.random.Generator) -> Iterator[Line]:
    cells = [
        (images, groups, unequal, share, alike)
        for images, numbers in GROUPS.items()
        for groups in numbers
        for unequal in ((False,) if groups == images else (False, True))
        for share in SHARES
        for alike in ((0.0,) if groups == images else ALIKE)
    ]
    for images, groups, unequal, share, alike in track(cells, "shares", total=len(cells)):
        size = sizes(images, groups, unequal)
        rates = np.full((draws, groups), share)
        if alike:
            rates = random.beta(share * (1 - alike) / alike, (1 - share) * (1 - alike) / alike, rates.shape)
        found = [share_interval(*share_spread(hits, size)) for hits in random.binomial(size, rates)]
        exact = [
            share_interval(*share_spread(hits, np.ones(images, dtype=int))) for hits in random.random((40, images)) < share
        ]
        width = summary(exact, share)["median_width"]
        yield {
            "what": "share", "images": images, "groups": groups, "unequal": unequal, "truth": share, "alike": alike,
            **summary(found, share), "median_width_of_independent": width,
        }  # fmt: skip


def opinions(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Probabilities of four classes: a normal score for each, the own one higher."""
    logits = 2 * random.normal(size=(len(labels), 4))
    logits[np.arange(len(labels)), labels] += 3.5
    shares = np.exp(logits)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)


def of_scores(draws: int, random: np.random.Generator) -> Iterator[Line]:
    for images, name, parts in (
        (100, "equal", (0.25, 0.25, 0.25, 0.25)),
        (308, "equal", (0.25, 0.25, 0.25, 0.25)),
        (308, "one class of 5 %", (0.45, 0.25, 0.25, 0.05)),
    ):
        counts = np.rint(np.array(parts) * images).astype(int)
        many = np.repeat(np.arange(4), 50_000)
        truth = scores(opinions(many, random), many)
        for a_group in (1, 4):
            found: dict[str, list[Interval]] = {"auroc": [], "balanced_accuracy": []}
            for _ in track(range(draws), f"scores, {images}, {name}", total=draws):
                labels = np.repeat(np.arange(4), counts)
                groups = np.arange(len(labels)) // a_group
                # Copies: images of a group that are one image, all alike.
                seen = opinions(labels, random)[groups * a_group]
                labels = labels[groups * a_group]
                intervals = bootstrap(
                    lambda q, p=seen, y=labels: scores(p[q], y[q], np.arange(4)),  # type: ignore[misc]
                    groups,
                    weights=weights(labels, 4),
                    resamples=RESAMPLES,
                )
                for score, kept in found.items():
                    kept.append(intervals[score])
            for score, kept in found.items():
                yield {
                    "what": score, "images": len(labels), "groups": len(np.unique(groups)), "case": name,
                    "truth": round(truth[score], 4), "alike": float(a_group > 1), **summary(kept, truth[score]),
                }  # fmt: skip


def of_calibration(draws: int, random: np.random.Generator) -> Iterator[Line]:
    def drawn(images: int, gap: float, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        sure = 0.25 + 0.75 * random.beta(sharpness, 1, images)
        probabilities = np.repeat(((1 - sure) / 3)[:, None], 4, axis=1).astype(np.float32)
        probabilities[:, 0] = sure
        right = random.random(images) < np.clip(sure - gap, 0, 1)
        return probabilities, np.where(right, 0, random.integers(1, 4, images))

    for sharpness in (2, 6, 50):
        for gap in (0.0, 0.03, 0.1):
            truth = calibration_error(*drawn(1_000_000, gap, sharpness)) if gap else 0.0
            for images in (50, 308):
                found, plain = [], []
                for _ in track(range(draws), f"calibration, {images}, {gap}", total=draws):
                    p, y = drawn(images, gap, sharpness)
                    plain.append(calibration_error(p, y))
                    found.append(
                        bootstrap(
                            lambda q, p=p, y=y: {"error": calibration_error(p[q], y[q])},  # type: ignore[misc]
                            np.arange(images),
                            raised_by_resampling=("error",),
                            resamples=RESAMPLES,
                        )["error"]
                    )
                yield {
                    "what": "calibration error", "images": images, "groups": images, "truth": round(truth, 4),
                    "case": f"mean confidence {0.25 + 0.75 * sharpness / (sharpness + 1):.2f}",
                    **summary(found, truth), "mean_plain_value": round(float(np.mean(plain)), 4),
                }  # fmt: skip


def of_significance(draws: int, random: np.random.Generator) -> Iterator[Line]:
    # Enough swaps for a level of 5 %, and a hundred times as fast.
    significance.RESAMPLES = 99
    groups = np.arange(308)
    cells = [(seeds, spread, gap) for seeds in (2, 3, 5) for spread in (0.0, 0.02, 0.04) for gap in (0.0, 0.05)]
    for seeds, spread, gap in track(cells, "significance", total=len(cells)):
        p_values = []
        for _ in range(draws):
            harder = random.normal(0, 0.15, 308)
            network = random.normal(0, spread, (2, seeds, 1)) + np.array([gap, 0]).reshape(2, 1, 1)
            first, second = (random.random((2, seeds, 308)) < (0.75 + harder + network).clip(0, 1)).astype(float)
            networks = significance.paired_p_value(first.mean(axis=0), second.mean(axis=0), groups)
            p_values.append((networks, max(networks, significance.random_effects_p_value(first, second, groups))))
        networks_claimed, claimed = (np.array(p_values) < 0.05).mean(axis=0)
        yield {
            "what": "claims of a difference", "images": 308, "groups": 308, "truth": gap, "draws": draws,
            "case": f"{seeds} seeds, spread {spread}",
            "claimed": round(claimed, 4), "claimed_for_networks": round(networks_claimed, 4),
        }  # fmt: skip


def of_balanced(draws: int, random: np.random.Generator) -> Iterator[Line]:
    significance.RESAMPLES = 99
    parts = ((139, 77, 77, 15), (293, 15))
    cells = [
        (counts, a_group, seeds, gap) for counts in parts for a_group in (1, 4) for seeds in (1, 2, 3, 5) for gap in (0.0, 0.1)
    ]
    for counts, a_group, seeds, gap in track(cells, "balanced", total=len(cells)):
        labels = np.repeat(np.arange(len(counts)), counts)
        groups = np.arange(len(labels)) // a_group
        weights = significance.class_weights(labels)
        rare = labels == len(counts) - 1
        better = np.where(rare, gap / 2, -gap / 2 / (len(counts) - 1))
        # Of one seed the claim is about these two networks, so these are of one balanced accuracy themselves.
        spread = 0.0 if seeds == 1 else 0.03
        claimed = 0
        for _ in range(draws):
            harder = random.normal(0, 0.1, len(np.unique(groups)))[groups]
            network = random.normal(0, spread, (2, seeds, len(counts)))[:, :, labels]
            shares = (0.7 + harder + network + np.stack([better, -better])[:, np.newaxis]).clip(0, 1)
            first, second = (random.random(shares.shape) < shares).astype(float)
            claimed += significance.seeds_p_value(first, second, groups, weights) < 0.05
        yield {
            "what": "claims of a difference in balanced accuracy", "images": len(labels), "groups": len(np.unique(groups)),
            "truth": 0.0, "draws": draws, "class_sizes": " ".join(map(str, counts)), "seeds": seeds, "spread": spread,
            "rare_class_better_by": gap, "claimed": round(claimed / draws, 4),
        }  # fmt: skip


PARTS: dict[str, tuple[Callable[[int, np.random.Generator], Iterator[Line]], int]] = {
    "shares": (of_shares, 1000),
    "scores": (of_scores, 100),
    "calibration": (of_calibration, 150),
    "significance": (of_significance, 500),
    "balanced": (of_balanced, 500),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--draws", type=int, help="in place of each part's own number of draws")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    lines = [
        line for name in options.part for line in PARTS[name][0](options.draws or PARTS[name][1], np.random.default_rng(0))
    ]
    table = pd.DataFrame(lines)
    print(table.to_string())
    if options.csv:
        table.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
