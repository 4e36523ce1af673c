"""From where should the tests for a threshold start? What each choice would accept, on validation images drawn again and again.

    python -m benchmarks.starts RUN [RUN ...] [--target-error 0.05]

Each RUN predicts its own validation set. So many of all these images are drawn with replacement, a threshold is learned from
the draw, and it is asked what the threshold accepts of all images. The test set has no share in it.
"""

import argparse
from pathlib import Path

import numpy as np

from fewscan.evaluation.held_out import predict_held_out
from fewscan.evaluation.predictor import Predictor
from fewscan.labeling import decisions
from fewscan.splits import support
from fewscan.training.run import Run

CHOICES = ((0.2, 0.4, 0.6, 0.8), (0.25, 0.5, 0.75), (0.4, 0.7), (0.5,))
IMAGES = (245, 1235)
DRAWS = 100


def predicted(folders: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    scores, correct = [], []
    for folder in folders:
        run = Run.open(folder)
        dataset = run.open_dataset()
        images = predict_held_out(Predictor.of(run), dataset, dataset.rows("validation"))
        scores.append(images.probabilities.max(axis=1))
        correct.append(images.probabilities.argmax(axis=1) == images.labels)
    return np.concatenate(scores), np.concatenate(correct)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--target-error", type=float, default=0.05)
    arguments = parser.parse_args()
    scores, correct = predicted(arguments.runs)
    print(f"{len(scores)} validation images, {100 * (~correct).mean():.1f} % called wrongly")
    for images in IMAGES:
        for starts in CHOICES:
            support.STARTS = starts
            random = np.random.default_rng(0)
            accepted = []
            broken = 0
            for _ in range(DRAWS):
                drawn = random.integers(0, len(scores), images)
                threshold = decisions.acceptance_threshold(scores[drawn], correct[drawn], arguments.target_error)
                kept = scores >= (np.inf if threshold is None else threshold)
                accepted.append(kept.mean())
                broken += bool(kept.any() and (~correct[kept]).mean() > arguments.target_error)
            shares = np.array(accepted)
            something = int((shares > 0).sum())
            print(
                f"{images} images, starts {starts}: accepted {100 * shares.mean():.0f} %, something in {something} of {DRAWS}, "
                f"more wrong than asked in {broken}"
            )


if __name__ == "__main__":
    main()
