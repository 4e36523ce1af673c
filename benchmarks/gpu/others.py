"""Images a second of a pretraining step as others make it, kornia and lightly, and of fewscan's, one after the other.

    python -m benchmarks.gpu.others SCRATCH OUT.json [--tiny]

`benchmarks.pretrain` says what each is. One that is not installed is named as such; `python -m benchmarks.gpu.pack OUT ...
--packages kornia kornia-rs lightly lightly-utils` packs them. lightly needs the torchvision of the machine's PyTorch besides.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.command_line import gpu_part_parser
from benchmarks.in_memory import split_in_memory
from benchmarks.pipelines import OTHERS, is_installed, limit
from benchmarks.pretrain import Stopwatch, epochs_of_training, images_per_second
from fewscan.atomic import write_json
from fewscan.datasets.dataset import Dataset
from fewscan.training.precision import fastest_precision

ENCODER, DATASET, VIEWS, BATCH = "resnet_small", "mri", "scan", 512


def main(words: Sequence[str] | None = None) -> None:
    arguments = gpu_part_parser(__doc__).parse_args(words)
    batch, steps, steps_of_others = (32, 1, 1) if arguments.tiny else (BATCH, 150, 20)
    precision = fastest_precision("auto")
    dataset = split_in_memory(Dataset.open(arguments.scratch / DATASET).unsplit(), labeled=40, test=20, validation=0)
    pixels = np.array(dataset.pixels[dataset.rows("labeled", "unlabeled")])
    found: dict[str, Any] = {"encoder": ENCODER, "image_size_px": pixels.shape[-1], "views": VIEWS, "batch": batch}
    found |= {"precision": precision, "images_per_second": {}, "not_installed": []}
    speeds = found["images_per_second"]
    trained = epochs_of_training(dataset, ENCODER, VIEWS, precision, batch, steps, Stopwatch())
    speeds["fewscan"] = images_per_second(trained, len(pixels))
    speeds["limit"] = limit(pixels, ENCODER, VIEWS, precision, batch, steps)["images_per_second"]
    write_json(arguments.out, found)
    for name, pipeline in OTHERS.items():
        if is_installed(name):
            speeds[name] = pipeline(pixels, ENCODER, VIEWS, precision, batch, steps_of_others)["images_per_second"]
        else:
            found["not_installed"].append(name)
        write_json(arguments.out, found)


if __name__ == "__main__":
    main()
