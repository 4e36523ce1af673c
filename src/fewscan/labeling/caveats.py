"""What is to be known of labels as a whole, beside the promise: of which scans it is not, and how many may be wrong."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.shift import Shift
from fewscan.labeling.asked import Asked
from fewscan.labeling.decisions import BATCHES, wrong_at_most
from fewscan.labeling.rule import DecisionRule
from fewscan.learning.registry import method_type
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.wording import HOST, advised, command_line, counted


def learned_from(run: Run, dataset: Snapshot) -> Iterator[str]:
    """Yield what is to be known of the dataset's own scans where no label was held out as these were learned from."""
    helps = ""
    if method_type(run.settings.method.name).uses_unlabeled:
        called = called_with(run.folder, Path(run.record.dataset), dataset.folder)
        how = advised(f"'{command_line('calibrate', *called, '--pile')}' holds", f"{HOST} can hold")
        helps = f"; {how} labels out so that there is a promise for these, too"
    yield (
        "the run has learned from these scans, though without labels, so it may be more confident on them than on new ones: "
        f"the promise is for new scans{helps}"
    )


def of_none(rule: DecisionRule, marks: Counter[tuple[str | None, ...]]) -> Iterator[str]:
    """Yield what is to be known where scans were accepted and the promise is about none of them.

    marks: how many scans there are of each decision, and of how the run has seen them.
    """
    yield (
        "nothing is promised of these labels: the run has already seen all scans that are accepted, or others of their "
        "patients (column 'seen'), and the promise is about new scans of new patients"
    )
    # Which classes new scans may have is promised all the same.
    yield from rule.reasons[rule.about_threshold :] if marks["review", None] else ()


def of_batch(rule: DecisionRule, asked: Asked, accepted: int) -> Iterator[str]:
    """Yield what is to be known of the scans that were labeled, where any were accepted."""
    if rule.threshold is not None and accepted:
        wrong = wrong_at_most(accepted, asked.target_error)
        yield (
            f"if the long-run error is {asked.target_error:g}, up to {wrong:,} labels are wrong in {100 * BATCHES:g} % of "
            f"batches of {counted(accepted, 'accepted scan')}, all of different patients"
        )


def others(shifted: Shift | None, accepted: int) -> tuple[str, ...]:
    """Return what is to be known where the scans as a whole look different."""
    return (shifted.sentence(accepted),) if shifted is not None and shifted.noticed else ()
