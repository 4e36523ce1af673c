"""The report of a run that learned without labels shows the numbers that its log holds, and no others."""

from collections.abc import Callable

from fewscan.datasets.learnable import without_labels
from fewscan.datasets.snapshot import Snapshot
from fewscan.reporting.features_page import _numbers
from fewscan.training.run import Run


def test_only_numbers_of_the_log_are_shown_the_first_beside_the_last(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(without_labels(split_dataset))
    assert _numbers(run) == []
    run.log({"epoch": 1, "loss": 4.0, "alignment": 3.5})
    run.log({"epoch": 2, "loss": 2.0, "alignment": 1.5})
    shown = {name: (first, last) for name, first, last, _ in _numbers(run)}
    assert shown.keys() == {"loss", "alignment"}
    assert [each.rstrip("0").rstrip(".") for each in shown["alignment"]] == ["3.5", "1.5"]
