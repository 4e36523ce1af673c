"""Comparisons with several budgets of labels: what they share, what is trained, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.comparison.budgets import (
    begin_budgets,
    budget_folder,
    collect_budgets,
    distinct_budgets,
    open_budgets,
    require_nested,
)
from fewscan.comparison.plan import Comparison, Plan
from fewscan.comparison.planning import make_plan
from fewscan.comparison.trials import run_trials
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.split import split
from tests.made import remade

MakeDataset = Callable[..., Snapshot]
TINY: dict[str, Any] = {"epochs": 1, "batch_size": 20, "encoder": {"name": "study_cnn", "dense_units": 16}}


def plans(dataset: Snapshot, *budgets: int, **changes: Any) -> list[Plan]:
    asked: dict[str, Any] = {
        "methods": ["supervised", "joint"],
        "seeds": [0],
        "protocols": ["leakfree"],
        "recipe": "study",
        "changes": TINY,
        "test": 24,
        "validation": 0.25,
    }
    return [make_plan(dataset, labeled=labels, **(asked | changes)) for labels in budgets]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@given(
    largest=st.sampled_from([1, 2, 6, 15]),
    seed=st.integers(0, 3),
    one_class=st.booleans(),
    budgets=st.sets(st.integers(8, 40), min_size=2, max_size=3),
)
@pytest.mark.slow
@settings(max_examples=6, deadline=None)
def test_budgets_share_the_test_set_and_lie_within_one_another(
    make_dataset: MakeDataset, largest: int, seed: int, one_class: bool, budgets: set[int]
) -> None:
    """Groups of any size, of one class as copies are, or of several as patients are."""
    sizes = np.random.default_rng(seed).integers(1, largest + 1, size=120)
    numbers = np.repeat(np.arange(120), sizes)[:120]
    groups = [int(4 * numbers[row // 4] + row % 4) if one_class else int(numbers[row]) for row in range(120)]
    dataset = make_dataset(120, groups=groups, copies=range(120))
    begun = begin_budgets(
        dataset.folder.with_name(f"{dataset.folder.name}-budgets"),
        # Of a few labels that lie in groups, whole groups for validation cannot be had.
        plans(dataset, *budgets, protocols=["study", "leakfree"], validation=0.25 if largest == 1 else 0.0),
    )
    assert [comparison.plan.split.labeled for comparison in begun] == list(budgets)
    for protocol in ("study", "leakfree"):
        drawn = {comparison.plan.split.labeled: comparison.dataset(protocol) for comparison in begun}
        tested = [set(each.rows("test")) for each in drawn.values()]
        assert all(rows == tested[0] for rows in tested)
        assert len(tested[0]) == 24
        granted = {labels: set(each.rows("labeled", "validation")) for labels, each in drawn.items()}
        assert {labels: len(rows) for labels, rows in granted.items()} == {labels: labels for labels in budgets}
        for smaller, larger in zip(sorted(budgets), sorted(budgets)[1:], strict=False):
            assert granted[smaller] < granted[larger]


@pytest.mark.slow  # seven trainings
def test_the_same_budgets_go_on_and_others_may_be_added(split_dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "efficiency"
    larger, smaller = begin_budgets(out, plans(split_dataset, 32, 16))
    assert run_trials(larger) == {}  # stopped before the smaller budget
    before = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    assert len(before) == 2
    assert len(collect_budgets(out).point(16, "leakfree", "joint").row.runs) == 0

    for comparison in begin_budgets(out, plans(split_dataset, 32, 16, 8)):
        assert run_trials(comparison) == {}
    assert smaller.folder == budget_folder(out, 16)
    efficiency = collect_budgets(out)
    assert efficiency.budgets == (32, 16, 8)
    assert efficiency.methods == ("supervised", "joint")
    assert [len(point.row.runs) for point in efficiency.points] == [1] * 6
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert all(len(log.read_text().splitlines()) == 1 for log in out.rglob("test_openings.jsonl"))
    # A budget that is not named again keeps what it was planned with.
    begin_budgets(out, plans(split_dataset, 8, protocols=["study", "leakfree"], seeds=[1]))
    assert {labels: comparison.plan.seeds for labels, comparison in open_budgets(out).items()} == {
        32: (0,),
        16: (0,),
        8: (0, 1),
    }
    efficiency = collect_budgets(out)
    assert efficiency.protocols == ("leakfree", "study")
    assert efficiency.point(32, "study", "joint").row.runs == ()


@pytest.mark.slow
def test_differences_are_those_of_the_budgets_own_comparison(split_dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "efficiency"
    for comparison in begin_budgets(out, plans(split_dataset, 16, 8)):
        assert run_trials(comparison) == {}
    efficiency = collect_budgets(out)
    for labels in (16, 8):
        point = efficiency.point(labels, "leakfree", "joint")
        assert point.against_baseline is not None
        assert point.against_baseline == efficiency.results[labels].pair("leakfree", "joint", "supervised")
        baseline = efficiency.point(labels, "leakfree", "supervised")
        assert baseline.against_baseline is None
        (accuracy, of_baseline) = (each.row.cell("accuracy").mean for each in (point, baseline))
        assert accuracy is not None
        assert of_baseline is not None
        assert point.against_baseline.difference == pytest.approx(accuracy - of_baseline)
        (run,) = point.row.runs
        assert point.row.training_minutes == pytest.approx(sum(epoch["seconds"] for epoch in run.run.metrics()) / 60)
        assert point.numbers()["auroc_percent_mean"] == 100 * (run.evaluation.auroc.value or 0)


@pytest.mark.slow
def test_a_budget_that_cannot_be_given_leaves_nothing_behind(split_dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "new" / "efficiency"
    with pytest.raises(FewscanError, match="100 labeled and 24 test images"):
        begin_budgets(out, plans(split_dataset, 16, 100))
    assert not out.parent.exists()

    begin_budgets(out, plans(split_dataset, 16))
    before = content(out)
    with pytest.raises(FewscanError, match="100 labeled and 24 test images"):
        begin_budgets(out, plans(split_dataset, 16, 8, 100, protocols=["study", "leakfree"], seeds=[0, 1]))
    assert content(out) == before


def test_budgets_made_in_another_way_are_refused(split_dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "efficiency"
    begin_budgets(out, plans(split_dataset, 16))
    before = content(out)
    for changes in ({"recipe": "fewscan"}, {"test": 20}, {"validation": 0.0}, {"changes": TINY | {"epochs": 2}}):
        with pytest.raises(FewscanError, match=r"labels-16 .*: choose another --out") as refused:
            begin_budgets(out, plans(split_dataset, 8, **changes))
        assert "seed=" not in str(refused.value)  # what is the same is not said
    assert content(out) == before


def test_a_folder_with_something_else_is_refused(split_dataset: Snapshot, tmp_path: Path) -> None:
    Comparison.begin(tmp_path / "ordinary", plans(split_dataset, 16)[0])
    (tmp_path / "taken").mkdir()
    for name in ("ordinary", "taken"):
        with pytest.raises(FewscanError, match="is not a comparison"):
            begin_budgets(tmp_path / name, plans(split_dataset, 16))
    (tmp_path / "odd" / "labels-16").mkdir(parents=True)
    with pytest.raises(FewscanError, match="not a comparison"):
        begin_budgets(tmp_path / "odd", plans(split_dataset, 16))


@pytest.mark.slow
def test_a_budget_added_after_another_audit_is_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset()
    out = tmp_path / "efficiency"
    begin_budgets(out, plans(dataset, 16))
    begun = open_budgets(out)[16]
    tested = begun.dataset("leakfree").rows("test")
    other_class = np.flatnonzero((dataset.labels != dataset.labels[tested[0]]) & ~np.isin(np.arange(80), tested))
    copies = np.arange(80)
    copies[[tested[0], other_class[0]]] = 200
    remade(dataset, dataset.manifest.assign(group=copies, copy_set=copies, conflict=copies == 200))
    with pytest.raises(FewscanError, match="under leakfree, the budgets of 16 and 8 labels have different test images"):
        begin_budgets(out, plans(dataset, 8))
    assert list(open_budgets(out)) == [16]
    # What was begun goes on with the split that it has.
    begin_budgets(out, plans(dataset, 16, seeds=[0, 1]))
    assert np.array_equal(open_budgets(out)[16].dataset("leakfree").rows("test"), tested)


def test_labels_outside_a_larger_budget_are_refused(make_dataset: MakeDataset) -> None:
    larger = split(make_dataset(), labeled=16, test=24, validation=0.25)
    parts = larger.manifest["split"].copy()
    kept, outside = larger.rows("labeled")[:6], larger.rows("unlabeled")[:2]
    parts[np.setdiff1d(larger.rows("labeled", "validation"), kept)] = "unlabeled"
    smaller = replace(larger, manifest=larger.manifest.assign(split=parts))
    require_nested("leakfree", {6: smaller, 16: larger})
    parts[outside] = "validation"
    smaller = replace(larger, manifest=larger.manifest.assign(split=parts))
    with pytest.raises(FewscanError, match="under leakfree, 2 of the 8 labels are not among the 16"):
        require_nested("leakfree", {8: smaller, 16: larger})


def test_budgets_are_positive_and_each_counts_once() -> None:
    assert distinct_budgets([124, 1235, 124, 40]) == [124, 1235, 40]
    for wrong in ([], [40, 0], [-1]):
        with pytest.raises(FewscanError, match="positive whole numbers"):
            distinct_budgets(wrong)
