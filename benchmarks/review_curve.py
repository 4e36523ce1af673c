"""What an afternoon on the review page brings: accuracy over labels, given through the page's interface to a pile without any.

    python -m benchmarks.review_curve DATASET [--draws 3] [--every 1] [--folder FOLDER] [--csv FILE] [--figure FILE.png]

DATASET is audited, keeps features of `efficientnet_lite0_middle`, and all its labels are known: to this script alone. It starts
`fewscan review` on a copy without labels and answers each scan that the page asks for with the truth, as a person would, one by
one, each time waiting until the model has learned from it. Or it waits after every fifth, --every 5,
which is sooner than the page plans anew what to ask for. README's 308 test images are in the split as a test set without
labels, so the page neither asks for them nor learns from them or from what belongs to them; after each budget their classes, as
the page's model calls them, are asked of the page. Against it: as many labels of scans drawn at random, of each group one.

seconds: what the page took to answer, and its model to learn, on this machine as busy as it was; nobody's time to look.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.review_pile import Page, Pile, pile_of, served
from benchmarks.suggest import BUDGETS, figure
from fewscan.progress import say

WHO = "the truth"
CHOICES = {"page": "asked for by the page", "random": "drawn at random"}
# What a person is taken to need to look at a scan and answer; not measured.
SECONDS_A_LABEL = 4.0


def decide(page: Page, pile: Pile, row: int) -> None:
    page.ask("/api/decisions", {"rows": [row], "state": "label", "label": pile.truth[row], "reviewer": WHO})


def next_of(page: Page) -> int:
    """Return the row that the page asks for."""
    return int(page.ask("/api/next?reviewer=the+truth")["scans"][0]["row"])


def caught_up(page: Page, pile: Pile, given: list[int]) -> None:
    """Wait until the model has learned from all labels that were given."""
    if len(set(pile.truth[given])) < 2:
        return
    while page.ask("/api/status")["model"]["labels"] != len(given):
        time.sleep(0.02)


def accuracy(page: Page, pile: Pile) -> float:
    """Return how often the page's model is right on the test images."""
    called = [page.ask(f"/api/scans/{row}?reviewer=score")["model"][0]["label"] for row in pile.test]
    return float(np.mean(np.array(called, object) == pile.truth[pile.test]))


def curve(pile: Pile, choice: str, draw: int, every: int) -> list[dict[str, Any]]:
    """Return a line for each budget."""
    random = np.random.default_rng(draw)
    drawn = random.permutation(pile.asked)
    drawn = drawn[np.sort(np.unique(pile.groups[drawn], return_index=True)[1])]  # of each group one
    lines, given, seconds = [], list[int](), 0.0
    with served(pile) as server:
        page = Page(server.port)
        while len(given) < BUDGETS[-1]:
            began = time.perf_counter()
            row = next_of(page) if choice == "page" else int(drawn[len(given)])
            decide(page, pile, row)
            given.append(row)
            if (choice == "page" and len(given) % every == 0) or len(given) in BUDGETS:
                caught_up(page, pile, given)
            seconds += time.perf_counter() - began
            if len(given) in BUDGETS:
                score = accuracy(page, pile)
                line = {
                    "choice": choice,
                    "draw": draw,
                    "waited_every": every,
                    "labels": len(given),
                    "seconds": round(seconds, 1),
                }
                lines.append(line | {"accuracy_percent": round(100 * score, 2), "load": round(os.getloadavg()[0], 1)})
                say(str(lines[-1]))
    return lines


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return labels, minutes with SECONDS_A_LABEL each, and accuracy, mean and worst draw."""
    of = table.groupby(["choice", "labels"], sort=False)
    found = of["accuracy_percent"].agg(["mean", "min"]).round(1)
    labels = found.index.get_level_values("labels")
    return found.assign(minutes=((of["seconds"].mean() + SECONDS_A_LABEL * labels) / 60).round(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first draw")
    parser.add_argument("--every", type=int, default=1, help="after how many labels the model is waited for")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/review_curve"))
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    lines: list[dict[str, Any]] = []
    for draw in range(arguments.first, arguments.first + arguments.draws):
        for choice in CHOICES:
            lines += curve(pile_of(arguments.dataset, arguments.folder, draw), choice, draw, arguments.every)
            if arguments.csv:
                pd.DataFrame(lines).to_csv(arguments.csv, index=False)
    table = pd.DataFrame(lines)
    if arguments.figure:
        figure(table.replace({"choice": CHOICES}), arguments.figure, "labels given")
    print(summary(table).to_string())


if __name__ == "__main__":
    main()
