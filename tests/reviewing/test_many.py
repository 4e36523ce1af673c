"""Many scans at once, and how readers agree."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sklearn.metrics import cohen_kappa_score

from fewscan.datasets.dataset import Dataset
from fewscan.reviewing.app import Review
from fewscan.reviewing.readers import LEAST_SCANS, agreement
from fewscan.reviewing.seeing import Seen, pixel_features
from tests.reviewing.conftest import CLASSES

Decide = Callable[..., dict]


@pytest.fixture
def learned(decide: Decide, review: Review) -> list[int]:
    """The rows that the model was taught, not among those that score it."""
    rows = np.flatnonzero(review.desk.eligible & ~review.desk.sample)[:8].tolist()
    for row in rows:
        decide(row, CLASSES[row % 2])
    review.tutor.take(Seen(pixel_features(review.desk.dataset.pixels), "pixels", None))
    review.tutor.learn()
    return rows


def grid(client: TestClient, label: str, **more: object) -> list[dict]:
    answer = client.get("/api/grid", params={"label": label, "reviewer": "Ada"} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()["scans"]


@pytest.mark.slow
def test_a_grid_shows_what_the_model_calls_a_class_surest_last(client: TestClient, review: Review, learned: list[int]) -> None:
    shown = {label: grid(client, label) for label in CLASSES}
    for label, cells in shown.items():
        shares = [cell["probability"] for cell in cells]
        assert shares == sorted(shares)
        assert min(shares) >= 0.5
        assert all(review.tutor.opinion.best(cell["row"])[0] == label for cell in cells)
    rows = {cell["row"] for cells in shown.values() for cell in cells}
    assert rows == set(np.flatnonzero(review.desk.eligible & ~review.desk.sample)) - set(learned)


@pytest.mark.slow
def test_scans_that_score_the_model_are_in_no_grid_before_they_are_answered(
    client: TestClient, decide: Decide, review: Review, learned: list[int]
) -> None:
    row = int(np.flatnonzero(review.desk.sample)[0])
    assert row not in {cell["row"] for label in CLASSES for cell in grid(client, label)}
    decide(row, "glioma")
    assert row in {cell["row"] for cell in grid(client, "glioma", which="said")}


@pytest.mark.slow
def test_what_is_moved_together_is_one_batch_and_taken_back_together(
    client: TestClient, dataset: Dataset, learned: list[int]
) -> None:
    rows = [cell["row"] for cell in grid(client, "glioma")][:5]
    asked = {"rows": rows, "state": "label", "label": "meningioma", "reviewer": "Ada", "reading": "grid"}
    assert client.post("/api/decisions", json=asked).json()["rows"] == rows
    last = dataset.labels.entries().iloc[-1]
    assert json.loads(last["note"])["model"] == ["glioma"] * 5
    assert dataset.labels.batches()["entries"].iloc[-1] == 5
    assert sorted(client.post("/api/undo", json={"reviewer": "Ada"}).json()["rows"]) == sorted(rows)
    assert {cell["row"] for cell in grid(client, "glioma")} >= set(rows)


@pytest.mark.slow
def test_a_grid_of_what_was_said_keeps_other_peoples_labels_back(
    client: TestClient, decide: Decide, learned: list[int]
) -> None:
    asked = {"label": "glioma", "which": "said"}
    said = [row for row in learned if row % 2 == 0]
    assert sorted(cell["row"] for cell in grid(client, **asked)) == said
    assert grid(client, **asked, reviewer="Grace") == []
    decide(said[0], "glioma", "Grace")
    assert [cell["row"] for cell in grid(client, **asked, reviewer="Grace")] == said[:1]


@pytest.mark.slow
def test_a_page_of_a_grid_goes_on_where_the_one_before_ended(client: TestClient, learned: list[int]) -> None:
    whole = [cell["row"] for cell in grid(client, "glioma")]
    pages = [cell["row"] for start in range(0, len(whole), 4) for cell in grid(client, "glioma", start=start, count=4)]
    assert pages == whole
    assert client.get("/api/grid", params={"label": "cyst", "reviewer": "Ada"}).status_code == 404


@pytest.mark.slow
def test_kappa_is_that_of_what_each_reader_said_first(dataset: Dataset) -> None:
    random = np.random.default_rng(0)
    ada, grace = ([CLASSES[at] for at in random.integers(2, size=20)] for _ in range(2))
    log = dataset.labels
    log.enter(range(20), ada, origin="review", who="Ada")
    wrong = log.enter([0], ["meningioma" if grace[0] == "glioma" else "glioma"], origin="review", who="Grace")
    log.undo(wrong, who="Grace")  # a slip, taken back at once
    log.enter(range(20), grace, origin="review", who="Grace")
    log.enter(range(20), ada, origin="review", who="Grace")  # after they talked
    log.enter(range(20), ada, origin="review", who="Carl", settles=True)
    (pair,) = agreement(log)
    assert (pair.one, pair.other, pair.both) == ("Ada", "Grace", 20)
    assert pair.same == sum(one == other for one, other in zip(ada, grace, strict=True))
    assert pair.kappa is not None
    assert pair.kappa.value == pytest.approx(cohen_kappa_score(ada, grace))
    assert pair.kappa.low is not None
    assert pair.kappa.high is not None
    assert pair.kappa.low < pair.kappa.value < pair.kappa.high


@pytest.mark.parametrize("said", [["glioma"] * 20, list(CLASSES) * (LEAST_SCANS // 2 - 1)])
def test_one_answer_alone_or_few_scans_have_no_kappa(dataset: Dataset, said: list[str]) -> None:
    for who in ("Ada", "Grace"):
        dataset.labels.enter(range(len(said)), said, origin="review", who=who)
    (pair,) = agreement(dataset.labels)
    assert pair.same == pair.both == len(said)
    assert pair.kappa is None


def test_agreement_names_scans_in_dispute_and_says_nothing_of_labels(client: TestClient, decide: Decide) -> None:
    decide(3, "glioma", "Ada")
    decide(3, "meningioma", "Grace", reading="second")
    found = client.get("/api/agreement").json()
    assert found["disputed"] == [3]
    # So it can be said why they have no kappa.
    assert found["pairs"][0]["kappa"] is None
    assert found["pairs"][0]["both"] < found["least_scans"]
    assert not any(label in json.dumps(found) for label in CLASSES)


def test_without_a_model_it_calls_nothing_anything(client: TestClient) -> None:
    assert grid(client, "glioma") == []


def test_readers_who_have_read_no_scan_in_common_are_no_pair(dataset: Dataset) -> None:
    for row, who in enumerate(("Ada", "Grace")):
        dataset.labels.enter([row], ["glioma"], origin="review", who=who)
    assert agreement(dataset.labels) == []


def test_readers_who_differ_of_hardly_any_scan_have_a_kappa_though_some_draws_have_none(dataset: Dataset) -> None:
    for who in ("Ada", "Grace"):
        dataset.labels.enter(range(LEAST_SCANS), ["meningioma", *["glioma"] * (LEAST_SCANS - 1)], origin="review", who=who)
    (pair,) = agreement(dataset.labels)
    assert pair.kappa is not None
    assert pair.kappa.value == pytest.approx(1)
