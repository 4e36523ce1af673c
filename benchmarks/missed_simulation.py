"""Are few scans of a class accepted as another one, where a user limits that? A part of decisions_simulation."""

import numpy as np

from benchmarks.decided import POOL, Images, Random, counted
from fewscan.labeling.decisions import acceptance_threshold, missed_limit
from fewscan.splits.support import TARGET_ERROR

TUMORS = 0.05  # of the scans to label


def screened(random: Random, images: int, tumors: float) -> tuple[Images, np.ndarray]:
    """Scans of which few are tumors, and which those are: of tumors one in five is wrong however sure the network is."""
    is_tumor = random.random(images) < tumors
    doubts = np.where(is_tumor, 0.7 * random.beta(0.8, 1.6, images), 0.6 * random.beta(0.4, 4, images))
    wrong = np.where(is_tumor, 0.2 + 0.8 * doubts, doubts)
    return Images(1 - doubts, random.random(images) > wrong, np.ones(images)), is_tumor


def missed(random: Random, draws: int) -> list[dict[str, object]]:
    """Tumors that are accepted as another class: without a limit, with one, and with one from a collection rich in tumors."""
    pool, is_tumor = screened(random, POOL, TUMORS)
    tumors, wrong = pool.scores[is_tumor], ~pool.correct[is_tumor]
    lines = []
    for images, collected, share in ((1235, 0, 0.1), (1235, 0, 0.2), (400, 100, 0.1), (1235, 200, 0.1), (1235, 200, 0.05)):
        for limited in (False, True):
            errors: list[float | None] = []
            shares = []
            for _ in range(draws):
                held_out, found = screened(random, images, TUMORS)
                own = screened(random, collected, 1)[0] if collected else held_out
                of_class = np.ones(collected, bool) if collected else found
                limit = missed_limit(own.scores[of_class], ~own.correct[of_class], share) if limited else -np.inf
                threshold = None
                if limit is not None:
                    threshold = acceptance_threshold(held_out.scores, held_out.correct, TARGET_ERROR, above=limit)
                errors.append(None if threshold is None else pool.error(threshold))
                shares.append(0.0 if threshold is None else float((wrong & (tumors >= threshold)).mean()))
            case = f"{'limit' if limited else 'no limit'}, {share:g} of tumors may be missed, tumors held out: "
            line: dict[str, object] = {"about": "missed", "case": f"{case}{collected or 'one in 20'}", "images": images}
            line |= {"target_error": TARGET_ERROR} | counted(errors, TARGET_ERROR, random)
            above = 100 * (np.array(shares) > share).mean()
            lines.append(line | {"missed": 100 * np.mean(shares), "missed_above_share": above})
    return lines
