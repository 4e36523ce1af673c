"""Images a second of a pretraining step, loop and logging included, beside the bare network's forward and backward pass.

    python -m benchmarks.gpu.speed SCRATCH OUT.json [--tiny]

What benchmarks/pretrain.py calls `fewscan` and `limit`, on the carried datasets: the study's network on the study's images, and
fewscan's own on its own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.command_line import gpu_part_parser
from benchmarks.in_memory import split_in_memory
from benchmarks.pipelines import limit
from benchmarks.pretrain import ours
from fewscan.atomic import write_json
from fewscan.datasets.dataset import Dataset
from fewscan.training.precision import fastest_precision

CASES = (("study_cnn", "study", "study"), ("study_cnn", "study", "scan"), ("resnet_small", "mri", "scan"))


def main(words: Sequence[str] | None = None) -> None:
    arguments = gpu_part_parser(__doc__).parse_args(words)
    batch, steps = (32, 2) if arguments.tiny else (512, 150)
    precision = fastest_precision("auto")
    found: list[dict[str, Any]] = []
    for encoder, name, views in CASES:
        if not (arguments.scratch / name).is_dir():
            print(f"{encoder}: not measured, the dataset {name} was not carried")
            continue
        dataset = split_in_memory(Dataset.open(arguments.scratch / name).unsplit(), labeled=40, test=20, validation=0)
        pixels = np.array(dataset.pixels[dataset.rows("labeled", "unlabeled")])
        bare = limit(pixels, encoder, views, precision, batch, steps)
        whole = ours(dataset, encoder, views, precision, batch, steps)
        figures = {
            "encoder": encoder,
            "image_size_px": pixels.shape[-1],
            "views": views,
            "batch": batch,
            "precision": precision,
        }
        figures |= {"fewscan": whole, "limit": bare, "share_of_limit": whole["images_per_second"] / bare["images_per_second"]}
        found.append(figures)
        write_json(arguments.out, found)


if __name__ == "__main__":
    main()
