"""Encoders that learn from unlabeled scans first, and what labels are worth on their features.

    python -m benchmarks.gpu.encoders SCRATCH OUT.json [--tiny] [--only NAME ...] [--draws N]

Each learns without labels from all of README's scans but the test set, and what is held together with that. On its features at
224 px `probe` and `propagation` are scored as by `benchmarks.propagation`: README's test set stays closed. The scans that are
scored are among those that it learned from, as they are for whoever labels a part of a pile and wants the rest labeled. The
weights of its run come into OUT.NAME.safetensors, for `encoder.weights=FILE`. Two encoders learn at once, since one leaves a
large GPU idle at times; the processor scores them meanwhile.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command_line import gpu_part_parser
from benchmarks.gpu.adaptation import IMAGENET, learnable
from benchmarks.gpu.adaptation import TINY as TINY_CHANGES
from benchmarks.gpu.datasets import readme_split
from benchmarks.gpu.trainings import one_thread
from benchmarks.in_memory import trained
from benchmarks.propagation import lines_of
from benchmarks.suggest import features_of, pile_of
from fewscan.atomic import write_json
from fewscan.folders import MODEL_FILE
from fewscan.models.efficientnet_lite import EfficientNetLite0Middle
from fewscan.processes import processes
from fewscan.training.finetune_recipe import FinetuneRecipe
from fewscan.training.recipes import DEFAULT_RECIPE

DATASET = "mri224"
DRAWN, SUGGESTED = (40, 124, 320, 988), (40, 124, 320)
DRAWS = 3
SIDE_BY_SIDE = 2
MIDDLE = EfficientNetLite0Middle.name


@dataclass(frozen=True)
class Candidate:
    """An encoder, what it begins with, and how it learns without labels; without a method it stays as it is."""

    name: str
    method: str | None
    weights: str | None = IMAGENET
    encoder: str = MIDDLE
    input_px: int | None = None  # while it learns; its features are of the scans as they are
    changes: dict[str, Any] = field(default_factory=dict)


def learned(name: str, method: str, input_px: int, images: int, **more: Any) -> Candidate:
    weights = more.pop("weights", IMAGENET)
    return Candidate(name, method, weights, input_px=input_px, changes={"training_images": images, **more})


CANDIDATES = (
    Candidate("imagenet", None),
    learned("simclr", "simclr", 192, 120_000),
    learned("simclr_long", "simclr", 160, 480_000),
    learned("simclr_groups", "simclr", 160, 240_000, positives="groups"),
    learned("vicreg", "vicreg", 160, 240_000),
    learned("scratch", "simclr", 128, 480_000, weights=None),
)
# For a test: no weights from elsewhere, and few passes.
TINY = (Candidate("random", None, None), learned("tiny", "simclr", 16, 0, weights=None))
TINY_PROPAGATION = {"steps": 5}


def learn(scratch: Path, candidate: Candidate, tiny: bool) -> Path:
    """Train a candidate without labels; return its run's folder."""
    assert candidate.method is not None
    changes = TINY_CHANGES if tiny else candidate.changes
    encoder = {"name": candidate.encoder, "weights": candidate.weights, "input_px": candidate.input_px}
    folder = scratch / f"encoder-{candidate.name}"
    recipe = DEFAULT_RECIPE if tiny else FinetuneRecipe.name
    dataset = learnable(scratch, DATASET, tiny=tiny)
    trained(dataset, folder, method=candidate.method, recipe=recipe, encoder=encoder, **changes, probe_images=0)
    return folder


def score(scratch: Path, name: str, draw: int, tiny: bool) -> list[dict[str, Any]]:
    """Return a line for each budget of labels of a draw: what `probe` and `propagation` call right."""
    pile = pile_of(readme_split(scratch, DATASET, tiny=tiny), np.load(scratch / f"{name}.npy"), "rest", draw)
    drawn, suggested, changes = ((20,), (), TINY_PROPAGATION) if tiny else (DRAWN, SUGGESTED, {})
    return [{"name": name} | line for line in lines_of(pile, draw, drawn, suggested, changes)]


def scored(candidates: Sequence[Candidate], scratch: Path, out: Path, draws: int, *, tiny: bool) -> Iterator[dict[str, Any]]:
    """Yield a line for each candidate, draw and budget, as it is there."""
    dataset = readme_split(scratch, DATASET, tiny=tiny)
    context = processes(__name__)
    cores = max(1, (os.cpu_count() or 1) - SIDE_BY_SIDE - 1)
    with (
        # A process that ends gives the GPU's memory back.
        ProcessPoolExecutor(SIDE_BY_SIDE, context, one_thread, max_tasks_per_child=1) as learners,
        ProcessPoolExecutor(1 if tiny else cores, context, one_thread) as scorers,
    ):
        learning: dict[Future[Any], Candidate] = {
            learners.submit(learn, scratch, each, tiny): each for each in candidates if each.method is not None
        }
        scoring: set[Future[Any]] = set()

        def score_all(candidate: Candidate, run: Path | None) -> None:
            encoder = candidate.encoder if run is None else str(run)
            changes = {"weights": candidate.weights} if run is None else {"input_px": None}
            np.save(scratch / f"{candidate.name}.npy", features_of(dataset, encoder, device="auto", **changes))
            if run is not None:
                shutil.copy(run / MODEL_FILE, out.with_suffix(f".{candidate.name}.safetensors"))
            scoring.update(scorers.submit(score, scratch, candidate.name, draw, tiny) for draw in range(draws))

        for each in candidates:
            if each.method is None:
                score_all(each, None)
        while learning or scoring:
            done, _ = wait([*learning, *scoring], return_when=FIRST_COMPLETED)
            for future in done:
                if future in scoring:
                    scoring.discard(future)
                    yield from future.result()
                else:
                    score_all(learning.pop(future), future.result())


def main(words: Sequence[str] | None = None) -> None:
    parser = gpu_part_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=[candidate.name for candidate in CANDIDATES])
    parser.add_argument("--draws", type=int, default=DRAWS)
    arguments = parser.parse_args(words)
    wanted = tuple(each for each in CANDIDATES if arguments.only is None or each.name in arguments.only)
    candidates, draws = (TINY, 1) if arguments.tiny else (wanted, arguments.draws)
    found: dict[str, Any] = {"candidates": [asdict(each) for each in candidates], "lines": []}
    for line in scored(candidates, arguments.scratch, arguments.out, draws, tiny=arguments.tiny):
        found["lines"].append(line)
        print(line, flush=True)
        write_json(arguments.out, found)


if __name__ == "__main__":
    main()
