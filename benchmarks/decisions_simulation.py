"""Is what `fewscan label` says of accepted labels and possible classes true? Draws from populations that are known.

    python -m benchmarks.decisions_simulation --csv FILE [--draws 400]

Every draw takes held-out images from a population, sets the thresholds by them, and asks the population what comes of it: the
long-run error among accepted scans, and of batches of accepted ones; where patients have several scans, the same counted per
scan and per patient; of a run that was chosen among several by its held-out images; and how often the right class is possible.
Percentages are of all draws, unless a column says otherwise.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.decided import POOL, Images, Random, counted
from benchmarks.missed_simulation import missed
from fewscan.evaluation.surety import Surety
from fewscan.labeling import decisions
from fewscan.labeling.decisions import (
    acceptance_threshold,
    inclusion_thresholds,
    possible_classes,
)
from fewscan.splits.support import TARGET_ERROR


def good(random: Random, images: int) -> Images:
    """A network that is wrong in 14 % of images, and mostly knows where."""
    doubts = 0.75 * random.beta(0.5, 2.5, images)
    return Images(1 - doubts, random.random(images) > doubts + 0.01, np.ones(images))


def hopeless(random: Random, images: int) -> Images:
    """A network that is wrong in 6 % of images whatever its score: at a target of 5 % nothing should be accepted."""
    return Images(random.random(images), random.random(images) > 0.06, np.ones(images))


POPULATIONS: dict[str, Callable[[Random, int], Images]] = {"good network": good, "hopeless network": hopeless}


def patients(random: Random, number: int) -> tuple[np.ndarray, Images]:
    """Patients with 1 to 20 scans each, the more scans the harder: the patient of every scan, and the scans."""
    sizes = random.integers(1, 21, number)
    patient = np.repeat(np.arange(number), sizes)
    doubts = 0.75 * random.beta(0.5, 2.5, len(patient))
    wrong = np.minimum(0.95, doubts * (0.4 + 0.1 * sizes[patient]) + 0.01)
    return patient, Images(1 - doubts, random.random(len(patient)) > wrong, 1 / sizes[patient])


def long_run(random: Random, draws: int) -> list[dict[str, object]]:
    lines = []
    for name, population in POPULATIONS.items():
        pool = population(random, POOL)
        for images in (100, 247, 1235):
            for target in (0.05, 0.1):
                errors: list[float | None] = []
                for _ in range(draws):
                    held_out = population(random, images)
                    threshold = acceptance_threshold(held_out.scores, held_out.correct, target)
                    errors.append(None if threshold is None else pool.error(threshold))
                line: dict[str, object] = {"about": "long run", "case": name, "images": images, "target_error": target}
                lines.append(line | counted(errors, target, random))
    return lines


def counted_by_patient(random: Random, draws: int) -> list[dict[str, object]]:
    _, pool = patients(random, POOL // 10)
    scans = Images(pool.scores, pool.correct, np.ones(len(pool.scores)))
    by_patient: list[float | None] = []
    by_scan: list[float | None] = []
    for _ in range(draws):
        patient, held_out = patients(random, 1235)
        order = random.permutation(len(patient))
        one_each = order[np.unique(patient[order], return_index=True)[1]]
        threshold = acceptance_threshold(held_out.scores[one_each], held_out.correct[one_each], 0.1)
        by_patient.append(None if threshold is None else pool.error(threshold))
        by_scan.append(None if threshold is None else scans.error(threshold))
    return [
        {"about": "patients", "case": name, "images": 1235, "target_error": 0.1} | counted(errors, 0.1, random)
        for name, errors in (("counted per patient", by_patient), ("counted per scan", by_scan))
    ]


def chosen(random: Random, draws: int) -> list[dict[str, object]]:
    """Several runs that are equally good, each with calls of its own: of which the one that accepts most is taken."""
    target = 0.05
    lines = []
    for name, population in POPULATIONS.items():
        pool = population(random, POOL)
        for runs, candidates in ((5, 1), (5, 5), (20, 1), (20, 20)):
            errors: list[float | None] = []
            for _ in range(draws):
                held_out = [population(random, 247) for _ in range(runs)]
                found = [acceptance_threshold(each.scores, each.correct, target, candidates=candidates) for each in held_out]
                accepting = [threshold for threshold in found if threshold is not None]
                errors.append(pool.error(min(accepting)) if accepting else None)
            case = f"{name}, best of {runs}, taken as one of {candidates}"
            line: dict[str, object] = {"about": "chosen run", "case": case, "images": 247, "target_error": target}
            lines.append(line | counted(errors, target, random))
    return lines


def more_until_one_accepts(random: Random, draws: int) -> list[dict[str, object]]:
    """One more run until one accepts, 20 at most, each taken as one of as many as there are by then."""
    target = 0.05
    lines = []
    for name, population in POPULATIONS.items():
        pool = population(random, POOL)
        errors: list[float | None] = []
        for _ in range(draws):
            found = None
            for runs in range(1, 21):
                held_out = population(random, 247)
                found = acceptance_threshold(held_out.scores, held_out.correct, target, candidates=runs)
                if found is not None:
                    break
            errors.append(None if found is None else pool.error(found))
        line: dict[str, object] = {"about": "chosen run", "case": f"{name}, one more until one accepts", "images": 247}
        lines.append(line | {"target_error": target} | counted(errors, target, random))
    return lines


def chosen_target(random: Random, draws: int) -> list[dict[str, object]]:
    """The smallest of four targets at which anything is accepted."""
    pool, targets = good(random, POOL), (0.02, 0.05, 0.1, 0.2)
    passed = []
    for _ in range(draws):
        held_out = good(random, 247)
        found = ((target, acceptance_threshold(held_out.scores, held_out.correct, target)) for target in targets)
        target, threshold = next(((target, threshold) for target, threshold in found if threshold is not None), (1.0, 0.0))
        passed.append(pool.error(threshold) > target)
    line: dict[str, object] = {"about": "chosen target", "case": "smallest of 2, 5, 10, 20 % that accepts", "images": 247}
    return [line | {"draws": draws, "long_run_above_target": 100 * np.mean(passed)}]


def surer_network(random: Random, draws: int) -> list[dict[str, object]]:
    """Cross-fitting whose network doubts less than the five others, which themselves differ by a tenth of their doubts."""
    return _surer_network(random, draws, 0.1, (1.0, 0.8, 0.6, 0.4))


def surer_network_of_alike(random: Random, draws: int) -> list[dict[str, object]]:
    """The same where the five others hardly differ, as logistic regressions on the same features do."""
    return _surer_network(random, draws, 0.006, (0.98, 0.95, 0.9, 0.8))


def _surer_network(random: Random, draws: int, spread: float, all_doubts: tuple[float, ...]) -> list[dict[str, object]]:
    pool = good(random, POOL)
    lines = []
    for doubts in all_doubts:
        errors: list[float | None] = []
        refused: list[float | None] = []
        alarms = 0
        for _ in range(draws):
            factors = random.normal(1, spread, 5)
            final = doubts * random.normal(1, spread)
            shown = 1 - pool.scores[random.integers(0, POOL, 1000)]
            surety = Surety(
                images=len(shown),
                network=1 - final * shown.mean(),
                others=tuple(1 - factor * shown.mean() for factor in factors),
            )
            held_out = good(random, 1235)
            fold = np.arange(1235) % 5
            scores = 1 - factors[fold] * (1 - held_out.scores)
            threshold = acceptance_threshold(scores, held_out.correct, 0.05)
            # The network's scores reach the threshold where those of the pool, which doubt in full, reach this.
            error = None if threshold is None else pool.error(1 - (1 - threshold) / final)
            errors.append(error)
            refused.append(None if surety.surer else error)
            alarms += surety.surer
        for name, decided in (("", errors), (", refused where it is found surer", refused)):
            case = f"doubts of the network times {doubts:g}{'' if spread == 0.1 else f', spread {spread:g}'}{name}"
            line: dict[str, object] = {"about": "cross-fitting", "case": case}
            line |= {"images": 1235, "target_error": 0.05} | counted(decided, 0.05, random)
            lines.append(line | {"found_surer": 100 * alarms / draws})
    return lines


def classes_of(random: Random, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three classes, of which the last one is rare (5 %) and hard, and the right classes."""
    labels = random.choice(3, images, p=(0.5, 0.45, 0.05))
    logits = random.normal(0, 1, (images, 3)) + np.array([0.5, 0.5, -1.0])
    logits[np.arange(images), labels] += 1.5
    probabilities = np.exp(logits)
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32), labels


def coverage(random: Random, draws: int) -> list[dict[str, object]]:
    lines = []
    pool, truth = classes_of(random, 20_000)
    places = np.arange(len(truth))
    for per_class in (False, True):
        for runs in (1, 20):
            covered, rare, possible = [], [], []
            for _ in range(draws):
                held_out = [classes_of(random, 247) for _ in range(runs)]
                # Of several runs the one whose calls are right most often, all being equally good.
                probabilities, labels = max(held_out, key=lambda drawn: (drawn[0].argmax(axis=1) == drawn[1]).mean())
                own = probabilities[np.arange(len(labels)), labels]
                sets = possible_classes(pool, inclusion_thresholds(own, labels, 3, 0.9, per_class=per_class))
                covered.append(sets[places, truth].mean())
                rare.append(sets[places, truth][truth == 2].mean())
                possible.append(sets.sum(axis=1).mean())
            threshold = "one for each class" if per_class else "one for all classes"
            line: dict[str, object] = {"about": "possible classes", "case": f"{threshold}, best of {runs}", "images": 247}
            line |= {"draws": draws, "covered": 100 * np.mean(covered), "covered_of_rare_class": 100 * np.mean(rare)}
            lines.append(line | {"possible_classes": np.mean(possible)})
    return lines


def offered_target(random: Random, draws: int) -> list[dict[str, object]]:
    """Where nothing is accepted at the usual target, the least whole percent that accepts, which `label` then names."""
    lines = []
    for name, network in (("good network", good), ("hopeless network", hopeless)):
        pool = network(random, POOL)
        for images in (71, 247, 1235):
            passed, offered = [], 0
            for _ in range(draws):
                held_out = network(random, images)
                least = decisions.least_accepting_target(held_out.scores, held_out.correct) or 1
                offered += TARGET_ERROR < least < 1
                threshold = acceptance_threshold(held_out.scores, held_out.correct, target := max(least, TARGET_ERROR))
                passed.append(threshold is not None and pool.error(threshold) > target)
            line = {"about": "offered target", "case": name, "images": images, "target_error": TARGET_ERROR, "draws": draws}
            lines.append(line | {"offered": 100 * offered / draws, "long_run_above_target": 100 * np.mean(passed)})
    return lines


PARTS: tuple[Callable[[Random, int], list[dict[str, object]]], ...] = (
    long_run,
    counted_by_patient,
    chosen,
    more_until_one_accepts,
    chosen_target,
    surer_network,
    coverage,
    surer_network_of_alike,
    offered_target,
    missed,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--csv", type=Path, required=True, help="a line for every case; the same command goes on with it")
    arguments = parser.parse_args()
    lines: list[dict[str, object]] = pd.read_csv(arguments.csv).to_dict("records") if arguments.csv.exists() else []
    for number, part in enumerate(PARTS):
        if not any(line["simulation"] == part.__name__ for line in lines):
            found = part(np.random.default_rng(number), arguments.draws)
            lines += [{"simulation": part.__name__, **line} for line in found]
            pd.DataFrame(lines).round(2).to_csv(arguments.csv, index=False)
    print(pd.DataFrame(lines).round(2).to_string())


if __name__ == "__main__":
    main()
