"""Images a second of a pretraining step, loop and logging included, beside the bare network's forward and backward pass.

    python -m benchmarks.gpu.speed SCRATCH OUT.json [--tiny]

What benchmarks/pretrain.py calls `fewscan` and `limit`, on the carried datasets: the study's network on the study's images, and
fewscan's own on its own. `unrecorded` is `fewscan` again, its kernels launched one by one.
"""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.command_line import gpu_part_parser
from benchmarks.in_memory import split_in_memory
from benchmarks.pipelines import limit
from benchmarks.pretrain import ours
from fewscan.atomic import write_json
from fewscan.datasets.dataset import Dataset
from fewscan.training import fit
from fewscan.training.precision import fastest_precision

CASES = (
    ("study_cnn", "study", "study", 512),
    ("study_cnn", "study", "scan", 512),
    ("resnet_small", "mri", "scan", 512),
    ("resnet_small", "mri", "scan", 64),
    ("efficientnet_lite0", "mri", "scan", 64),
)


def main(words: Sequence[str] | None = None) -> None:
    arguments = gpu_part_parser(__doc__).parse_args(words)
    steps = 2 if arguments.tiny else 150
    precision = fastest_precision("auto")
    found: list[dict[str, Any]] = []
    for encoder, name, views, batch in CASES[:3:2] if arguments.tiny else CASES:
        batch = min(batch, 32) if arguments.tiny else batch
        if not (arguments.scratch / name).is_dir():
            print(f"{encoder}: not measured, the dataset {name} was not carried")
            continue
        dataset = split_in_memory(Dataset.open(arguments.scratch / name).unsplit(), labeled=40, test=20, validation=0)
        pixels = np.array(dataset.pixels[dataset.rows("labeled", "unlabeled")])
        bare = limit(pixels, encoder, views, precision, batch, steps)
        whole = ours(dataset, encoder, views, precision, batch, steps)
        with patch.object(fit, "is_recordable", lambda network, device: False):
            unrecorded = ours(dataset, encoder, views, precision, batch, steps)
        figures = {
            "encoder": encoder,
            "image_size_px": pixels.shape[-1],
            "views": views,
            "batch": batch,
            "precision": precision,
        }
        figures |= {"fewscan": whole, "unrecorded": unrecorded, "limit": bare}
        figures |= {"share_of_limit": whole["images_per_second"] / bare["images_per_second"]}
        found.append(figures)
        write_json(arguments.out, found)


if __name__ == "__main__":
    main()
