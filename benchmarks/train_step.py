"""How much of a training step is not the network: views, losses, optimizer, averaging and the loop itself.

    python -m benchmarks.train_step [--method joint] [--encoder resnet_small] [--size 96] [--json]

Trains for a few epochs on practice scans, exactly as `fewscan train` does but without the probe, and times the network's own
forward and backward passes inside that run (the backward pass holds the loss's own, a small part). The first epoch warms up and
is not counted. Figures are for a CPU, where a pass has ended when its call returns.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import lightning_fabric
import torch

import fewscan
from fewscan.learning.registry import TRAINING_METHODS
from fewscan.models.network import Network
from fewscan.phantoms import write_practice_scans
from fewscan.training.run import Run


class Stopwatch:
    """Seconds spent in the functions that it wraps, while training."""

    def __init__(self) -> None:
        self.seconds = {"forward": 0.0, "backward": 0.0}

    def timed(self, name: str, function: Callable[..., Any], only: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if not only(*arguments):
                return function(*arguments, **options)
            began = time.perf_counter()
            result = function(*arguments, **options)
            self.seconds[name] += time.perf_counter() - began
            return result

        return wrapped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=sorted(TRAINING_METHODS), default="joint")
    parser.add_argument("--encoder", choices=["resnet_small", "study_cnn"], default="resnet_small")
    parser.add_argument("--size", type=int, default=96, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3, help="counted epochs, after one that warms up")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    watch = Stopwatch()
    after_epoch: list[dict[str, float]] = []
    log = Run.log

    def log_and_note(run: Run, numbers: dict[str, Any]) -> None:
        after_epoch.append({**watch.seconds, "step": numbers["seconds"]})
        log(run, numbers)

    forward = watch.timed("forward", Network.forward, only=lambda network, _: network.training)
    backward = watch.timed("backward", lightning_fabric.Fabric.backward)
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(Network, "forward", forward),
        patch.object(lightning_fabric.Fabric, "backward", backward),
        patch.object(Run, "log", log_and_note),
    ):
        scans, dataset = Path(folder) / "scans", Path(folder) / "dataset"
        write_practice_scans(scans, images=arguments.images)
        fewscan.import_scans(scans, dataset, size_px=arguments.size, crop="none")
        labeled = arguments.images // 4
        fewscan.split(dataset, labeled=labeled, test=4, validation=0, protocol="study")
        run = fewscan.train(
            dataset,
            out=Path(folder) / "run",
            method=arguments.method,
            encoder=arguments.encoder,
            epochs=1 + arguments.epochs,
            probe_images=0,
            device="cpu",
        )
        steps = run.metrics()[0]["step"]

    counted = after_epoch[1:]
    whole = sum(epoch["step"] for epoch in counted)
    network = counted[-1]["forward"] + counted[-1]["backward"] - after_epoch[0]["forward"] - after_epoch[0]["backward"]
    figures = {
        "method": arguments.method,
        "encoder": arguments.encoder,
        "size_px": arguments.size,
        "batch_size": run.settings.batch_size,
        "steps": steps * len(counted),
        "seconds": round(whole, 2),
        "images_per_second": round(run.settings.batch_size * steps * len(counted) / whole, 1),
        "share_outside_network": round(1 - network / whole, 3),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    print(json.dumps(figures) if arguments.json else "\n".join(f"{name:22} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
