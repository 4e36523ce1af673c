from collections.abc import Callable
from dataclasses import replace

import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.training.leakage import doubt
from fewscan.training.run import Run


@pytest.mark.parametrize(
    ("changes", "doubted"),
    [({}, False), ({"leaking_pairs": 2}, True), ({"leaking_pairs": None}, True), ({"protocol": "study"}, True)],
)
def test_only_a_run_without_leaking_pairs_is_free_of_doubt(
    changes: dict[str, object], doubted: bool, split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    changed = replace(run, record=run.record.model_copy(update=changes))
    assert (doubt(changed, split_dataset) is not None) == doubted


def test_what_a_later_audit_joins_is_doubted_too(split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> None:
    run = untrained_run(split_dataset)
    groups = split_dataset.manifest["group"].copy()
    groups[split_dataset.rows("validation")[0]] = groups[split_dataset.rows("labeled")[0]]
    assert doubt(run, split_dataset) is None
    assert "1 pair" in (doubt(run, replace(split_dataset, manifest=split_dataset.manifest.assign(group=groups))) or "")
