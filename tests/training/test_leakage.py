from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from fewscan.auditing.leaks import regrouped_sentence
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.training.leakage import check_leakage, doubt, leaking_now
from fewscan.training.run import Run
from fewscan.training.train import train_new
from tests.made import pairs_table, remade


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


def with_pair(dataset: Snapshot, row: int, other: int) -> Snapshot:
    """The dataset in the folder, after an audit that has found one pair more."""
    now = Dataset.open(dataset.folder)
    assert now.description.audit is not None
    low, high = sorted((int(row), int(other)))
    return now.with_pairs(pd.concat([now.pairs, pairs_table([(low, high, "near", 0.9)])]), now.description.audit).snapshot()


def test_an_audit_since_training_counts(split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> None:
    run = untrained_run(split_dataset)
    seen = run.open_dataset()
    assert (leaking_now(run, seen), doubt(run, seen)) == (0, None)
    with_pair(split_dataset, split_dataset.rows("labeled")[0], split_dataset.rows("test")[0])
    assert leaking_now(run, seen) == 1
    assert "leaks" in (doubt(run, seen) or "")


@pytest.mark.parametrize(("redrawn", "leaking"), [(False, 0), (True, 1)])
def test_what_only_a_scan_ties_that_the_split_leaves_out_for_it_is_no_leak_while_the_split_is_there(
    redrawn: bool, leaking: int, split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    labeled, test, between = (int(split_dataset.rows(part)[0]) for part in ("labeled", "test", "unlabeled"))
    # As a scan that came later, or could not be used when the split was drawn, and is a copy of both.
    dataset = Dataset.open(split_dataset.folder)
    drawn = dataset.split("main")
    roles = drawn.roles.copy()
    roles[between] = "open"
    dataset = dataset.with_split(drawn._replace(roles=roles))
    run = untrained_run(dataset.snapshot())
    with_pair(split_dataset, labeled, between)
    now = with_pair(split_dataset, between, test)
    assert now.require_split().tying_left_out == 1
    if redrawn:
        other = drawn.description.model_copy(update={"drawn_fingerprint": "another"})
        Dataset.open(split_dataset.folder).with_split(drawn._replace(description=other, roles=roles))
    assert leaking_now(run, run.open_dataset()) == leaking
    assert (doubt(run, run.open_dataset()) is None) == (not leaking)


def test_a_split_that_was_drawn_by_other_groups_is_called_so_where_it_does_not_leak(split_dataset: Snapshot) -> None:
    assert regrouped_sentence(split_dataset) is None
    first, second = split_dataset.rows("labeled")[:2]
    assert "groups have changed" in (regrouped_sentence(with_pair(split_dataset, first, second)) or "")
    # That one is refused by training, and named by the audit.
    assert regrouped_sentence(with_pair(split_dataset, first, split_dataset.rows("test")[0])) is None


def test_where_nobody_has_looked_for_copies_it_is_not_known_whether_a_split_leaks(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    unaudited = remade(split_dataset, audited=False)
    assert check_leakage(unaudited, run.settings) is None
    changed = replace(run, record=run.record.model_copy(update={"leaking_pairs": None}))
    assert leaking_now(changed, unaudited) is None


def test_leaks_of_the_split_and_of_the_weights_and_a_run_that_stands_there_are_refused_together(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    standing = untrained_run(split_dataset)
    leaking = with_pair(split_dataset, split_dataset.rows("labeled")[0], split_dataset.rows("test")[0])
    taught = replace(leaking, manifest=leaking.manifest.assign(taught_before=True))
    with pytest.raises(FewscanError) as refused:
        train_new(taught, standing.settings, standing.folder)
    for words in (str(standing.folder), "weights", "pair"):
        assert words in str(refused.value)
