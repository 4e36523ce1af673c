"""Whether bfloat16 changes accuracy beyond what seeds do, and how much faster it is.

    python -m benchmarks.precision DATASET [--seeds 0 1 2] [--epochs 60] [--csv precision.csv] [KEY=VALUE ...]

Trains `supervised` on a split dataset with a validation set, once in float32 and once in bfloat16 for every seed, and notes
the validation accuracy of the last epoch and the time that the epochs took. The test set stays sealed.
"""

import itertools
import tempfile
from pathlib import Path

import pandas as pd

import fewscan
from benchmarks.command_line import parsed, training_parser

PRECISIONS = ("32-true", "bf16-mixed")


def main() -> None:
    parser = training_parser(__doc__, seeds=[0, 1, 2], csv_line="training")
    parser.add_argument("--epochs", type=int, default=60)
    arguments, settings = parsed(parser)

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for seed, precision in itertools.product(arguments.seeds, PRECISIONS):
            out = Path(folder) / f"{precision}-{seed}"
            changes = {**settings, "epochs": arguments.epochs, "seed": seed, "precision": precision}
            run = fewscan.train(arguments.dataset, method="supervised", out=out, **changes)
            lines.append(
                {
                    "precision": precision,
                    "seed": seed,
                    "epochs": arguments.epochs,
                    "validation_accuracy_percent": round(100 * run.metrics()[-1]["validation_accuracy"], 2),
                    "seconds": round(run.training_seconds, 1),
                }
            )
    table = pd.DataFrame(lines)
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    print(table.groupby("precision")[["validation_accuracy_percent", "seconds"]].agg(["mean", "std"]).round(2).to_string())


if __name__ == "__main__":
    main()
