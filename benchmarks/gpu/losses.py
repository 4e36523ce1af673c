"""Whether every method's losses on the GPU are those of the CPU, from the same views; and what the host waits for.

    python -m benchmarks.gpu.losses SCRATCH OUT.json [--tiny]

Views and mixing weights are drawn on the CPU for both sides, since every kind of device has random numbers of its own. Both
compute in float32, the GPU without TensorFloat-32. Without a GPU both sides are the CPU, and the file says so.

Before a weight has moved the losses must be equal. After it they part by rounding, which every step magnifies; how far is asked
of the CPU itself, whose first weights are moved by a rounding error (`moved`): the GPU may part SPREAD times as far.
"""

import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.command_line import gpu_part_parser
from benchmarks.in_memory import split_in_memory, trained
from fewscan.atomic import write_json
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.learning.mixmatch import MixMatch
from fewscan.learning.registry import TRAINING_METHODS
from fewscan.learning.views import Views, random_views
from fewscan.models.network import Network
from fewscan.seeds import Stream
from fewscan.training import fit
from fewscan.training.run import Run
from fewscan.training.tally import Tally

STEPS = 20
# Relative, of the first loss; and of all, in units of what a rounding error makes of them.
FIRST_TOLERANCE = 1e-4
SPREAD = 10
ROUNDING = torch.finfo(torch.float32).eps


class EnoughError(Exception):
    """So many steps are done."""


def first_losses(dataset: Snapshot, method: str, device: str, steps: int) -> list[float]:
    """Train as `fewscan train` does, for a few steps, and return the sum of the losses of each."""
    losses: list[Tensor] = []
    draw, pairs, add = random_views, MixMatch.pairs, Tally.add

    def views_from_the_cpu(views: Views, images: Tensor, count: int, drawn_from: Stream, part: None) -> Tensor:
        return draw(views, images.cpu(), count, drawn_from, part).to(images.device)

    def pairs_from_the_cpu(self: MixMatch, images: int, device: torch.device) -> tuple[Tensor, Tensor]:
        with torch.random.fork_rng([]):
            torch.manual_seed(len(losses))
            weight, partner = pairs(self, images, torch.device("cpu"))
        return weight.to(device), partner.to(device)

    def note(self: Tally, *step: Any) -> None:
        add(self, *step)
        losses.append(self.losses[-1])
        if len(losses) == steps:
            raise EnoughError

    with (
        patch.object(fit, "random_views", views_from_the_cpu),
        patch.object(MixMatch, "pairs", pairs_from_the_cpu),
        patch.object(Tally, "add", note),
        tempfile.TemporaryDirectory() as folder,
        suppress(EnoughError),
    ):
        settings: dict[str, Any] = {"device": device, "precision": "32-true", "batch_size": 32, "epochs": steps}
        trained(dataset, Path(folder) / "run", method=method, **settings)
    return [float(loss) for loss in losses]


def moved_losses(dataset: Snapshot, method: str, steps: int) -> list[float]:
    """Return the losses on the CPU from first weights that are moved by about a rounding error each."""
    first_network = Run.first_network

    def moved(run: Run) -> Network:
        network = first_network(run)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(1 + ROUNDING * torch.randn(parameter.shape, generator=generator))
        return network

    with patch.object(Run, "first_network", moved):
        return first_losses(dataset, method, "cpu", steps)


def waits(dataset: Snapshot, method: str, steps: int) -> dict[str, int]:
    """Return where, within an epoch, the host waits for the GPU, by file and line, and how often in so many steps."""
    add, counted = Tally.add, 0

    def note(self: Tally, *step: Any) -> None:
        nonlocal counted
        add(self, *step)
        counted += 1
        torch.cuda.set_sync_debug_mode("warn")
        if counted == steps:
            raise EnoughError

    with (
        patch.object(Tally, "add", note),
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        settings: dict[str, Any] = {"device": "cuda", "batch_size": 32, "epochs": 1, "passes": steps}
        with suppress(EnoughError):
            trained(dataset, Path(folder) / "run", method=method, **settings)
        torch.cuda.set_sync_debug_mode("default")
    places = [f"{Path(each.filename).name}:{each.lineno}" for each in caught if "synchronizing" in str(each.message)]
    return {place: places.count(place) for place in sorted(set(places))}


def main(words: Sequence[str] | None = None) -> None:
    arguments = gpu_part_parser(__doc__).parse_args(words)
    torch.backends.cudnn.allow_tf32 = False
    steps = 2 if arguments.tiny else STEPS
    cuda = torch.cuda.is_available()
    found: dict[str, Any] = {"devices": ["cpu", "cuda" if cuda else "cpu"], "steps": steps, "methods": {}}
    found |= {"first_tolerance": FIRST_TOLERANCE, "spread": SPREAD}
    dataset = split_in_memory(Dataset.open(arguments.scratch / "mri").unsplit(), labeled=60, test=20, validation=0)
    # For a look: views are drawn for all alike, and one of them mixes pairs, too.
    for method in ("supervised", "mixmatch") if arguments.tiny else TRAINING_METHODS:
        cpu, gpu = (np.array(first_losses(dataset, method, device, steps)) for device in found["devices"])
        moved = np.array(moved_losses(dataset, method, steps))
        difference, rounding = (np.abs(other - cpu) / np.abs(cpu) for other in (gpu, moved))
        equal = bool(difference[0] <= FIRST_TOLERANCE and difference.max() <= SPREAD * max(rounding.max(), ROUNDING))
        numbers = {"equal": equal, "first": float(difference[0]), "largest": float(difference.max())}
        numbers |= {"largest_by_rounding": float(rounding.max())}
        numbers |= {"cpu": cpu.tolist(), "gpu": gpu.tolist()}
        found["methods"][method] = numbers | ({"waits": waits(dataset, method, 10)} if cuda else {})
        write_json(arguments.out, found)
    if not all(numbers["equal"] for numbers in found["methods"].values()):
        raise SystemExit("some method's losses on the GPU are not those of the CPU")


if __name__ == "__main__":
    main()
