"""How near a pretraining step comes to the machine's limit, and how far it leaves the usual pipelines behind.

    python -m benchmarks.pretrain [--encoder study_cnn] [--views scan] [--batch 512] [--only fewscan limit ...] [--json]

One step makes two views of every image of a batch, sends them through encoder and projection head, takes NT-Xent, goes back and
moves the weights with Adam. Timed on the same images, one after the other, each in a process of its own:

fewscan   what `fewscan train --method simclr` does, loop and logging included, and where its time goes
limit     the encoder's forward and backward pass alone, on tensors that are ready, channels-last, freed memory kept
usual     the usual pipeline: a DataLoader with a worker a core that changes image after image with Pillow, then the same
          network and loss, in PyTorch's default memory layout and with its default allocator
kornia    the same, with views made by kornia for the whole batch at once, without workers (needs the package kornia)
lightly   what lightly's own example of SimCLR does: its views of image after image, made by a worker a core, its loss (needs
          lightly and torchvision)

All but `fewscan` and `limit` compute in float32, as examples do. Images per second are images before views: each is seen
twice. The first steps warm up and are not counted.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import lightning_fabric
import numpy as np
import torch

import fewscan
from benchmarks.in_memory import trained
from benchmarks.measure import peak_memory_mb
from benchmarks.pipelines import OTHERS, limit, synchronize
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.learning.simclr import SimCLR
from fewscan.models.network import Network
from fewscan.phantoms import write_practice_scans
from fewscan.training import fit
from fewscan.training.averaging import AveragedNetwork
from fewscan.training.lengths import steps_per_epoch
from fewscan.training.recorded import RecordedNetwork
from fewscan.training.run import Run
from fewscan.training.tally import Tally

PIPELINES = ("fewscan", "limit", *OTHERS)


class Stopwatch:
    """Seconds spent in the functions that it wraps; on a GPU each is waited for, so that the parts add up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            synchronize()
            began = time.perf_counter()
            result = function(*arguments, **options)
            synchronize()
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
            return result

        return wrapped


class Seconds(NamedTuple):
    """An epoch of a run, as its log has it, and what the stopwatch had counted by then."""

    steps: int
    seconds: float
    parts: dict[str, float]


def epochs_of_training(
    dataset: Snapshot, encoder: str, views: str, precision: str, batch: int, steps: int, watch: Stopwatch
) -> list[Seconds]:
    """Train `simclr` as `fewscan train` does, one epoch to warm up and `steps` at least, and return its epochs."""
    epochs: list[Seconds] = []
    log = Run.log

    def note(run: Run, numbers: dict[str, Any]) -> None:
        epochs.append(Seconds(numbers["step"], numbers["seconds"], dict(watch.seconds)))
        log(run, numbers)

    per_epoch = steps_per_epoch(len(dataset.rows("labeled")), len(dataset.rows("unlabeled")), batch)
    with patch.object(Run, "log", note), tempfile.TemporaryDirectory() as folder:
        trained(
            dataset,
            Path(folder) / "run",
            method="simclr",
            recipe="study",
            encoder=encoder,
            views=views,
            precision=precision,
            batch_size=batch,
            epochs=1 + -(-steps // per_epoch),
            probe_images=0,
        )
    return epochs


def images_per_second(epochs: list[Seconds], images: int) -> float:
    """Return the speed of epochs of so many images each, without the first."""
    return images * (len(epochs) - 1) / sum(epoch.seconds for epoch in epochs[1:])


def ours(dataset: Snapshot, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    """Return the speed of a run that nobody watches, then the shares of its parts in one that is watched."""
    unwatched = epochs_of_training(dataset, encoder, views, precision, batch, steps, Stopwatch())
    figures = {"images_per_second": images_per_second(unwatched, len(dataset.rows("labeled", "unlabeled")))}
    # One of the two ways forward is a run's.
    parts: list[tuple[str, Any, str]] = [
        ("views", fit, "random_views"),
        ("forward", Network, "forward"),
        ("forward", RecordedNetwork, "forward"),
        ("loss", SimCLR, "losses"),
        ("backward", lightning_fabric.Fabric, "backward"),
        ("optimizer", torch.optim.Adam, "step"),
        ("averaging", AveragedNetwork, "update"),
        ("tally", Tally, "add"),
    ]
    watch = Stopwatch()
    with ExitStack() as stack:
        for part, owner, name in parts:
            stack.enter_context(patch.object(owner, name, watch.timed(part, getattr(owner, name))))
        watched = epochs_of_training(dataset, encoder, views, precision, batch, steps, watch)
    seconds = sum(epoch.seconds for epoch in watched[1:])
    spent = {part: watched[-1].parts[part] - watched[0].parts[part] for part in watched[-1].parts}
    figures |= {f"share_{part}": value / seconds for part, value in spent.items()}
    return figures | {"share_rest": 1 - sum(spent.values()) / seconds}


def one_pipeline(arguments: argparse.Namespace) -> dict[str, float]:
    dataset = Dataset.open(arguments.dataset).snapshot()
    given = (arguments.encoder, arguments.views, arguments.precision, arguments.batch, arguments.steps)
    if arguments.pipeline == "fewscan":
        figures = ours(dataset, *given)
    else:
        pipelines = {"limit": limit, **OTHERS}
        figures = pipelines[arguments.pipeline](np.array(dataset.pixels), *given)
    return figures | {"peak_mb": peak_memory_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=["study_cnn", "resnet_small"], default="study_cnn")
    parser.add_argument("--views", choices=["scan", "study"], default="scan")
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed"], default="32-true", help="of fewscan and limit")
    parser.add_argument("--size", type=int, default=96, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=512, help="images in a step, each seen twice")
    parser.add_argument("--steps", type=int, default=6, help="counted steps, at least")
    parser.add_argument("--only", nargs="+", choices=PIPELINES, default=PIPELINES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pipeline", choices=PIPELINES, help=argparse.SUPPRESS)
    parser.add_argument("--dataset", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.pipeline:
        print(json.dumps(one_pipeline(arguments)))
        return

    figures: dict[str, Any] = {
        name: getattr(arguments, name) for name in ("encoder", "views", "precision", "size", "batch", "steps")
    } | {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.system()} {platform.machine()}",
    }
    with tempfile.TemporaryDirectory() as folder:
        scans, dataset = Path(folder) / "scans", Path(folder) / "dataset"
        write_practice_scans(scans, images=3 * arguments.batch + 4)
        fewscan.import_scans(scans, dataset, size_px=arguments.size, crop="none")
        fewscan.split(dataset, labeled=arguments.batch, test=4, validation=0, protocol="study")
        for pipeline in arguments.only:
            options = [
                word
                for name in ("encoder", "views", "precision", "batch", "steps")
                for word in (f"--{name}", str(figures[name]))
            ]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.pretrain", "--pipeline", pipeline, "--dataset", str(dataset), *options],
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            if done.returncode:
                print(f"{pipeline}: not measured, it failed", file=sys.stderr)
                continue
            figures[pipeline] = json.loads(done.stdout)
    for pipeline in arguments.only:
        if pipeline != "fewscan" and pipeline in figures and "fewscan" in figures:
            ratio = figures["fewscan"]["images_per_second"] / figures[pipeline]["images_per_second"]
            figures[f"fewscan_to_{pipeline}"] = ratio
    print(json.dumps(figures) if arguments.json else "\n".join(lines(figures)))


def lines(figures: dict[str, Any]) -> Iterator[str]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield name
            yield from (f"  {key:20} {number:.3f}" for key, number in value.items())
        else:
            yield f"{name:22} {value:.2f}" if isinstance(value, float) else f"{name:22} {value}"


if __name__ == "__main__":
    main()
