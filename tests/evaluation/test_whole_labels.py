"""A split, a training and a score say how many of their labels were given for a whole study, say, and not for each image."""

from collections.abc import Callable

import numpy as np

from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.whole_labels import WholeLabels, whole_labels
from fewscan.evaluation.evaluate import Evaluation, evaluate
from fewscan.evaluation.score_warnings import score_warnings
from fewscan.splits.class_gaps import gap_warnings
from fewscan.training.run import METRICS_FILE, Run
from tests.made import remade


def with_wholes(dataset: Snapshot, **wholes: np.ndarray) -> Snapshot:
    """The dataset with labels of these rows given for these wholes."""
    manifest = dataset.manifest.copy()
    for whole, rows in wholes.items():
        manifest.loc[rows, "label_from"] = f"table.csv (whole {whole})"
    return remade(dataset, manifest)


def test_labels_of_wholes_are_counted_by_what_they_were_given_for(split_dataset: Snapshot) -> None:
    rows = split_dataset.rows("test")
    dataset = with_wholes(split_dataset, study=rows[:5], patient=rows[5:7])
    assert whole_labels(dataset, rows) == WholeLabels(given=7, labels=len(rows), kinds=("study", "patient"))
    assert whole_labels(dataset, dataset.rows("labeled")).given == 0


def test_split_and_training_warn_of_them_and_of_nothing_where_there_are_none(split_dataset: Snapshot) -> None:
    before = gap_warnings(split_dataset)
    count = len(split_dataset.rows("labeled", "validation", "test"))
    dataset = with_wholes(split_dataset, study=split_dataset.rows("labeled"))
    (warning,) = set(gap_warnings(dataset)) - set(before)
    assert warning.startswith(f"{len(dataset.rows('labeled'))} of {count} labels were given for a whole study")


def test_a_score_keeps_and_says_of_how_many_of_its_images_that_is_so(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    dataset = with_wholes(split_dataset, study=split_dataset.rows("test")[:9])
    run = untrained_run(dataset)
    (run.folder / METRICS_FILE).write_text('{"epoch": 1}\n')
    made = evaluate(run, dataset)
    kept = Evaluation.load(run)
    assert kept is not None
    assert kept.whole_labels == made.whole_labels == WholeLabels(given=9, labels=made.images, kinds=("study",))
    said = [warning for warning in score_warnings(kept) if "whole study" in warning]
    assert [warning.startswith(f"9 of {made.images} ") for warning in said] == [True]
    without = kept.model_dump() | {"whole_labels": WholeLabels()}
    assert score_warnings(Evaluation.model_validate(without)) == [
        warning for warning in score_warnings(kept) if warning not in said
    ]
