"""How well a changed scan is told from one as it is: by the gate, by its nearest neighbors in features, by the network's doubt.

    python -m benchmarks.told_apart RUN [--csv FILE]

Of the run's validation images, as they are and under each corruption of `fewscan stress` at the middle strength: of pairs of a
changed image and one as it is, the share in which the changed one is further off, 0.5 being chance. Neighbors: mean cosine
similarity to the ten nearest of the unlabeled images. The test set stays closed.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Gate
from fewscan.images.readers import fitted
from fewscan.progress import track
from fewscan.stressing.corruption import MIDDLE
from fewscan.stressing.corruptions import CORRUPTIONS
from fewscan.stressing.scans import scans_of
from fewscan.training.run import Run

NEIGHBORS = 10

Values = npt.NDArray[np.floating]


def unit(features: Values) -> Values:
    lengths: Values = np.linalg.norm(features, axis=1, keepdims=True)
    return np.divide(features, lengths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--csv", type=Path, help="write the lines here")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    dataset = run.open_dataset()
    rows = dataset.rows("validation")
    scans = list(scans_of(dataset, rows, stored=False))
    predictor, gate = Predictor.of(run), Gate.of(dataset)
    known = unit(predictor.predict(dataset.pixels, dataset.rows("unlabeled")).features)

    def numbers(copies: list[npt.NDArray[np.uint8]]) -> dict[str, Values]:
        pixels = np.stack([fitted(copy, dataset.spec) for copy in copies])
        said = predictor.predict(pixels)
        near = np.sort(unit(said.features) @ known.T, axis=1)[:, -NEIGHBORS:].mean(axis=1)
        return {"gate": gate.of_images(pixels), "neighbors": near, "probability": said.probabilities.max(axis=1)}

    plain = numbers(scans)
    lines = []
    for name, corruption in track(CORRUPTIONS.items(), "corruptions", total=len(CORRUPTIONS)):
        changed = numbers([corruption.applied(scan, MIDDLE, int(row)) for scan, row in zip(scans, rows, strict=True)])
        which = np.repeat([0, 1], len(rows))
        shares = {key: roc_auc_score(which, -np.concatenate([plain[key], changed[key]])) for key in plain}
        below = float((changed["gate"] < gate.limit).mean())
        lines.append({"corruption": name, "images": len(rows), **shares, "out_of_distribution": below})
    table = pd.DataFrame(lines).round(3)
    print(table.to_string(index=False))
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)


if __name__ == "__main__":
    main()
