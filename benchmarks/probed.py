"""README's rows of `propagation`, and `probe`: on features of an encoder as it is, on the splits of its other rows.

    python -m benchmarks.probed SCRATCH OUT.json [--method propagation|probe] [--dataset mri224] [--encoder NAME]
        [--weights FILE]

SCRATCH holds `mri224`, or another of README's scans, made by `benchmarks.gpu.datasets` of what `benchmarks.gpu.pack` packs.
Features that it does not keep yet are computed first. A seed deals out which labels are held out while the strength of the
penalty is chosen; of `probe` no more, of `propagation` it draws what the small classifier begins with and is shown, too.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.adaptation import IMAGENET
from benchmarks.gpu.datasets import DATASETS
from benchmarks.gpu.trainings import Part, comparisons, in_order, trained, write_each
from fewscan.models.efficientnet_lite import EfficientNetLite0Middle

METHODS = ("propagation", "probe")
BUDGETS = (1235, 124, 40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--method", choices=METHODS, default=METHODS[0])
    parser.add_argument("--dataset", choices=[name for name in DATASETS if name.startswith("mri")], default="mri224")
    parser.add_argument("--encoder", default=EfficientNetLite0Middle.name)
    parser.add_argument("--weights", default=IMAGENET, help="its own ImageNet weights, or a file")
    arguments = parser.parse_args()
    encoder = {"name": arguments.encoder, "weights": arguments.weights}
    part = Part(arguments.dataset, (arguments.method,), BUDGETS, changes={"encoder": encoder})
    began = time.monotonic()
    seen_by = f"{arguments.encoder}-{Path(arguments.weights).stem}"
    place = arguments.scratch / f"compared-{arguments.method}-{arguments.dataset}-{seen_by}"
    trials = list(in_order(comparisons(part, arguments.scratch, place, tiny=False)))
    found: dict[str, Any] = {"at_once": 1, "planned": len(trials), "runs": []}
    write_each(trained(trials, at_once=1), found, arguments.out, began)


if __name__ == "__main__":
    main()
