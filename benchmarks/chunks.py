"""How much memory a large batch takes, whole and in chunks, and how long a step then is.

    python -m benchmarks.chunks [--batch 2048] [--chunk 256] [--encoder study_cnn] [--size 96] [--precision 32-true] [--json]

One step of `joint`, as a run of the recipe `study` makes it: two views of every image, network, losses, gradients, Adam. The
images are random, since neither memory nor time depends on what they show. Whole batch and chunks have a process each, so that
each peak of memory is its own; both peaks hold Python and PyTorch, whose share is given too. The loss of the first step shows
that both compute the same. The time is of the last step. On a GPU the peak is that of its memory.
"""

import argparse
import json
import platform
import time
from typing import Any

import lightning_fabric
import torch
from torch import nn

from benchmarks.measure import in_own_process, peak_memory_mb
from fewscan.learning.policies import build_views
from fewscan.learning.registry import method_type
from fewscan.learning.views import random_views
from fewscan.models.network import Network
from fewscan.seeds import stream
from fewscan.training.allocator import keep_freed_memory
from fewscan.training.chunks import add_gradients
from fewscan.training.optimizer import build_optimizer
from fewscan.training.ranks import Ranks
from fewscan.training.settings import RunSettings

CLASSES = 4
LABELED_SHARE = 0.16  # the study's: 1,235 of 7,671


def one(arguments: argparse.Namespace) -> dict[str, float]:
    """Return memory and seconds of `steps` steps in this process, with the loss of the first."""
    keep_freed_memory()
    changes = {"encoder": arguments.encoder, "batch_size": arguments.batch, "precision": arguments.precision}
    settings = RunSettings.resolve("joint", "study", changes, labeled=arguments.batch, unlabeled=0)
    torch.manual_seed(0)
    fabric = lightning_fabric.Fabric(devices=1, precision=settings.precision)
    network = Network(settings.encoder, settings.heads, channels=1, image_size_px=arguments.size, classes=CLASSES)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's annotations
    shares = torch.full((CLASSES,), 1 / CLASSES)
    method = method_type("joint")(settings.method, network.encoder.feature_dim, settings.heads.projection_units[-1], shares).to(
        fabric.device
    )
    trained, stepper = fabric.setup(network, build_optimizer(settings.optimizer, network, nn.Identity()))
    images = torch.randint(256, (arguments.batch, 1, arguments.size, arguments.size), dtype=torch.uint8).to(fabric.device)
    labels = torch.randint(CLASSES, (arguments.batch,))
    labels[round(LABELED_SHARE * arguments.batch) :] = -1
    labels = labels.to(fabric.device)
    figures = {"before_mb": peak_mb()}
    for number in range(arguments.steps):
        began = time.perf_counter()
        views = random_views(build_views(settings.views), images, 2, stream(number, "views"))
        stepper.zero_grad()
        step = add_gradients(Ranks(fabric), trained, method, views, labels, arguments.chunk)
        stepper.step()
        loss = torch.stack(list(step.losses.values())).sum().item()
        figures.setdefault("first_loss", loss)
        figures["seconds"] = time.perf_counter() - began
    return figures | {"peak_mb": peak_mb()}


def peak_mb() -> float:
    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else peak_memory_mb()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=2048, help="images in a step, each seen twice")
    parser.add_argument("--chunk", type=int, default=256, help="images at once; 0 for all")
    parser.add_argument("--encoder", choices=["study_cnn", "resnet_small"], default="study_cnn")
    parser.add_argument("--size", type=int, default=96, help="side of the images in pixels")
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed"], default="32-true")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.chunk = arguments.chunk or None
    if arguments.one:
        print(json.dumps(one(arguments)))
        return

    asked = {name: getattr(arguments, name) for name in ("batch", "encoder", "size", "precision", "steps")}
    words = [word for name, value in asked.items() for word in (f"--{name}", value)]
    figures: dict[str, Any] = {
        **asked,
        "chunk": arguments.chunk,
        "chunks": in_own_process("benchmarks.chunks", "--one", *words, "--chunk", arguments.chunk or 0),
        "whole": in_own_process("benchmarks.chunks", "--one", *words, "--chunk", 0),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.system()} {platform.machine()}",
    }
    if arguments.json:
        print(json.dumps(figures))
        return
    print(", ".join(f"{name} {value}" for name, value in asked.items()), figures["machine"], sep=", ")
    for name, measured in (("whole", figures["whole"]), (f"chunks of {arguments.chunk}", figures["chunks"])):
        print(
            f"{name:16} {measured['peak_mb']:8.0f} MB at most ({measured['before_mb']:.0f} before the first step), "
            f"{measured['seconds']:.1f} s a step, first loss {measured['first_loss']:.6f}"
        )


if __name__ == "__main__":
    main()
