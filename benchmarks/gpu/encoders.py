"""Encoders that learn from unlabeled scans first, and what labels are worth on their features.

    python -m benchmarks.gpu.encoders SCRATCH OUT.json [--tiny] [--only NAME ...] [--draws N]

Each learns without labels from all of README's scans but the test set, and what is held together with that. On its features at
224 px `probe` and `propagation` are scored as by `benchmarks.propagation`: README's test set stays closed. The scans that are
scored are among those that it learned from, as they are for whoever labels a part of a pile and wants the rest labeled. Its
weights come into OUT.NAME.safetensors, for `encoder.weights=FILE`. Two encoders learn at once, since one leaves a large GPU
idle at times; the processor scores them meanwhile.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.command_line import gpu_part_parser
from benchmarks.encoder_stages import drawn
from benchmarks.gpu.adaptation import IMAGENET
from benchmarks.gpu.datasets import readme_split
from benchmarks.gpu.trainings import one_thread
from benchmarks.in_memory import trained
from benchmarks.propagation import scores_of
from benchmarks.suggest import asked, pile_of
from benchmarks.suggest_ways import SHIPPED
from fewscan.atomic import write_json
from fewscan.datasets.learnable import without_labels, without_test_groups
from fewscan.models.efficientnet_lite import EfficientNetLite0Middle
from fewscan.models.encoder import Encoder
from fewscan.training.continuing import asked_encoder, ready_encoder
from fewscan.training.features import VIEWS, features_of
from fewscan.training.recipes import DEFAULT_RECIPE

DATASET = "mri224"
DRAWN, SUGGESTED = (40, 124, 320, 988), (40, 124, 320)
DRAWS = 3
SIDE_BY_SIDE = 2
BATCH = 256
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


def learn(scratch: Path, candidate: Candidate, tiny: bool) -> str:
    """Train a candidate without labels; return its run's folder."""
    assert candidate.method is not None
    dataset = without_labels(without_test_groups(readme_split(scratch, DATASET, tiny=tiny))[0])
    changes = {"epochs": 1, "batch_size": 16} if tiny else candidate.changes
    encoder = {"name": candidate.encoder, "weights": candidate.weights, "input_px": candidate.input_px}
    folder = scratch / f"encoder-{candidate.name}"
    recipe = DEFAULT_RECIPE if tiny else "finetune"
    trained(dataset, folder, method=candidate.method, recipe=recipe, encoder=encoder, **changes, probe_images=0)
    return str(folder)


def ready(candidate: Candidate, scratch: Path, run: str | None, tiny: bool) -> Encoder:
    """Return the encoder of a candidate for scans as they are, with its weights."""
    spec = readme_split(scratch, DATASET, tiny=tiny).spec
    if run is None:
        return ready_encoder(asked_encoder(candidate.encoder, weights=candidate.weights), spec).encoder
    return ready_encoder(asked_encoder(run, input_px=None), spec).encoder


@torch.inference_mode()
def embedded(encoder: Encoder, pixels: Any) -> np.ndarray:
    """Return (N, V, D): its features of all scans and their mirror images."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder.to(device)
    parts = []
    for start in range(0, len(pixels), BATCH):
        images = torch.from_numpy(np.array(pixels[start : start + BATCH])).to(device)
        parts.append(features_of(encoder, images, VIEWS).cpu().numpy())
    return np.concatenate(parts)


def score(scratch: Path, name: str, draw: int, tiny: bool) -> list[dict[str, Any]]:
    """Return a line for each budget of labels of a draw: what `probe` and `propagation` call right."""
    dataset = readme_split(scratch, DATASET, tiny=tiny)
    pile = pile_of(dataset, np.load(scratch / f"{name}.npy"), "rest", draw)
    order = drawn(dataset, pile.rows, draw)
    budgets = [("drawn", order[:count]) for count in ((20,) if tiny else DRAWN)]
    suggested = asked(pile, SHIPPED["auto"], draw, () if tiny else SUGGESTED)
    lines = []
    for way, rows in [*budgets, *(("suggested", rows) for rows in suggested)]:
        known = {"name": name, "labels_are": way, "draw": draw, "labels": len(rows), "scored": len(pile.scored)}
        lines.append(known | scores_of(pile, rows, draw, {}))
    return lines


def scored(candidates: Sequence[Candidate], scratch: Path, out: Path, draws: int, *, tiny: bool) -> Iterator[dict[str, Any]]:
    """Yield a line for each candidate, draw and budget, as it is there."""
    images = readme_split(scratch, DATASET, tiny=tiny).pixels
    context = get_context("spawn")
    cores = max(1, (os.cpu_count() or 1) - SIDE_BY_SIDE - 1)
    with (
        ProcessPoolExecutor(SIDE_BY_SIDE, context, one_thread) as learners,
        ProcessPoolExecutor(1 if tiny else cores, context, one_thread) as scorers,
    ):
        learning: dict[Future[Any], Candidate] = {
            learners.submit(learn, scratch, each, tiny): each for each in candidates if each.method is not None
        }
        scoring: set[Future[Any]] = set()

        def score_all(candidate: Candidate, run: str | None) -> None:
            encoder = ready(candidate, scratch, run, tiny)
            np.save(scratch / f"{candidate.name}.npy", embedded(encoder, images))
            if run is not None:
                weights = {key: value.cpu() for key, value in encoder.state_dict().items()}
                save_file(weights, out.with_suffix(f".{candidate.name}.safetensors"))
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
