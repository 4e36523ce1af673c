"""What labeling new scans costs, step by step: milliseconds of CPU a scan, one thread.

    python -m benchmarks.label_steps RUN FOLDER [--scans 768] [--out docs/results/label_steps.json]

RUN is a finished run, FOLDER holds scans. The least of three passes counts, since other programs share the machine.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import torch

from fewscan.images.crop import foreground_box, shown
from fewscan.images.formats import jpeg
from fewscan.images.formats.recognition import silenced
from fewscan.images.listing import list_place
from fewscan.images.readers import Image, fit, read_image, read_images
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.seen import Seen
from fewscan.training.run import Run

BLOCK = 256
PASSES = 3


def milliseconds(work: Callable[[], object], scans: int) -> float:
    spent = []
    for _ in range(PASSES):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return round(1000 * min(spent) / scans, 3)


def decoded(path: Path) -> object:
    """Return the picture of a JPEG as reading has it: Pillow opens it, simplejpeg decodes it."""
    with PIL.Image.open(path) as image:
        return jpeg.decode(path.read_bytes(), "GRAY" if image.mode == "L" else "RGB", image.width, image.height)


def steps(run: Run, folder: Path, scans: int) -> dict[str, object]:
    spec, dataset = run.record.spec, run.open_dataset()
    files = [file for file in list_place(folder, spec, follow_links=False) if file.set_aside is None]
    chosen = np.sort(np.random.default_rng(0).permutation(len(files))[:scans])
    files = [files[number] for number in chosen]
    images = [image for image in read_images(files, spec, workers=1) if isinstance(image, Image)]
    count, paths = len(images), [file.path for file in files]
    with silenced():
        pixels = [read_image(path, spec.channels).pixels for path in paths if path.suffix == ".jpg"]
    kept = [shown(one, spec).pixels for one in pixels]
    stored = np.stack([image.pixels for image in images])
    starts = range(0, count, BLOCK)
    rule, exact, near = Grounds.of(run, dataset).rule(Asked()), Seen(run, dataset, near=False), Seen(run, dataset)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "scans": count,
        "median_side_px": int(np.median([one.size for one in pixels]) ** 0.5),
        "size_px": spec.size_px,
        "crop": spec.crop,
        "milliseconds_of_cpu_a_scan": {
            "reading": milliseconds(lambda: list(read_images(files, spec, workers=1)), count),
            "of it: decoding": milliseconds(lambda: [decoded(path) for path in paths], count),
            "the same by Pillow": milliseconds(lambda: [np.asarray(PIL.Image.open(path)) for path in paths], count),
            "of it: where to crop": milliseconds(lambda: [foreground_box(one) for one in pixels], count),
            "of it: resizing, whole": milliseconds(lambda: [fit(one, spec.size_px, spec.resize) for one in pixels], count),
            "of it: resizing, cropped": milliseconds(lambda: [fit(one, spec.size_px, spec.resize) for one in kept], count),
            "seen already, exact": milliseconds(lambda: [exact.scans(images[at : at + BLOCK]) for at in starts], count),
            "seen already, near": milliseconds(lambda: [near.scans(images[at : at + BLOCK]) for at in starts], count),
            "network": milliseconds(lambda: [rule.predictor.predict(stored[at : at + BLOCK]) for at in starts], count),
            "typicality": milliseconds(lambda: [rule.gate.of_images(stored[at : at + BLOCK]) for at in starts], count),
            "network, typicality and decisions": milliseconds(
                lambda: [rule.decide(stored[at : at + BLOCK]) for at in starts], count
            ),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=768)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    text = json.dumps(steps(Run.open(arguments.run), arguments.folder, arguments.scans), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
