"""A run is scored by today's labels on its own test set, and by what joined it since."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.today import SinceTraining, today
from fewscan.images.patients import known_patients
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.made import remade


@pytest.fixture
def waiting(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    """80 images in groups of four, of which every fourth group's last image has no label yet; all split."""
    dataset = make_dataset(groups=[row // 4 for row in range(80)])
    label = dataset.manifest["label"].astype(object).copy()
    label[3::8] = None
    manifest = dataset.manifest.assign(label=pd.array(label, dtype="str"), copy_set=range(80), patient=None)
    return split(remade(dataset, manifest), labeled=20, test=12, validation=0.2)


@pytest.fixture
def run(waiting: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> Run:
    run = untrained_run(waiting)
    run.log({"epoch": 1, "seconds": 1.0})
    return run


@pytest.mark.slow
def test_without_a_change_the_test_set_is_what_the_run_saw(run: Run, waiting: Snapshot) -> None:
    seen = run.open_dataset()
    found = today(seen, Dataset.open(waiting.folder))
    assert found.dataset is seen
    assert found.since.sentences() == []


@pytest.mark.slow
def test_corrected_withdrawn_and_new_labels_of_test_images_count(run: Run, waiting: Snapshot) -> None:
    seen, log = run.open_dataset(), Dataset.open(waiting.folder).labels
    tested = seen.rows("test")
    alone = np.setdiff1d(np.flatnonzero(np.isin(seen.groups, seen.groups[tested]) & (seen.labels < 0)), tested)
    assert len(alone), "some image waits for its label in a group that tests"
    other = (int(seen.labels[tested[0]]) + 1) % 4
    log.enter([tested[0]], [seen.classes[other]], origin="review")
    log.enter([tested[1]], [None], origin="review")
    log.enter([tested[2]], ["metastasis"], origin="review")
    log.enter([alone[0]], ["glioma"], origin="review")
    learned = seen.rows("labeled")[0]
    log.enter([learned], [seen.classes[(int(seen.labels[learned]) + 1) % 4]], origin="review")
    found = today(seen, Dataset.open(waiting.folder))
    assert found.since.model_dump() == {"relabeled": 1, "without_label": 1, "joined": 1, "unknown_class": 1}
    now = found.dataset
    assert set(now.rows("test")) == (set(tested) - {tested[1], tested[2]}) | {alone[0]}
    assert now.labels[tested[0]] == other
    for part in ("labeled", "validation", "unlabeled"):
        assert np.array_equal(now.rows(part), seen.rows(part))
    assert now.labels[learned] == seen.labels[learned]


@pytest.mark.slow
def test_a_score_follows_the_labels_and_is_told_so_on_the_page(run: Run, waiting: Snapshot, tmp_path: Path) -> None:
    before = api.evaluate(run)
    predictions = pd.read_csv(run.folder / "test_predictions.csv")
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    # Whoever takes each wrong prediction for the truth gets a perfect score: the score is by today's labels.
    Dataset.open(waiting.folder).labels.enter(wrong["row"].tolist(), wrong["predicted"].tolist(), origin="review")
    after = api.evaluate(run, overwrite=True)
    assert (before.since_training.relabeled, after.since_training.relabeled) == (0, len(wrong))
    assert after.accuracy.value == 1.0
    # The test set is the one that was looked at before, whatever its labels are.
    assert (after.test_openings, after.test_set_openings) == (2, 2)
    page = api.report(run, out=tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"{len(wrong)} images of the test set have another label" in page


@pytest.mark.slow
def test_a_report_is_about_what_was_evaluated_whatever_came_after(run: Run, waiting: Snapshot, tmp_path: Path) -> None:
    api.evaluate(run)
    rows = run.open_dataset().rows("test")
    Dataset.open(waiting.folder).labels.enter(rows.tolist(), [None] * len(rows), origin="review")
    assert api.report(run, out=tmp_path / "report.html").is_file()


@pytest.mark.slow
def test_another_split_of_the_same_name_lets_nothing_join(run: Run, waiting: Snapshot) -> None:
    seen = run.open_dataset()
    split(Dataset.open(waiting.folder).unsplit(), labeled=20, test=12, validation=0.2, seed=7)
    found = today(seen, Dataset.open(waiting.folder))
    assert np.array_equal(found.dataset.rows("test"), seen.rows("test"))
    assert found.since.joined == 0


def test_one_image_and_several_are_spoken_of_rightly() -> None:
    one = " ".join(SinceTraining(relabeled=1, without_label=1, unknown_class=1).sentences())
    assert all(words in one for words in ("1 image of the test set has", "no longer has a label", "is left out"))
    two = " ".join(SinceTraining(relabeled=2, without_label=2, unknown_class=2).sentences())
    assert all(words in two for words in ("2 images of the test set have", "no longer have a label", "are left out"))


@pytest.mark.slow
def test_images_that_were_added_are_not_counted_among_what_a_run_knows(run: Run, waiting: Snapshot, tmp_path: Path) -> None:
    """Neither on its page nor anywhere else that goes by the run's dataset with today's test set."""
    (tmp_path / "later").mkdir()
    picture = np.random.default_rng(1).integers(0, 255, (16, 16), dtype=np.uint8)
    PIL.Image.fromarray(picture).save(tmp_path / "later/one.png")
    api.add_scans(waiting.folder, [tmp_path / "later"])
    seen, now = run.open_dataset(), Dataset.open(waiting.folder)
    now.labels.enter([seen.rows("test")[0]], [None], origin="review")
    of_today = today(seen, now).dataset
    assert len(of_today.manifest) == len(seen.manifest) + 1
    assert known_patients(of_today.manifest) == known_patients(seen.manifest)
    assert np.array_equal(of_today.usable, seen.usable)
