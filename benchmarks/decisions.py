"""Does labeling keep its promise on the sealed test set, and does it notice what is no scan?

    python -m benchmarks.decisions DATASET --out FOLDER [--folds 5] [--pictures FOLDER] [--seeds 0 1 2 3 4] [--csv FILE]

DATASET is an audited dataset. Every seed draws its own leak-free split of it and trains the default method on it. What the rule
learned from held-out images then decides on the test set, which is opened once a call, and on the dataset's own unlabeled
scans, whose labels are known here. No run is chosen among others. FOLDER is kept: the same command goes on, and with --folds
it holds out all labels in turn, where without it the validation set is held out.

A hundred photographs of anything are drawn from the files in --pictures; without it there are none. Noise (50) and text pages
(50) are drawn here.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

import fewscan
from benchmarks.in_memory import split_in_memory, trained
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.evaluate import evaluate
from fewscan.evaluation.intervals import Interval
from fewscan.images.readers import fit, read_image
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.rule import DecisionRule
from fewscan.training.run import Run

PHOTOGRAPHS = 100
DRAWN = 50
NOISE_SIDE = 256
TEXT = """the patient was seen again and all findings of the scan were read with care no change since the last report slice
contrast series value image normal left right follow up in six weeks signed by"""


def photographs(folder: Path, random: np.random.Generator) -> list[np.ndarray]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    drawn = random.permutation(len(files))[:PHOTOGRAPHS]
    return [read_image(files[number]).pixels for number in drawn]


def noise(random: np.random.Generator) -> list[np.ndarray]:
    """White and Gaussian noise, clouds (1/f), salt and pepper, and single grays, ten of each."""
    side = NOISE_SIDE
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = 1
    pictures = []
    for number in range(DRAWN):
        kind = number % 5
        if kind == 0:
            values = random.integers(0, 256, (side, side)).astype(float)
        elif kind == 1:
            values = random.normal(random.uniform(40, 200), random.uniform(10, 60), (side, side))
        elif kind == 2:
            clouds = np.fft.ifft2(np.fft.fft2(random.normal(size=(side, side))) / frequency ** random.uniform(0.7, 2)).real
            values = 255 * (clouds - clouds.min()) / np.ptp(clouds)
        elif kind == 3:
            values = 255.0 * (random.random((side, side)) < random.uniform(0.02, 0.5))
        else:
            values = np.full((side, side), random.uniform(0, 255))
        pictures.append(values.clip(0, 255).astype(np.uint8))
    return pictures


def text_pages(random: np.random.Generator) -> list[np.ndarray]:
    """Pages of words, black on white and, one in five, white on black."""
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    names = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")
    pages = []
    for number in range(DRAWN):
        paper = 0 if number % 5 == 0 else 255
        page = Image.new("L", (620, int(random.integers(620, 877))), paper)
        font = ImageFont.truetype(str(fonts / names[number % 3]), int(random.integers(12, 36)))
        for top in np.arange(40, page.height - 60, 1.4 * font.size):
            line = " ".join(random.choice(TEXT.split(), int(random.integers(3, 14))))
            ImageDraw.Draw(page).text((40, top), line, fill=255 - paper, font=font)
        pages.append(np.asarray(page))
    return pages


def no_scans(run: Run, pictures: Path | None) -> dict[str, np.ndarray]:
    """Return (N, C, S, S) uint8 of each kind, as the run's dataset would hold them."""
    random = np.random.default_rng(0)
    kinds = {"noise": noise(random), "text": text_pages(random)}
    if pictures:
        kinds["photographs"] = photographs(pictures, random)
    spec = run.record.spec

    def held(picture: np.ndarray) -> np.ndarray:
        fitted = fit(picture, spec.size_px, spec.resize)
        return np.repeat(fitted, spec.channels, axis=0)

    return {kind: np.stack([held(picture) for picture in drawn]) for kind, drawn in kinds.items()}


def calibrated(dataset: Path, arguments: argparse.Namespace, seed: int) -> tuple[Run, Snapshot]:
    run = arguments.out / f"run-{seed}"
    if run.exists():
        opened: Run = fewscan.train(dataset, out=run, resume=True)
    else:
        arguments.out.mkdir(parents=True, exist_ok=True)
        sizes = {"labeled": arguments.labeled, "test": arguments.test, "validation": arguments.validation}
        opened = trained(split_in_memory(Dataset.open(dataset).unsplit(), seed=seed, **sizes), run, seed=seed)
    standing = Calibration.load(opened)
    if standing is None:
        fewscan.calibrate(opened)
        standing = Calibration.load(opened)
    if arguments.folds and (standing is None or standing.source != "cross-fitting"):
        fewscan.calibrate(opened, folds=arguments.folds)
    return opened, opened.open_dataset()


def in_percent(interval: Interval | None) -> float | None:
    return None if interval is None or interval.value is None else 100 * interval.value


def scored(run: Run, dataset: Snapshot, rule: DecisionRule) -> dict[str, object]:
    """Return what the rule makes of the test set."""
    evaluation = evaluate(run, dataset)
    rows = dataset.rows("test")
    decided = rule.decide(dataset.pixels[rows])
    labels = dataset.labels[rows]
    right = decided.probabilities.argmax(axis=1) == labels
    decisions = np.array(decided.decisions)
    accepted, odd = decisions == "accept", decisions == "out_of_distribution"
    # The table leaves the possible classes of a scan that is out of distribution empty.
    alike_rows = np.flatnonzero(~odd)
    return {
        "method": run.settings.method.name,
        "threshold": rule.threshold,
        "test": len(rows),
        "accuracy": 100 * right.mean(),
        "accepted": 100 * accepted.mean(),
        "accepted_error": 100 * (~right[accepted]).mean() if accepted.any() else None,
        "out_of_distribution": 100 * odd.mean(),
        "covered": 100 * decided.possible[alike_rows, labels[alike_rows]].mean(),
        "possible_classes": decided.possible[alike_rows].sum(axis=1).mean(),
        "temperature": evaluation.temperature,
        "ece_before": in_percent(evaluation.calibration_error_before),
        "ece_after": in_percent(evaluation.calibration_error),
    }


def of_its_own(dataset: Snapshot, rule: DecisionRule) -> dict[str, object]:
    """Return what the rule makes of the unlabeled scans that the run has learned from."""
    rows = dataset.rows("unlabeled")
    decided = rule.decide(dataset.pixels[rows], dataset.groups[rows])
    right = decided.probabilities.argmax(axis=1) == dataset.labels[rows]
    accepted = np.array(decided.decisions) == "accept"
    return {
        "own": len(rows),
        "own_accuracy": 100 * right.mean(),
        "own_accepted": 100 * accepted.mean(),
        "own_accepted_error": 100 * (~right[accepted]).mean() if accepted.any() else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--pictures", type=Path, help="a folder of photographs of anything")
    parser.add_argument("--folds", type=int, help="hold out all labels in turn, by so many trainings a run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--labeled", type=int, default=1235)
    parser.add_argument("--test", type=int, default=308)
    parser.add_argument("--validation", type=float, default=0.2)
    parser.add_argument("--target-error", type=float, default=0.05)
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--csv", type=Path, help="write a line for every seed here")
    arguments = parser.parse_args()

    lines = []
    for seed in arguments.seeds:
        run, dataset = calibrated(arguments.dataset, arguments, seed)
        grounds = Grounds.of(run, dataset)
        rule = grounds.rule(Asked(arguments.target_error, arguments.coverage, candidates=1))
        line: dict[str, object] = {"seed": seed, "labeled": arguments.labeled, "target_error": arguments.target_error}
        line |= {"held_out": grounds.source, "held_out_images": 0 if grounds.held_out is None else len(grounds.held_out.rows)}
        line |= scored(run, dataset, rule) | of_its_own(dataset, rule)
        for kind, images in no_scans(run, arguments.pictures).items():
            decisions = np.array(rule.decide(images).decisions)
            line |= {kind: len(images), f"{kind}_accepted": int((decisions == "accept").sum())}
            line[f"{kind}_out_of_distribution"] = int((decisions == "out_of_distribution").sum())
        lines.append(line)
        if arguments.csv:
            pd.DataFrame(lines).round(3).to_csv(arguments.csv, index=False)
    print(pd.DataFrame(lines).round(3).T.to_string(header=False))


if __name__ == "__main__":
    main()
