"""Labels given on the page are entries of the label log, and what a reviewer is not to know is kept back."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient

from fewscan.datasets.dataset import Dataset
from fewscan.evaluation.intervals import Interval
from fewscan.labels import database
from fewscan.reviewing.app import Review
from fewscan.reviewing.seeing import Seen, pixel_features
from tests.reviewing.conftest import CLASSES, IMAGES

Decide = Callable[..., dict]


def upcoming(client: TestClient, reviewer: str, reading: str = "first", count: int = 1) -> list[int]:
    answer = client.get("/api/next", params={"reviewer": reviewer, "reading": reading, "count": count})
    return [one["row"] for one in answer.json()["scans"]]


def test_what_is_answered_as_saved_is_in_the_log(client: TestClient, decide: Decide, dataset: Dataset) -> None:
    answer = decide(3, "glioma", " Ada ")
    assert answer == {"batch": 1, "rows": [3], "state": "label", "label": "glioma"}
    (entry,) = dataset.labels.entries().to_dict("records")
    assert (entry["row"], entry["label"], entry["who"], entry["origin"]) == (3, "glioma", "Ada", "review")
    assert json.loads(entry["note"])["reading"] == "first"


@pytest.mark.slow
@pytest.mark.parametrize("state", ["unsure", "not a scan"])
def test_states_without_a_class_are_entries_and_are_not_asked_again(
    client: TestClient, decide: Decide, dataset: Dataset, state: str
) -> None:
    (row,) = upcoming(client, "Ada")
    decide(row, None, state=state)
    assert dataset.labels.current(IMAGES)["state"][row] == state
    assert row not in upcoming(client, "Ada", count=IMAGES)


def test_the_same_said_twice_is_one_entry(decide: Decide, dataset: Dataset) -> None:
    assert decide(3, "glioma")["batch"] == 1
    assert decide(3, "glioma")["batch"] == 0
    assert decide(3, "meningioma")["batch"] == 2
    assert len(dataset.labels.entries()) == 2


@pytest.mark.slow
def test_undo_takes_back_ones_own_answers_one_after_the_other(client: TestClient, decide: Decide, dataset: Dataset) -> None:
    decide(1, "glioma", "Ada")
    decide(2, "meningioma", "Ada")
    decide(3, "glioma", "Grace")
    for row in (2, 1):
        assert client.post("/api/undo", json={"reviewer": "Ada"}).json()["rows"] == [row]
    refused = client.post("/api/undo", json={"reviewer": "Ada"})
    assert refused.status_code == 409
    assert dataset.labels.current(IMAGES)["label"].dropna().to_dict() == {3: "glioma"}
    assert 2 in upcoming(client, "Ada", count=IMAGES)


def test_labels_of_another_process_are_seen_and_nothing_of_either_is_lost(
    client: TestClient, decide: Decide, dataset: Dataset
) -> None:
    decide(1, "glioma")
    Dataset.open(dataset.folder).labels.set([4, 5], "meningioma")
    decide(2, "glioma")
    assert client.get("/api/status").json()["counts"] == {"glioma": 2, "meningioma": 2, "unsure": 0, "not a scan": 0}
    assert {4, 5}.isdisjoint(upcoming(client, "Ada", count=IMAGES))


@pytest.mark.slow
def test_a_log_that_another_process_is_writing_is_told_as_not_saved_and_taken_later(
    client: TestClient, decide: Decide, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(1, "glioma")
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.01)
    asked = {"rows": [2], "state": "label", "label": "glioma", "reviewer": "Ada"}
    with database.writing(dataset.labels.path):
        for path, content in (("/api/decisions", asked), ("/api/undo", {"reviewer": "Ada"})):
            refused = client.post(path, json=content)
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
        assert client.get("/api/status").json()["answered"] == 1
    assert client.post("/api/decisions", json=asked).json()["batch"] == 2
    assert client.post("/api/undo", json={"reviewer": "Ada"}).json()["rows"] == [2]


@pytest.mark.slow
def test_every_scan_comes_once_and_of_copies_one(client: TestClient, decide: Decide) -> None:
    asked = []
    while rows := upcoming(client, "Ada"):
        asked += rows
        decide(rows[0], "glioma")
    assert len(asked) == len(set(asked)) == IMAGES - 2
    assert len({38, 39} & set(asked)) == 1


@pytest.mark.slow
def test_two_who_read_first_see_different_scans(client: TestClient) -> None:
    ada, grace = upcoming(client, "Ada", count=5), upcoming(client, "Grace", count=5)
    assert set(ada).isdisjoint(grace)
    assert upcoming(client, "Ada", count=5) == ada


@pytest.mark.slow
def test_a_skipped_scan_comes_last(client: TestClient) -> None:
    (row,) = upcoming(client, "Ada")
    client.post("/api/skip", json={"reviewer": "Ada", "row": row})
    assert upcoming(client, "Ada", count=IMAGES)[-1] == row


@pytest.mark.slow
def test_one_scan_in_five_is_drawn_at_random_whatever_was_chosen(client: TestClient, decide: Decide, review: Review) -> None:
    review.tutor.take(Seen(pixel_features(review.desk.dataset.pixels), "pixels", None))
    drawn = []
    for number in range(20):
        if number % 5 == 0:
            review.tutor.learn()
        (one,) = client.get("/api/next", params={"reviewer": "Ada"}).json()["scans"]
        drawn.append(one["random"])
        decide(one["row"], CLASSES[number % 2])
    assert sum(drawn) == 4
    sample = list(review.tutor.order(review.desk.board()))
    assert len({one.row for one in sample}) == len(sample)


def test_a_new_class_can_be_given_and_a_spelling_of_a_known_one_cannot(client: TestClient, decide: Decide) -> None:
    asked = {"rows": [1], "state": "label", "label": "cyst", "reviewer": "Ada"}
    assert client.post("/api/decisions", json=asked).status_code == 404
    assert client.post("/api/classes", json={"name": "cyst"}).json() == [*CLASSES, "cyst"]
    assert decide(1, "cyst")["batch"] == 1
    assert client.post("/api/classes", json={"name": "cyst"}).json() == [*CLASSES, "cyst"]
    for name in ("Glioma", "unsure", "Not-a scan", "NA", "a|b", "\x1b[31m", " ", "x" * 61):
        assert client.post("/api/classes", json={"name": name}).status_code in (400, 422), name


def test_a_row_that_is_not_there_is_refused_whether_there_is_a_model_or_not(
    client: TestClient, decide: Decide, review: Review
) -> None:
    asked = {"rows": [1, 10_000], "state": "label", "label": "glioma", "reviewer": "Ada"}
    assert client.post("/api/decisions", json=asked).status_code == 404
    for row in range(2, 8):
        decide(row, CLASSES[row % 2])
    review.tutor.take(Seen(pixel_features(review.desk.dataset.pixels), "pixels", None))
    assert review.tutor.learn() is not None
    assert client.post("/api/decisions", json=asked).status_code == 404
    assert review.desk.board().states[1] == "none"


def test_an_answer_that_is_sent_again_because_no_reply_came_counts_once(client: TestClient, dataset: Dataset) -> None:
    asked = {"rows": [3], "state": "label", "label": "glioma", "reviewer": "Ada", "answer_id": "one"}
    first = client.post("/api/decisions", json=asked).json()
    assert client.post("/api/decisions", json=asked).json() == first
    assert len(dataset.labels.entries([3])) == 1
    client.post("/api/decisions", json=asked | {"answer_id": "another", "label": "meningioma"})
    assert len(dataset.labels.entries([3])) == 2
    assert client.post("/api/decisions", json=asked | {"answer_id": "x" * 100}).status_code == 422


def test_what_settles_counts_once_though_nothing_is_left_to_settle_then(
    client: TestClient, decide: Decide, dataset: Dataset
) -> None:
    decide(3, "glioma", "Ada")
    decide(3, "meningioma", "Grace", reading="second")
    asked = {"rows": [3], "state": "label", "label": "glioma", "reviewer": "Ada", "settles": True, "answer_id": "one"}
    first = client.post("/api/decisions", json=asked)
    assert first.status_code == 200
    again = client.post("/api/decisions", json=asked)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(dataset.labels.entries([3])) == 3
    assert client.post("/api/decisions", json=asked | {"answer_id": "another"}).status_code == 409


def hidden(client: TestClient, row: int) -> bool:
    return client.get(f"/api/scans/{row}", params={"reviewer": "Ada"}).json()["model"] is None


class TestBlindReading:
    """A second reader sees neither the first one's label nor the model's opinion, wherever they look."""

    @pytest.fixture
    def labeled(self, decide: Decide, review: Review) -> int:
        """Ada has labeled eight scans; one of them that does not score the model."""
        for row in range(8):
            decide(row, CLASSES[row % 2], "Ada")
        review.tutor.take(Seen(pixel_features(review.desk.dataset.pixels), "pixels", None))
        review.tutor.learn()
        return int(np.flatnonzero(~review.desk.sample)[0])

    @pytest.mark.slow
    @pytest.mark.parametrize("reading", ["first", "second", "settle"])
    def test_another_persons_label_is_nowhere_in_the_answer(self, client: TestClient, labeled: int, reading: str) -> None:
        scan = client.get(f"/api/scans/{labeled}", params={"reviewer": "Grace", "reading": reading}).json()
        assert (scan["own"], scan["holds"], scan["others"], scan["nearest"]) == (None, None, {}, [])
        assert (scan["model"] is None) == (reading == "second")

    @pytest.mark.slow
    def test_what_measures_the_model_is_answered_without_a_hint(self, client: TestClient, decide: Decide, labeled: int) -> None:
        drawn = next(row for row in upcoming(client, "Ada", "first", 30) if row >= 8 and hidden(client, row))
        scan = client.get(f"/api/scans/{drawn}", params={"reviewer": "Ada"}).json()
        assert (scan["model"], scan["nearest"]) == (None, [])
        decide(drawn, "glioma", "Ada")
        scan = client.get(f"/api/scans/{drawn}", params={"reviewer": "Ada"}).json()
        assert scan["model"]
        assert scan["nearest"]

    @pytest.mark.slow
    def test_labels_come_after_ones_own_answer(self, client: TestClient, decide: Decide, labeled: int) -> None:
        assert sorted(upcoming(client, "Grace", "second", 50)) == list(range(8))
        (one,) = client.get("/api/next", params={"reviewer": "Grace", "reading": "second", "count": 1}).json()["scans"]
        assert one["why"][-1].isalpha()  # the page ends the sentence
        decide(2, "meningioma", "Grace", reading="second")
        scan = client.get("/api/scans/2", params={"reviewer": "Grace", "reading": "second"}).json()
        assert scan["others"] == {"Ada": "glioma"}
        assert scan["disputed"]
        assert 2 not in upcoming(client, "Grace", "second", 50)

    @pytest.mark.slow
    def test_a_difference_is_settled_once(self, client: TestClient, decide: Decide, dataset: Dataset, labeled: int) -> None:
        decide(2, "meningioma", "Grace", reading="second")
        assert dataset.labels.disputed(IMAGES)[2]
        assert upcoming(client, "Carl", "settle", 5) == [2]
        scan = client.get("/api/scans/2", params={"reviewer": "Carl", "reading": "settle"}).json()
        assert scan["others"] == {"Ada": "glioma", "Grace": "meningioma"}
        decide(2, "glioma", "Carl", reading="settle", settles=True)
        assert dataset.labels.current(IMAGES)["label"][2] == "glioma"
        again = {"rows": [2], "state": "unsure", "reviewer": "Carl", "settles": True}
        assert client.post("/api/decisions", json=again).status_code == 409

    @pytest.mark.slow
    def test_the_model_waits_for_the_answer_of_a_scan_drawn_at_random(
        self, client: TestClient, decide: Decide, labeled: int
    ) -> None:
        waiting = client.get("/api/next", params={"reviewer": "Ada", "count": 20}).json()["scans"]
        drawn = next(one["row"] for one in waiting if one["random"])
        chosen = next(one["row"] for one in waiting if not one["random"])
        model = {row: client.get(f"/api/scans/{row}", params={"reviewer": "Ada"}).json()["model"] for row in (drawn, chosen)}
        assert model[drawn] is None
        assert sum(one["probability"] for one in model[chosen]) == pytest.approx(1, abs=1e-3)
        decide(drawn, "glioma")
        assert client.get(f"/api/scans/{drawn}", params={"reviewer": "Ada"}).json()["model"] is not None


@pytest.mark.slow
def test_the_models_opinion_then_stands_beside_the_label(decide: Decide, review: Review) -> None:
    for row in range(8):
        decide(row, CLASSES[row % 2])
    review.tutor.take(Seen(pixel_features(review.desk.dataset.pixels), "pixels", None))
    opinion = review.tutor.learn()
    assert opinion is not None
    called, share = opinion.best(20)
    decide(20, "meningioma")
    note = json.loads(review.desk.dataset.labels.entries()["note"].iloc[-1])
    assert (note["model"], note["model_labels"]) == ([called], 8)
    assert note["probability"] == [pytest.approx(share, abs=1e-4)]
    assert np.argmax(opinion.probabilities[20]) == CLASSES.index("glioma")


@pytest.mark.slow
def test_how_good_the_model_is_comes_with_what_more_labels_are_likely_to_bring(
    client: TestClient, decide: Decide, review: Review
) -> None:
    for row in range(8):
        decide(row, CLASSES[row % 2])
    review.tutor.take(Seen(pixel_features(review.desk.dataset.pixels), "pixels", None))
    opinion = review.tutor.learn()
    assert opinion is not None
    assert client.get("/api/status").json()["model"]["accuracy"] is None
    review.tutor.opinion = replace(opinion, accuracy=Interval(value=0.7, low=0.5, high=0.9), scored=16)
    model = client.get("/api/status").json()["model"]
    assert (model["accuracy"]["value"], model["accuracy"]["scans"]) == (0.7, 16)
    assert model["gain"]["labels"] > 0
