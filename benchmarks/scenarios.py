"""What becomes of a method where data are not as they should be, beside `supervised` on the same labels and test images.

    python -m benchmarks.scenarios DATASET [--method NAME] [--only NAME ...] [--seeds 0 1 2] [--csv FILE] [KEY=VALUE ...]

DATASET is an audited dataset of several sources and three classes or more. Every scenario draws its own leak-free split of it,
without a validation set, trains both methods with every seed and opens the test set once a run:

plain            124 labels, drawn as always
twenty_labels    20 labels in all
unequal_classes  124 labels; scans of the first class are left out until it makes 5 % of all
wrong_labels     124 labels, 5 % of them wrong, in the labeled part alone
one_source       about 124 labels, all of the first source; of the other all is unlabeled; both are tested
unknown_class    124 labels of all classes but the last, whose scans are all unlabeled; it is not tested

A method falls significantly under `supervised` where the test of `compare` gives p below 5 %; with one seed that is of two
networks.
The number of scenarios is not corrected for, which makes a fall easier to find.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.command_line import parsed, training_parser
from benchmarks.in_memory import split_in_memory, trained, with_labels, with_parts
from fewscan.comparison.plan import Trial
from fewscan.comparison.results import EvaluatedRun
from fewscan.comparison.significance import seeds_p_value
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.evaluate import evaluate
from fewscan.learning.registry import DEFAULT_METHOD, TRAINING_METHODS
from fewscan.progress import say

LABELS = 124
TEST_IMAGES = 308
RARE_SHARE = 0.05
WRONG_SHARE = 0.05


def drawn(dataset: Snapshot, labels: int = LABELS) -> Snapshot:
    return split_in_memory(dataset, labeled=labels, test=TEST_IMAGES, validation=0)


def plain(dataset: Snapshot) -> Snapshot:
    return drawn(dataset)


def twenty_labels(dataset: Snapshot) -> Snapshot:
    return drawn(dataset, 20)


def unequal_classes(dataset: Snapshot) -> Snapshot:
    usable = dataset.usable
    rare = usable[dataset.labels[usable] == 0]
    kept = round((len(usable) - len(rare)) * RARE_SHARE / (1 - RARE_SHARE))
    left_out = np.random.default_rng(0).permutation(rare)[kept:]
    manifest = dataset.manifest.copy()
    manifest.loc[left_out, "set_aside"] = "left out of the scenario"
    return drawn(with_labels(dataset, manifest))


def wrong_labels(dataset: Snapshot) -> Snapshot:
    split_dataset = drawn(dataset)
    random = np.random.default_rng(0)
    labeled = split_dataset.rows("labeled")
    manifest = split_dataset.manifest.copy()
    for row in random.permutation(labeled)[: round(WRONG_SHARE * len(labeled))]:
        others = [name for name in dataset.classes if name != manifest.loc[row, "label"]]
        manifest.loc[row, "label"] = random.choice(others)
    return with_labels(split_dataset, manifest)


def one_source(dataset: Snapshot) -> Snapshot:
    first = dataset.manifest["source"] == dataset.description.sources[0].name
    share = float(first[dataset.usable].mean())
    split_dataset = drawn(dataset, round(LABELS / share))
    parts = split_dataset.manifest["split"].copy()
    parts[(parts == "labeled") & ~first] = "unlabeled"
    return with_parts(split_dataset, parts)


def unknown_class(dataset: Snapshot) -> Snapshot:
    manifest = dataset.manifest.copy()
    manifest.loc[manifest["label"] == dataset.classes[-1], "label"] = None
    return drawn(with_labels(dataset, manifest))


SCENARIOS: dict[str, Callable[[Snapshot], Snapshot]] = {
    scenario.__name__: scenario for scenario in (plain, twenty_labels, unequal_classes, wrong_labels, one_source, unknown_class)
}


def compared(dataset: Snapshot, method: str, seeds: list[int], changes: dict[str, Any], folder: Path) -> dict[str, object]:
    """Train and score `supervised` and `method` on a split dataset."""
    sizes = {part: len(dataset.rows(part)) for part in ("labeled", "unlabeled")}
    right: dict[str, list[np.ndarray]] = {}
    line: dict[str, object] = {**sizes, "test": len(dataset.rows("test")), "method": method, "seeds": len(seeds)}
    for name in ("supervised", method):
        scores = []
        for seed in seeds:
            run = trained(dataset, folder / f"{name}-{seed}", method=name, **{**changes, "seed": seed})
            evaluated = EvaluatedRun(Trial("leakfree", name, seed), run, evaluate(run, dataset))
            scores.append(evaluated.evaluation)
            right.setdefault(name, []).append(evaluated.tested()["right"].to_numpy(float))
            line[f"{name}_minutes"] = round(run.training_seconds / 60, 2)
        for score in ("accuracy", "balanced_accuracy"):
            values = [100 * getattr(each, score).value for each in scores]
            line[f"{name}_{score}"] = round(float(np.mean(values)), 2)
            line[f"{name}_{score}_sd"] = round(float(np.std(values, ddof=1)), 2) if len(values) > 1 else None
    baseline, other = (np.stack(right[name]) for name in ("supervised", method))
    p_value = seeds_p_value(other, baseline, dataset.groups[dataset.rows("test")])
    line["difference"] = round(100 * float(other.mean() - baseline.mean()), 2)
    line["p_value"] = round(p_value, 4)
    line["falls_under_supervised"] = bool(other.mean() < baseline.mean() and p_value < 0.05)
    return line


def main() -> None:
    parser = training_parser(__doc__, seeds=[0], csv_line="scenario")
    parser.add_argument("--method", choices=[name for name in TRAINING_METHODS if name != "supervised"], default=DEFAULT_METHOD)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    arguments, changes = parsed(parser)

    lines = []
    for name in arguments.only:
        say(f"scenario {name}")
        with tempfile.TemporaryDirectory() as folder:
            dataset = SCENARIOS[name](Dataset.open(arguments.dataset).unsplit())
            lines.append({"scenario": name, **compared(dataset, arguments.method, arguments.seeds, changes, Path(folder))})
            if arguments.csv:
                pd.DataFrame(lines).to_csv(arguments.csv, index=False)
    print(pd.DataFrame(lines).T.to_string(header=False))


if __name__ == "__main__":
    main()
