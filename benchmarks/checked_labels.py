"""How many answers of a reader show what share of a run's labels is wrong, as `fewscan check` asks for them.

    python -m benchmarks.checked_labels DATASET [--draws 8] [--labels N ...] [--suggested] [--weights FILE] [--csv FILE]

DATASET, pile and labels are those of `benchmarks.seen_unlabeled`; README's test set stays closed. `propagation` learns from the
labels and labels the rest of the pile. The labels that are checked are those of which it expects a share of the error that is
to be shown, by probabilities that are calibrated as `calibrate --pile` does it; several such shares are tried. The checks are
drawn anew forty times, and end where the error is shown, or after 300. Beside it: what `label` accepts without a check.
"""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from benchmarks.command_line import keep
from benchmarks.seen_unlabeled import (
    ERRORS,
    as_label_sets_it,
    held_out_logits,
    judged,
    labeled_piles,
    labels_parser,
    logits_of,
)
from benchmarks.suggest import Pile
from fewscan.evaluation.calibration import fit_temperature
from fewscan.labeling.check import MOST_CHECKS
from fewscan.labeling.worth_checking import EXPECTED_SHARES, worth_checking
from fewscan.labeling.wrong_share import most_wrong

CHECKED_AGAIN = 40


def answers_until_shown(wrong: np.ndarray, error: float, seed: int) -> int | None:
    """Return how many labels in random order are checked until it is shown that at most a share `error` of all is wrong."""
    order, allowed = np.random.default_rng(seed).permutation(wrong), int(error * len(wrong))
    return next(
        (checks for checks in range(min(MOST_CHECKS, len(wrong)) + 1) if most_wrong(order[:checks], len(wrong)) <= allowed),
        None,
    )


def lines_of(pile: Pile, labeled: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Return a line for each error that is to be shown and share of it that is expected."""
    truth = pile.dataset.labels
    rest = np.setdiff1d(pile.rows, labeled)
    own, logits = held_out_logits(pile, labeled, "unlabeled", seed), logits_of(pile, labeled, rest, rest, seed)
    temperature = fit_temperature(own, truth[labeled])
    (scores, correct), surest = judged(logits, truth[rest]), judged(own, truth[labeled])
    calibrated = softmax(logits / temperature, axis=1)
    lines = []
    for error, expected in product(ERRORS, EXPECTED_SHARES):
        accepted = scores >= as_label_sets_it(*surest, error)
        least = worth_checking(calibrated, error * expected)
        checked = np.zeros(len(rest), bool) if least is None else calibrated.max(axis=1) >= least
        answers = (
            [answers_until_shown(~correct[checked], error, again) for again in range(CHECKED_AGAIN)] if checked.any() else []
        )
        ended = [one for one in answers if one is not None]
        lines.append(
            {
                "error": error,
                "expected_of_it": round(expected, 2),
                "scans": len(rest),
                "right": round(float(correct.mean()), 4),
                "held_out_right": round(float(surest[1].mean()), 4),
                "accepted_by_label": round(float(accepted.mean()), 4),
                "checked_labels": round(float(checked.mean()), 4),
                "of_them_wrong": round(float((~correct[checked]).mean()), 4) if checked.any() else None,
                "shown": round(len(ended) / CHECKED_AGAIN, 3),
                "answers": float(np.median(ended)) if ended else None,
                "answers_most": max(ended) if ended else None,
            }
        )
    return lines


def main() -> None:
    parser = labels_parser(__doc__, draws=8)
    arguments = parser.parse_args()
    lines: list[dict[str, Any]] = []
    for draw, pile, labeled in labeled_piles(arguments):
        known = {"labels_are": "suggested" if arguments.suggested else "drawn", "draw": draw, "labels": len(labeled)}
        for line in lines_of(pile, labeled, draw):
            keep(lines, known | line, arguments.csv)
    table = pd.DataFrame(lines).groupby(["labels", "error", "expected_of_it"], sort=False)
    print(table[["accepted_by_label", "checked_labels", "of_them_wrong", "shown", "answers"]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
