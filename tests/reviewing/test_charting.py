"""The map of all scans in the page: where they lie, what one may know of them, and who is kept back."""

import json
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from fastapi.testclient import TestClient

from fewscan.mapping.coordinates import Coordinates
from fewscan.reviewing import atlas
from fewscan.reviewing.app import Review
from fewscan.reviewing.charting import JUDGES, MEASURES, NO_LABEL, NO_MODEL, OTHERS
from fewscan.reviewing.seeing import Seen
from tests.reviewing.conftest import CLASSES, IMAGES, UNREADABLE

Decide = Callable[..., dict]
SHOWN = [row for row in range(IMAGES) if row != UNREADABLE]


@pytest.fixture
def seen(review: Review) -> Seen:
    """Features that tell bright above from bright below."""
    random = np.random.default_rng(0)
    features = random.normal(size=(IMAGES, 4)).astype(np.float32)
    features[::2, 0] += 8
    found = Seen(features, "two heaps", None)
    review.tutor.take(found)
    return found


@pytest.fixture
def charted(client: TestClient, review: Review, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map, whose scans lie where their numbers say: t-SNE is asked for elsewhere."""

    def placed(folder: object, features: np.ndarray) -> Coordinates:
        return Coordinates(np.stack([np.arange(len(features)) / len(features)] * 2, axis=1).astype(np.float32), "in a line")

    monkeypatch.setattr(atlas, "kept_coordinates", placed)
    review.atlas.make(seen)


def colors(client: TestClient, by: str, reviewer: str = "Ada") -> tuple[dict[int, str], set[int]]:
    """What each scan of the map is colored by, and which can be looked into."""
    answer = client.get("/api/map/colors", params={"by": by, "reviewer": reviewer})
    assert answer.status_code == 200, answer.text
    head = json.loads(answer.headers["x-colors"])
    codes = np.frombuffer(answer.content, "<u2", head["scans"])
    is_open = np.frombuffer(answer.content, np.uint8, head["scans"], offset=codes.nbytes)
    assert len(answer.content) == 3 * head["scans"]
    said = {row: head["names"][code] for row, code in zip(SHOWN, codes, strict=True)}
    return said, {row for row, one in zip(SHOWN, is_open, strict=True) if one}


def look_into(client: TestClient, rows: list[int], reviewer: str = "Ada") -> dict[int, dict]:
    answer = client.post("/api/map/scans", json={"rows": rows, "reviewer": reviewer})
    assert answer.status_code == 200, answer.text
    return {one["row"]: one for one in answer.json()}


def test_before_scans_were_looked_at_there_is_no_map_and_it_is_said(client: TestClient) -> None:
    now = client.get("/api/map").json()
    assert now["phase"] == "looking"
    assert now["scans"] == len(SHOWN)
    assert client.get("/api/map/points").status_code == 409
    assert client.get("/api/map/colors", params={"by": "label", "reviewer": "Ada"}).status_code == 409


@pytest.mark.slow
def test_the_map_is_made_once_somebody_asks_and_found_again(client: TestClient, review: Review, seen: Seen) -> None:
    assert client.get("/api/map").json()["phase"] == "placing"
    deadline = time.monotonic() + 60
    while (now := client.get("/api/map").json())["phase"] == "placing":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert now["phase"] == "ready"
    assert "t-SNE" in now["words"]
    content = client.get("/api/map/points").content
    rows = np.frombuffer(content, "<u4", len(SHOWN))
    xy = np.frombuffer(content, "<u2", 2 * len(SHOWN), offset=rows.nbytes).reshape(2, -1) / 65535
    assert rows.tolist() == SHOWN
    assert len(content) == 10 * len(SHOWN)
    assert np.allclose(xy.T, review.atlas.chart.placed.xy, atol=1e-4)
    (kept,) = (review.desk.dataset.folder / "maps").iterdir()
    before = kept.stat().st_mtime_ns
    review.tutor.take(Seen(seen.features, "the same once more", None))
    client.get("/api/map")
    while (again := client.get("/api/map").json())["phase"] == "placing":
        time.sleep(0.02)
    assert again["number"] == now["number"] + 1
    assert kept.stat().st_mtime_ns == before


def test_a_map_that_cannot_be_made_says_why(client: TestClient, review: Review, seen: Seen) -> None:
    review.desk.__dict__["usable"] = np.zeros(IMAGES, bool)
    assert client.get("/api/map").json()["phase"] == "placing"
    deadline = time.monotonic() + 20
    while (now := client.get("/api/map").json())["phase"] == "placing":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert now["phase"] == "failed"
    assert now["words"]


def test_labels_on_the_map_are_those_that_the_reviewer_may_know(
    client: TestClient, charted: None, decide: Decide, review: Review
) -> None:
    decide(3, "glioma")
    decide(4, None, state="unsure")
    decide(5, "meningioma", "Grace")
    mine, _ = colors(client, "label")
    assert (mine[3], mine[4], mine[5], mine[6]) == ("glioma", "unsure", OTHERS, NO_LABEL)
    hers, _ = colors(client, "label", "Grace")
    assert (hers[3], hers[4], hers[5]) == (OTHERS, OTHERS, "meningioma")
    # What another program entered meanwhile, of a class that nobody gave on the page.
    review.desk.dataset.labels.enter([7], ["cyst"], origin="table")
    assert colors(client, "label")[0][7] == "cyst"


def test_scans_that_score_the_model_are_neither_called_nor_looked_into_before_their_answer(
    client: TestClient, charted: None, decide: Decide, review: Review
) -> None:
    rows = np.flatnonzero(review.desk.eligible & ~review.desk.sample)[:8].tolist()
    assert set(colors(client, "model")[0].values()) == {NO_MODEL}
    for row in rows:
        decide(row, CLASSES[row % 2])
    review.tutor.learn()
    scores = set(np.flatnonzero(review.desk.sample).tolist())
    said, into = colors(client, "model")
    assert {row for row, value in said.items() if value == MEASURES} == scores
    assert into == set(SHOWN) - scores
    assert set(look_into(client, SHOWN)) == set(SHOWN) - scores
    first = min(scores)
    decide(first, "glioma")
    assert look_into(client, [first])[first]["said"] == "glioma"
    assert colors(client, "model")[0][first] in CLASSES


def test_scans_that_judge_are_on_the_map_without_label_and_call(
    client: TestClient, charted: None, decide: Decide, review: Review
) -> None:
    for row in range(1, 9):
        decide(row, CLASSES[row % 2])
    review.tutor.learn()
    eligible = review.desk.eligible.copy()
    eligible[2] = False
    review.desk.__dict__["eligible"] = eligible
    for by in ("label", "model"):
        said, into = colors(client, by)
        assert said[2] == JUDGES
        assert 2 not in into
    assert look_into(client, [2, 3]).keys() == {3}


def test_what_others_said_is_kept_back_inside_a_cluster_too(client: TestClient, charted: None, decide: Decide) -> None:
    decide(3, "glioma", "Grace")
    assert look_into(client, [3])[3]["said"] is None
    assert look_into(client, [3], "Grace")[3]["said"] == "glioma"
    assert client.post("/api/map/scans", json={"rows": [UNREADABLE], "reviewer": "Ada"}).status_code == 404
    assert client.post("/api/map/scans", json={"rows": [], "reviewer": "Ada"}).status_code == 422


def test_a_map_by_source_tells_where_each_scan_came_from(client: TestClient, charted: None, review: Review) -> None:
    said, _ = colors(client, "source")
    assert said == {row: review.desk.facts["source"].iloc[row] for row in SHOWN}


def test_a_fault_in_making_the_map_is_said_and_not_hidden(
    client: TestClient, review: Review, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: object, features: np.ndarray) -> Coordinates:
        raise ZeroDivisionError

    monkeypatch.setattr(atlas, "kept_coordinates", broken)
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    while (now := client.get("/api/map").json())["phase"] == "placing":
        time.sleep(0.01)
    assert (now["phase"], bool(now["words"])) == ("failed", True)
    while not told:
        time.sleep(0.01)
    assert told[0].exc_type is ZeroDivisionError
