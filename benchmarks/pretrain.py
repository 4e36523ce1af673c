"""How near a pretraining step comes to the machine's limit, and how far it leaves the usual pipelines behind.

    python -m benchmarks.pretrain [--encoder study_cnn] [--views scan] [--batch 512] [--only fewscan limit ...] [--json]

One step makes two views of every image of a batch, sends them through encoder and projection head, takes NT-Xent, goes back and
moves the weights with Adam. Timed on the same images, one after the other, each in a process of its own:

fewscan   what `fewscan train --method simclr` does, loop and logging included, and where its time goes
limit     the encoder's forward and backward pass alone, on tensors that are ready, channels-last, freed memory kept
usual     the usual pipeline: a DataLoader with two workers that changes image after image with Pillow, then the same network
          and loss, in PyTorch's default memory layout and with its default allocator
kornia    the same, with views made by kornia for the whole batch at once, without workers (needs the package kornia)

`usual` and `kornia` compute in float32, as examples do. Images per second are images before views: each is seen twice. The
first steps warm up and are not counted.
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
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor, nn

import fewscan
from benchmarks.measure import peak_memory_mb
from fewscan.datasets.dataset import Dataset
from fewscan.learning.losses import nt_xent
from fewscan.learning.simclr import SimCLR
from fewscan.models.encoders import encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network
from fewscan.phantoms import write_practice_scans
from fewscan.training import fit
from fewscan.training.allocator import keep_freed_memory
from fewscan.training.averaging import AveragedNetwork
from fewscan.training.lengths import steps_per_epoch
from fewscan.training.run import Run
from fewscan.training.tally import Tally

PIPELINES = ("fewscan", "limit", "usual", "kornia")
TEMPERATURE = 0.1
WARM_UP_STEPS = 2


def synchronize() -> None:
    """Wait for the GPU, where there is one: only then is a time a time."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def new_network(encoder: str, size_px: int) -> Network:
    torch.manual_seed(0)
    return Network(encoder_settings(encoder), HeadSettings(), channels=1, image_size_px=size_px, classes=4).to(device())


def per_second(step: Callable[[], None], images: int, steps: int) -> float:
    """Return images per second of a step, after a warm-up."""
    for _ in range(WARM_UP_STEPS):
        step()
    synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    synchronize()
    return images * steps / (time.perf_counter() - began)


def limit(pixels: np.ndarray, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    keep_freed_memory()
    network = new_network(encoder, pixels.shape[-1]).encoder.to(memory_format=torch.channels_last)
    images = torch.rand(2 * batch, 1, pixels.shape[-1], pixels.shape[-1], device=device())
    images = images.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        network.zero_grad()
        with torch.autocast(device().type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            h = network(images)
        h.float().square().mean().backward()

    return {"images_per_second": per_second(step, batch, steps)}


class PillowViews(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Two views of one image at a time, made with Pillow's own operations."""

    def __init__(self, pixels: np.ndarray, views: str) -> None:
        self.pixels = pixels
        self.views = views

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng(torch.randint(2**31, (1,)).item())
        image = Image.fromarray(self.pixels[row, 0])
        return self.view(image, random), self.view(image, random)

    def view(self, image: Image.Image, random: np.random.Generator) -> Tensor:
        size = image.width
        if self.views == "scan":
            side = int(size * random.uniform(0.7, 1))
            left, top = random.integers(0, size - side + 1, size=2)
            image = image.resize((size, size), Image.Resampling.BILINEAR, (left, top, left + side, top + side))
            image = image.rotate(random.uniform(-15, 15), Image.Resampling.BILINEAR)
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.views == "scan":
            if random.random() < 0.3:
                image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1)))
            image = ImageEnhance.Contrast(image).enhance(random.uniform(0.6, 1.4))
            image = ImageEnhance.Brightness(image).enhance(random.uniform(0.8, 1.2))
        return torch.from_numpy(np.asarray(image, dtype=np.float32))[None] / 255


def usual(pixels: np.ndarray, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    workers = torch.utils.data.DataLoader(
        PillowViews(pixels, views), batch_size=batch, shuffle=True, num_workers=2, persistent_workers=True, drop_last=True
    )

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from workers

    return {"images_per_second": per_second(plain_step(encoder, pixels.shape[-1], batches()), batch, steps)}


def kornia(pixels: np.ndarray, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    import kornia.augmentation as augmentation

    changes: list[nn.Module] = [augmentation.RandomHorizontalFlip(p=0.5)]
    if views == "scan":
        size = (pixels.shape[-1], pixels.shape[-1])
        changes += [
            augmentation.RandomResizedCrop(size, scale=(0.49, 1), ratio=(0.87, 1.15)),
            augmentation.RandomRotation(15.0),
            augmentation.RandomGaussianBlur((5, 5), (0.1, 1.0), p=0.3),
            augmentation.RandomGamma((0.6, 1.6)),
            augmentation.RandomContrast((0.6, 1.4)),
            augmentation.RandomBrightness((0.8, 1.2)),
            augmentation.RandomGaussianNoise(std=0.03, p=0.3),
        ]
    augment = nn.Sequential(*changes)
    ready = torch.from_numpy(pixels).to(device())

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            images = ready[torch.randint(len(ready), (batch,), device=ready.device)].float() / 255
            yield augment(images), augment(images)

    return {"images_per_second": per_second(plain_step(encoder, pixels.shape[-1], batches()), batch, steps)}


def plain_step(encoder: str, size_px: int, batches: Iterator[tuple[Tensor, Tensor]]) -> Callable[[], None]:
    """Return a training step as an example in a textbook has it."""
    network = new_network(encoder, size_px)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        view0, view1 = next(batches)
        z0, z1 = network(view0.to(device())).z, network(view1.to(device())).z
        loss = nt_xent(z0, z1, TEMPERATURE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


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
    dataset: Dataset, encoder: str, views: str, precision: str, batch: int, steps: int, watch: Stopwatch
) -> list[Seconds]:
    """Train `simclr` as `fewscan train` does, one epoch to warm up and `steps` at least, and return its epochs."""
    epochs: list[Seconds] = []
    log = Run.log

    def note(run: Run, numbers: dict[str, Any]) -> None:
        epochs.append(Seconds(numbers["step"], numbers["seconds"], dict(watch.seconds)))
        log(run, numbers)

    per_epoch = steps_per_epoch(len(dataset.rows("labeled")), len(dataset.rows("unlabeled")), batch)
    with patch.object(Run, "log", note), tempfile.TemporaryDirectory() as folder:
        fewscan.train(
            dataset,
            out=Path(folder) / "run",
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


def ours(dataset: Dataset, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    """Return the speed of a run that nobody watches, then the shares of its parts in one that is watched."""
    unwatched = epochs_of_training(dataset, encoder, views, precision, batch, steps, Stopwatch())
    images = len(dataset.rows("labeled", "unlabeled"))
    figures = {"images_per_second": images * (len(unwatched) - 1) / sum(epoch.seconds for epoch in unwatched[1:])}
    parts = {
        "views": (fit, "random_views"),
        "forward": (Network, "forward"),
        "loss": (SimCLR, "losses"),
        "backward": (lightning_fabric.Fabric, "backward"),
        "optimizer": (torch.optim.Adam, "step"),
        "averaging": (AveragedNetwork, "update"),
        "tally": (Tally, "add"),
    }
    watch = Stopwatch()
    with ExitStack() as stack:
        for part, (owner, name) in parts.items():
            stack.enter_context(patch.object(owner, name, watch.timed(part, getattr(owner, name))))
        watched = epochs_of_training(dataset, encoder, views, precision, batch, steps, watch)
    seconds = sum(epoch.seconds for epoch in watched[1:])
    spent = {part: watched[-1].parts[part] - watched[0].parts[part] for part in parts}
    figures |= {f"share_{part}": value / seconds for part, value in spent.items()}
    return figures | {"share_rest": 1 - sum(spent.values()) / seconds}


def one_pipeline(arguments: argparse.Namespace) -> dict[str, float]:
    dataset = Dataset.open(arguments.dataset)
    given = (arguments.encoder, arguments.views, arguments.precision, arguments.batch, arguments.steps)
    if arguments.pipeline == "fewscan":
        figures = ours(dataset, *given)
    else:
        pipelines = {"limit": limit, "usual": usual, "kornia": kornia}
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
        fewscan.import_scans(scans, dataset, size_px=arguments.size)
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
