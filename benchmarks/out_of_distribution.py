"""Does the gate keep out what is no scan, and let scans in? On a run's sealed test set, and on images of other kinds.

    python -m benchmarks.out_of_distribution RUN ... [--target-error 0.2] [--images 30] [--csv FILE]

For each run: of its test scans, how many are called out of distribution; and of IMAGES pictures of each kind (see
`benchmarks.non_scans`), how many are, and how many would be accepted as a diagnosis at the target error, as they are and had
they been saved in gray. The test set is opened once a run; nothing is chosen by it. Needs the pictures of scikit-image:
pip install scikit-image.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.non_scans import CHOSEN_WITH, TESTED_WITH, as_a_dataset_holds_it, of_kind
from fewscan.images.formats.channels import has_color
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.rule import DecisionRule
from fewscan.training.run import Run


def counted(rule: DecisionRule, pixels: np.ndarray, in_color: np.ndarray) -> dict[str, int]:
    decisions, in_gray = (np.array(rule.decide(pixels, in_color=some).decisions) for some in (in_color, None))
    return {
        "images": len(decisions),
        "out_of_distribution": int((decisions == "out_of_distribution").sum()),
        "accepted": int((decisions == "accept").sum()),
        "accepted_in_gray": int((in_gray == "accept").sum()),
    }


def measured(run: Run, target_error: float, images: int) -> list[dict[str, object]]:
    """Return a line for the test set and one for every kind."""
    dataset = run.open_dataset()
    run.note_test_opening("benchmark", dataset)
    rule = Grounds.of(run, dataset).rule(Asked(target_error))
    about = {"run": run.folder.name, "method": run.settings.method.name, "target_error": target_error}
    # What some kinds are made from is no scan that the gate learned from, and none that it is asked about.
    scans = dataset.pixels[dataset.rows("validation")].mean(axis=1).astype(np.uint8)
    tested = dataset.rows("test")
    of_test = counted(rule, dataset.pixels[tested], dataset.shows_color[tested])
    lines = [about | {"kind": "test scan", "used": "test"} | of_test]
    spec = run.record.spec
    for used, kinds in (("chosen with", CHOSEN_WITH), ("tested with", TESTED_WITH)):
        for kind in kinds:
            pictures = of_kind(kind, images, scans)
            held = np.stack([as_a_dataset_holds_it(picture, spec) for picture in pictures])
            in_color = np.array([has_color(picture) for picture in pictures])
            lines.append(about | {"kind": kind, "used": used} | counted(rule, held, in_color))
    of_kinds = pd.DataFrame([line for line in lines if line["used"] == "tested with"])
    total = of_kinds[["images", "out_of_distribution", "accepted", "accepted_in_gray"]].sum().to_dict()
    return [*lines, about | {"kind": "all ten kinds", "used": "tested with"} | total]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--target-error", type=float, default=0.2)
    parser.add_argument("--images", type=int, default=30, help="of each kind")
    parser.add_argument("--csv", type=Path, help="write the table here")
    arguments = parser.parse_args()
    lines = [line for folder in arguments.runs for line in measured(Run.open(folder), arguments.target_error, arguments.images)]
    table = pd.DataFrame(lines)
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
