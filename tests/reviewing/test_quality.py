"""Copies, conflicts and what was set aside, through the page's interface."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from fastapi.testclient import TestClient

from fewscan.datasets.dataset import Dataset
from fewscan.images.turns import Turn
from fewscan.labels import database
from fewscan.reviewing.app import Review
from fewscan.reviewing.overlay import overlay_of
from tests.made import pairs_table
from tests.reviewing.conftest import UNREADABLE

Decide = Callable[..., dict]
ADA = {"reviewer": "Ada"}


@pytest.fixture
def client(client: TestClient, review: Review) -> TestClient:
    """With pairs: 0-1 and 0-2 one set, 4-5 the most alike, 6-7 with the same pixels by name alone, 8-9 one head."""
    dataset = review.desk.dataset
    kinds = {
        (0, 1): ("near", 0.88),
        (0, 2): ("near", 0.9),
        (4, 5): ("near", 0.99),
        (6, 7): ("pixels", 1.0),
        (8, 9): ("head", 0.0),
    }
    pairs = pairs_table((*rows, *what) for rows, what in kinds.items())
    assert dataset.description.audit is not None
    object.__setattr__(review.desk, "dataset", dataset.with_pairs(pairs, dataset.description.audit))
    (dataset.folder / "audit.json").write_text(json.dumps({"suspects": [[20, "x", "noise"], [21, "y", "text"]]}))
    return client


def pairs_of(client: TestClient, **query: object) -> list[tuple[int, int]]:
    answer = client.get("/api/pairs", params=ADA | query)
    assert answer.status_code == 200, answer.text
    return [(one["first"]["row"], one["second"]["row"]) for one in answer.json()["pairs"]]


def judge(client: TestClient, row_a: int, row_b: int, verdict: str) -> dict:
    answer = client.post("/api/pairs/decisions", json={"row_a": row_a, "row_b": row_b, "verdict": verdict} | ADA)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_pairs_come_least_similar_first_and_go_where_they_are_judged_to(client: TestClient, dataset: Dataset) -> None:
    assert pairs_of(client) == [(0, 1), (0, 2), (4, 5), (8, 9)]
    assert pairs_of(client, which="certain") == [(6, 7)]
    assert pairs_of(client, of=2) == [(0, 1), (0, 2)]
    assert "two groups" in judge(client, 5, 4, "apart")["words"]
    judge(client, 0, 1, "together")
    assert pairs_of(client) == [(0, 2), (8, 9)]
    assert pairs_of(client, which="dissolved") == [(4, 5)]
    assert pairs_of(client, which="confirmed") == [(0, 1)]
    sets = Dataset.open(dataset.folder).snapshot().manifest["copy_set"]
    assert sets[4] != sets[5]
    assert sets[0] == sets[1] == sets[2]
    judge(client, 4, 5, "open")
    assert (4, 5) in pairs_of(client)
    assert client.get("/api/quality").json()["pairs"] == {"open": 3, "confirmed": 1, "dissolved": 0, "certain": 1}


def test_a_scan_leaves_its_set_and_comes_back(client: TestClient) -> None:
    for verdict, found in (("apart", [(0, 1), (0, 2)]), ("open", [])):
        answer = client.post("/api/pairs/scan", json={"row": 0, "verdict": verdict} | ADA)
        assert [tuple(pair) for pair in answer.json()["pairs"]] == [(0, 1), (0, 2)]
        assert pairs_of(client, which="dissolved") == found


def test_what_cannot_be_judged_is_refused(client: TestClient) -> None:
    for rows, status in (((3, 8), 400), ((3, 99), 404), ((3, UNREADABLE), 404), ((-1, 2), 422)):
        answer = client.post("/api/pairs/decisions", json={"row_a": rows[0], "row_b": rows[1], "verdict": "apart"} | ADA)
        assert answer.status_code == status, answer.text
        assert answer.json()["detail"]
    assert client.get("/api/pairs", params=ADA | {"of": 99}).status_code == 404
    assert client.get("/api/pairs/3/99").status_code == 404


def test_before_an_audit_there_are_no_pairs(client: TestClient, review: Review) -> None:
    description = review.desk.dataset.description.model_copy(update={"audit": None})
    object.__setattr__(review.desk.dataset, "description", description)
    assert client.get("/api/pairs", params=ADA).status_code == 409
    assert client.get("/api/conflicts").status_code == 409
    assert client.get("/api/audit.html").status_code == 409
    assert client.get("/api/quality").json()["audited"] is False


def test_a_turned_copy_comes_with_what_takes_it_back(client: TestClient, review: Review) -> None:
    dataset, audit = review.desk.dataset, review.desk.dataset.description.audit
    assert audit is not None
    turn = Turn(mirrored=True, turned=270)
    pairs = pairs_table([(0, 1, "near", 0.88), (1, 2, "near", 0.9)], turn)
    object.__setattr__(review.desk, "dataset", dataset.with_pairs(pairs, audit))
    (first, second) = client.get("/api/pairs", params=ADA).json()["pairs"]
    assert first["second"]["lying"] == turn._asdict() | {"words": turn.words}
    assert [one["lying"]["mirrored"] for one in first["copies"]] == [False, True, False]
    assert [(one["row"], one["lying"]["words"]) for one in second["copies"]][1] == (1, [])
    related = client.get("/api/scans/1", params=ADA).json()["copies"]
    assert [(one["row"], one["lying"]["turned"]) for one in related] == [(0, 270), (2, 270)]


def test_labels_of_a_pair_are_known_to_whom_they_may_be(client: TestClient, decide: Decide) -> None:
    decide(0, "glioma", reviewer="Grace")
    first = client.get("/api/pairs", params=ADA).json()["pairs"][0]["first"]
    assert (first["row"], first["said"]) == (0, None)
    assert client.get("/api/pairs", params={"reviewer": "Grace"}).json()["pairs"][0]["first"]["said"] == "glioma"


def test_copies_that_contradict_each_other_are_settled_together(client: TestClient, decide: Decide, review: Review) -> None:
    decide(0, "glioma", reviewer="Grace")
    decide(1, "meningioma", reviewer="Ada")
    found = client.get("/api/conflicts").json()
    assert [{one["row"]: one["said"] for one in of["scans"]} for of in found["sets"]] == [
        {0: "glioma", 1: "meningioma", 2: None}
    ]
    said = {"rows": [0, 1], "state": "label", "label": "glioma"} | ADA
    assert client.post("/api/conflicts/settle", json=said).json()["batch"] > 0
    board = review.desk.board()
    assert [board.labels[row] for row in (0, 1)] == ["glioma", "glioma"]
    assert client.get("/api/conflicts").json()["total"] == 0
    assert client.post("/api/conflicts/settle", json=said).status_code == 409
    assert client.post("/api/undo", json=ADA).json()["rows"] == [0, 1]
    assert client.get("/api/conflicts").json()["total"] == 1


def test_what_was_set_aside_is_listed_with_its_reason_and_comes_back(
    client: TestClient, decide: Decide, review: Review
) -> None:
    review.desk.dataset.labels.enter([3], ["glioma"], origin="folder")
    review.desk.dataset.labels.enter([3], [None], states=["not a scan"], origin="audit", note="suspect: noise")
    decide(5, None, state="not a scan", reviewer="Grace")
    left = client.get("/api/aside").json()
    assert [(one["row"], one["reason"], one["who"], one["can_return"]) for one in left["scans"]] == [
        (5, "not a scan", "Grace", True), (3, "noise", None, True), (UNREADABLE, "truncated", None, False)
    ]  # fmt: skip
    assert client.post("/api/aside/back", json={"row": 3} | ADA).json() == {"row": 3, "holds": "glioma"}
    assert client.post("/api/aside/back", json={"row": 5} | ADA).json() == {"row": 5, "holds": "none"}
    assert client.get("/api/aside").json()["total"] == 1
    for row, status in ((3, 409), (UNREADABLE, 404), (99, 404)):
        assert client.post("/api/aside/back", json={"row": row} | ADA).status_code == status


def test_undo_takes_back_what_was_done_last_a_return_too(client: TestClient, decide: Decide, review: Review) -> None:
    def undone() -> tuple[list[int], str, bool]:
        answer = client.post("/api/undo", json=ADA).json()
        return answer["rows"], answer["label"] or answer["state"], answer["again"]

    decide(1, "glioma")
    decide(5, None, state="not a scan")
    review.desk.dataset.labels.enter([3], ["glioma"], origin="folder")
    for origin in ("audit", "table"):  # set aside twice, so that two entries are taken back
        review.desk.dataset.labels.enter([3], [None], states=["not a scan"], origin=origin)
    assert client.post("/api/aside/back", json={"row": 3} | ADA).json()["holds"] == "glioma"
    assert client.post("/api/undo", json={"reviewer": "Grace"}).status_code == 409
    assert undone() == ([3], "not a scan", True)
    assert review.desk.board().states[3] == "not a scan"
    assert client.post("/api/aside/back", json={"row": 3} | ADA).json()["holds"] == "glioma"
    assert undone() == ([3], "not a scan", True)
    assert undone() == ([5], "not a scan", False)
    assert undone() == ([1], "glioma", False)
    assert client.post("/api/undo", json=ADA).status_code == 409
    assert review.desk.board().states[[1, 3, 5]].tolist() == ["none", "not a scan", "none"]


def test_what_the_audit_takes_for_no_scan_waits_until_somebody_says(client: TestClient, decide: Decide) -> None:
    def probable() -> list[tuple[int, str]]:
        found = client.get("/api/aside", params={"which": "probable"}).json()["scans"]
        return [(one["row"], one["reason"]) for one in found]

    assert probable() == [(20, "noise"), (21, "text")]
    decide(20, None, state="not a scan")
    assert probable() == [(21, "text")]
    decide(21, "glioma")
    assert probable() == []


def test_a_file_that_was_set_aside_is_shown_where_it_can_be_read(client: TestClient, review: Review, tmp_path: Path) -> None:
    assert client.get(f"/api/aside/{UNREADABLE}/picture.png").status_code == 404
    sources = [one.model_copy(update={"folder": str(tmp_path)}) for one in review.desk.dataset.description.sources]
    description = review.desk.dataset.description.model_copy(update={"sources": tuple(sources)})
    object.__setattr__(review.desk.dataset, "description", description)
    name = tmp_path / review.desk.facts["path"].iloc[UNREADABLE]
    PIL.Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(name)
    assert client.get(f"/api/aside/{UNREADABLE}/picture.png").content.startswith(b"\x89PNG")


def test_the_audits_page_is_shown_as_it_is_now_and_can_reach_nothing(client: TestClient) -> None:
    judge(client, 4, 5, "apart")
    answer = client.get("/api/audit.html")
    assert "dissolved by Ada" in " ".join(answer.text.split())
    assert answer.headers["content-security-policy"].startswith("sandbox ")
    assert "connect-src" not in answer.headers["content-security-policy"]


def test_an_overlay_says_how_one_image_became_the_other() -> None:
    random = np.random.default_rng(3)
    small = random.normal(size=(12, 12)).astype(np.float32)
    image = np.clip(128 + 60 * np.asarray(PIL.Image.fromarray(small).resize((96, 96), PIL.Image.Resampling.BICUBIC)), 0, 255)
    first = image.astype(np.uint8)[None]
    for second, words in (
        (first, ()),
        (first[:, :, ::-1], ("mirrored",)),
        (255 - first, ("inverted",)),
        (np.rot90(first, axes=(1, 2)), ("turned by 90 degrees counterclockwise",)),
        ((20 + 0.6 * first).astype(np.uint8), ("with less contrast",)),
    ):
        laid = overlay_of(first, np.ascontiguousarray(second))
        assert laid is not None
        assert laid.words == words
        assert laid.difference < 6
        assert laid.png.startswith(b"\x89PNG")
    other = random.integers(0, 255, (1, 96, 96), dtype=np.uint8)
    assert overlay_of(first, other) is None


def test_a_pair_is_laid_over_each_other_as_far_as_it_can_be(client: TestClient, review: Review) -> None:
    pixels = np.array(review.desk.dataset.pixels)
    random = np.random.default_rng(3)
    smooth = PIL.Image.fromarray(random.normal(size=(6, 6)).astype(np.float32)).resize((16, 16), PIL.Image.Resampling.BICUBIC)
    pixels[0, 0] = pixels[1, 0] = np.clip(128 + 60 * np.asarray(smooth), 0, 255)
    pixels[2, 0] = random.integers(0, 255, (16, 16))
    review.desk.dataset.images.__dict__["pixels"] = pixels
    same = client.get("/api/pairs/0/1").json()
    assert same == {"words": [], "difference": pytest.approx(0, abs=3)}
    assert client.get("/api/pairs/0/1/overlay.png").content.startswith(b"\x89PNG")
    assert client.get("/api/pairs/0/2").json() == {"words": [], "difference": None}
    assert client.get("/api/pairs/0/2/overlay.png").status_code == 404
    assert client.get("/api/aside/99/picture.png").status_code == 404


def test_before_an_audit_no_conflict_is_settled(client: TestClient, review: Review) -> None:
    description = review.desk.dataset.description.model_copy(update={"audit": None})
    object.__setattr__(review.desk.dataset, "description", description)
    asked = {"rows": [38, 39], "state": "label", "label": "glioma"} | ADA
    assert client.post("/api/conflicts/settle", json=asked).status_code == 409


def test_an_image_that_cannot_return_now_stays_where_it_is(
    client: TestClient, decide: Decide, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(3, None, state="not a scan")
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.01)
    with database.writing(dataset.labels.path):
        assert client.post("/api/aside/back", json={"row": 3} | ADA).status_code == 503
    assert client.post("/api/aside/back", json={"row": 3} | ADA).json()["row"] == 3


def test_what_the_audit_says_nothing_of_has_no_copies(client: TestClient) -> None:
    assert client.get("/api/scans/20", params=ADA).json()["copies"] == []


def test_the_nearest_scans_are_of_other_groups_and_one_of_each(review: Review) -> None:
    features = np.ones((len(review.desk.snapshot.groups), 2), np.float32)
    near = review.scans.nearest(36, [37, 38, 39, 1], features)  # 36 and 37 are one patient's, 38 and 39 copies
    assert sorted(near) == [1, 38]
