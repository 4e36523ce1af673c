"""Labels of a run that readers check on the page: asked in the order of the draw, kept in both places, taken back from both."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

import fewscan
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.labeling.check import LabelCheck
from fewscan.labeling.table import read_table, write_table
from fewscan.labels.log import LabelLog
from fewscan.reviewing.app import Review, application
from fewscan.reviewing.taking import path_of
from tests.reviewing.conftest import ADDRESS, CLASSES

CHECK = "/api/runs/first/check"
Answer = Callable[..., dict]


@pytest.fixture
def dataset(checkable: Path) -> Dataset:
    return Dataset.open(checkable / "dataset")


@pytest.fixture
def labels(checkable: Path) -> Path:
    return path_of(checkable / "runs" / "first", "labels")


@pytest.fixture
def answers(labels: Path) -> Path:
    return labels.with_suffix(".check.csv")


def found(client: TestClient, **asked: object) -> dict:
    answer = client.get(CHECK, params={"at_most": 0.2} | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def sent(row: int, label: str | None = None, state: str = "label", reviewer: str = "Ada", **more: object) -> dict:
    said = {"state": state} if label is None and state != "label" else {"state": "label", "label": label or CLASSES[row % 2]}
    return {"rows": [row], "reviewer": reviewer, "at_most": 0.2} | said | more


@pytest.fixture
def answer(client: TestClient, labels: Path) -> Answer:
    """A function that answers the scan that is to be checked next, rightly unless told otherwise; returns what was asked."""

    def send(**said: object) -> dict:
        asked = found(client)
        reply = client.post(f"{CHECK}/answers", json=sent(asked["scans"][0]["row"], **said))
        assert reply.status_code == 200, reply.text
        return asked["scans"][0]

    return send


def given(answers: Path) -> list[tuple[str, str]]:
    table = pd.read_csv(answers, keep_default_na=False)
    return [(path, label) for path, label in zip(table["path"], table["label"], strict=True) if label]


def test_scans_are_asked_for_blind_and_in_the_order_of_the_draw(
    client: TestClient, labels: Path, answers: Path, answer: Answer, tmp_path: Path, review: Review
) -> None:
    began = found(client, count=50)
    assert (began["checked"], began["labels"], began["total"]) == (0, 39, 39)
    assert set(began["scans"][0]) == {"row", "name", "slices"}
    assert not answers.exists()  # who looks has begun nothing
    by_hand = tmp_path / "by_hand.csv"
    told = fewscan.check(labels, at_most=0.2, answers=by_hand)
    asked = pd.read_csv(by_hand)["path"].tolist()
    assert [one["name"] for one in began["scans"]][: len(asked)] == asked
    assert [began["scans"][2]] == found(client, start=2)["scans"]
    assert began["more"] == told.more
    said = [answer(), answer(state="unsure"), answer(), answer(state="not a scan")]
    assert [name for name, _ in given(answers)] == [one["name"] for one in said]
    now, command = found(client), fewscan.check(labels, at_most=0.2)
    assert (now["checked"], now["wrong"]) == (command.checked, command.wrong) == (4, 2)
    assert (now["most_wrong"], now["more"], now["total"]) == (command.most_wrong, command.more, 35)
    assert now["by_class"] == {name: one.model_dump() for name, one in command.classes.items()}
    # They are labels of the dataset, with the reader's name, and what was labeled before is asked as well.
    board = review.desk.board()
    assert [board.own(one["row"], "Ada").words for one in said] == [label for _, label in given(answers)]
    assert min(one["row"] for one in said) < 24


def test_page_and_command_line_go_on_with_each_others_answers(
    client: TestClient, labels: Path, answers: Path, answer: Answer
) -> None:
    answer()
    fewscan.check(labels, at_most=0.2)
    table = pd.read_csv(answers, keep_default_na=False)
    label = read_table(labels).set_index("path")["label"]
    table["seen by"] = "Grace"
    table.loc[1:2, "label"] = label[table["path"][1:3]].to_numpy()
    table.to_csv(answers, index=False, sep=";")
    assert (found(client)["checked"], found(client)["scans"][0]["name"]) == (3, table["path"][3])
    answer()
    more = pd.read_csv(answers, keep_default_na=False)
    assert len(given(answers)) == 4
    assert more.drop(columns="label").equals(table.drop(columns="label"))
    client.post("/api/undo", json={"reviewer": "Ada"})
    assert given(answers) == list(zip(table["path"][:3], table["label"][:3], strict=True))
    # It has the same words for what it cannot read.
    table.loc[5, "label"] = "glioma"
    table.to_csv(answers, index=False)
    refused = client.get(CHECK, params={"at_most": 0.2})
    with pytest.raises(FewscanError) as error:
        fewscan.check(labels, at_most=0.2)
    assert (refused.status_code, refused.json()["detail"]) == (400, str(error.value))


def test_an_answer_counts_once_and_only_for_the_next_scan(
    client: TestClient, answers: Path, labels: Path, review: Review
) -> None:
    first, second = (one["row"] for one in found(client, count=2)["scans"])
    early = client.post(f"{CHECK}/answers", json=sent(second))
    assert (early.status_code, answers.exists()) == (409, False)
    log = review.desk.dataset.labels
    before = log.last
    for _ in range(2):
        reply = client.post(f"{CHECK}/answers", json=sent(first, answer_id="again"))
        assert (reply.status_code, reply.json()["rows"]) == (200, [first])
    assert (len(given(answers)), log.last) == (1, before + 1)
    # Another reader, or another tab, had the same scan on the screen.
    assert client.post(f"{CHECK}/answers", json=sent(first, reviewer="Grace")).status_code == 409
    assert (len(given(answers)), log.last) == (1, before + 1)
    for wrong in (sent(second, rows=[second, first]), sent(second, state="none"), sent(second, at_most=1)):
        assert client.post(f"{CHECK}/answers", json=wrong).status_code == 422
    assert client.post(f"{CHECK}/answers", json=sent(second, label="pituitary")).status_code == 404
    assert len(given(answers)) == 1


def test_what_is_taken_back_leaves_both_places(client: TestClient, answers: Path, answer: Answer, review: Review) -> None:
    asked = [answer(), answer(label=CLASSES[0])]
    back = client.post("/api/undo", json={"reviewer": "Ada"}).json()
    assert (back["rows"], back["label"]) == ([asked[1]["row"]], CLASSES[0])
    assert [name for name, _ in given(answers)] == [asked[0]["name"]]
    assert review.desk.board().own(asked[1]["row"], "Ada") is None
    assert found(client)["scans"] == [asked[1]]
    # Answers stand in the order of the draw, so one before another's stays.
    answer(reviewer="Grace")
    assert client.post("/api/undo", json={"reviewer": "Ada"}).status_code == 409
    assert client.post("/api/undo", json={"reviewer": "Grace"}).status_code == 200
    assert client.post("/api/undo", json={"reviewer": "Ada"}).json()["rows"] == [asked[0]["row"]]
    assert given(answers) == []


def test_a_scan_that_was_labeled_otherwise_is_asked_all_the_same(
    client: TestClient, answers: Path, answer: Answer, decide: Callable[..., dict], review: Review
) -> None:
    row = found(client)["scans"][0]["row"]
    decide(row, CLASSES[row % 2])
    decide(row, CLASSES[1 - row % 2], reviewer="Grace")
    assert found(client)["scans"][0]["row"] == row
    before = review.desk.dataset.labels.last
    answer()
    # What Ada had said already is said once more, so that it can be taken back by itself.
    assert review.desk.dataset.labels.last == before + 1
    client.post("/api/undo", json={"reviewer": "Ada"})
    assert given(answers) == []
    assert review.desk.board().own(row, "Ada").words == CLASSES[row % 2]
    # An answer on another page is another one.
    answer()
    other = found(client)["scans"][0]["row"]
    decide(other, CLASSES[0])
    client.post("/api/undo", json={"reviewer": "Ada"})
    assert len(given(answers)) == 1


def test_the_page_learns_from_answers(client: TestClient, answer: Answer, review: Review) -> None:
    told: list[int] = []
    review.desk.changed.append(lambda: told.append(1))
    row = answer()["row"]
    assert told == [1]
    upcoming = client.get("/api/next", params={"reviewer": "Grace", "count": 40}).json()["scans"]
    assert row not in {one["row"] for one in upcoming}


def test_another_share_of_wrong_ones_is_shown_of_the_labels_that_the_check_began_with(
    client: TestClient, answers: Path, labels: Path
) -> None:
    few = found(client, at_most=0.05)["labels"]
    assert few < found(client, at_most=0.2)["labels"]
    row = found(client, at_most=0.05)["scans"][0]["row"]
    assert client.post(f"{CHECK}/answers", json=sent(row, at_most=0.05)).status_code == 200
    now = found(client, at_most=0.2)
    assert (now["labels"], now["checked"], now["at_most"]) == (few, 1, 0.2)
    assert now["more"] < found(client, at_most=0.05)["more"]


def test_which_labels_are_checked_is_chosen_before_the_first_answer(client: TestClient, answers: Path, labels: Path) -> None:
    began = found(client, at_most=0.05)
    fewer, more = min(began["others"], key=lambda one: one["labels"]), max(began["others"], key=lambda one: one["labels"])
    assert fewer["labels"] < began["labels"] < more["labels"]
    assert fewer["expected_wrong"] < began["expected_wrong"] < more["expected_wrong"] <= 0.05
    chosen = {"at_most": 0.05, "least_score": fewer["least_score"]}
    asked = found(client, **chosen)
    assert asked["labels"] == fewer["labels"]
    assert client.post(f"{CHECK}/answers", json=sent(asked["scans"][0]["row"], **chosen)).status_code == 200
    for later in ({}, {"at_most": 0.05}, {"least_score": more["least_score"]}):
        now = found(client, **later)
        assert (now["labels"], now["checked"], now["others"]) == (fewer["labels"], 1, [])
    client.post("/api/undo", json={"reviewer": "Ada"})
    assert given(answers) == []
    assert client.get(CHECK, params={"least_score": 2}).status_code == 422


def test_answers_about_other_labels_are_laid_aside_on_request(
    client: TestClient, labels: Path, answers: Path, answer: Answer
) -> None:
    answer()
    kept = answers.read_bytes()
    assert client.post(f"{CHECK}/anew", json={"at_most": 0.2}).status_code == 409
    table = read_table(labels)
    table.loc[3, "label"] = CLASSES[0]
    write_table(table, labels)
    assert client.get(CHECK, params={"at_most": 0.2}).status_code == 409
    assert client.post(f"{CHECK}/answers", json=sent(0)).status_code == 409
    assert client.post(f"{CHECK}/anew", json={"at_most": 0.2}).json()["checked"] == 0
    assert [file.read_bytes() for file in answers.parent.glob("labels.check-*.csv")] == [kept]
    # What was answered then is still taken back in the log.
    assert client.post("/api/undo", json={"reviewer": "Ada"}).status_code == 200
    answer()
    assert len(given(answers)) == 1


def test_the_checked_table_is_written_once_the_answers_show_it(
    client: TestClient, labels: Path, answers: Path, answer: Answer, tmp_path: Path
) -> None:
    assert client.post(f"{CHECK}/table", json={"at_most": 0.2}).status_code == 409
    answer(state="unsure")
    fewscan.check(labels, at_most=0.2)
    table = pd.read_csv(answers, keep_default_na=False)
    label = read_table(labels).set_index("path")["label"]
    table.loc[1:, "label"] = label[table["path"][1:]].to_numpy()
    table.to_csv(answers, index=False)
    assert found(client)["shown"]
    assert client.get("/api/runs/first/files/checked").status_code == 404
    told = client.post(f"{CHECK}/table", json={"at_most": 0.2}).json()
    assert (told["written"], told["wrong"]) == (True, 1)
    assert "checked" in client.get("/api/runs").json()["runs"][0]["files"]
    fewscan.check(labels, at_most=0.2, out=tmp_path / "by_hand.csv")
    assert client.get("/api/runs/first/files/checked").content == (tmp_path / "by_hand.csv").read_bytes()
    answer()
    assert not found(client)["written"]
    assert client.post(f"{CHECK}/table", json={"at_most": 0.2}).json()["written"]
    later = labels.stat().st_mtime + 60
    os.utime(labels, (later, later))  # as it is where labels were made anew
    assert not found(client)["written"]
    assert "checked" not in client.get("/api/runs").json()["runs"][0]["files"]


@pytest.mark.parametrize("place", ["file", "log"])
def test_what_cannot_be_kept_in_one_place_is_kept_in_none(
    client: TestClient, answers: Path, answer: Answer, review: Review, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise FewscanError("no space left")

    answer()
    held = (given(answers), [review.desk.board().holds(row) for row in range(40)])
    row = found(client)["scans"][0]["row"]
    with monkeypatch.context() as broken:
        if place == "file":
            broken.setattr(LabelCheck, "answer", full)
        else:
            broken.setattr(LabelLog, "enter", full)
        assert client.post(f"{CHECK}/answers", json=sent(row)).status_code == 503
    assert (given(answers), [review.desk.board().holds(row) for row in range(40)]) == held
    with monkeypatch.context() as broken:
        if place == "file":
            broken.setattr(LabelCheck, "take_back", full)
        else:
            broken.setattr(LabelLog, "undo", full)
        assert client.post("/api/undo", json={"reviewer": "Ada"}).status_code == 503
    assert (given(answers), [review.desk.board().holds(row) for row in range(40)]) == held
    assert client.post(f"{CHECK}/answers", json=sent(row)).status_code == 200


def test_an_answer_waits_for_the_command_line(client: TestClient, labels: Path, answers: Path, review: Review) -> None:
    row = found(client)["scans"][0]["row"]
    before = review.desk.dataset.labels.last
    with LabelCheck.of(labels, answers, at_most=0.2).alone():
        assert client.post(f"{CHECK}/answers", json=sent(row)).status_code == 503
    assert (answers.exists(), review.desk.dataset.labels.last) == (False, before)
    assert client.post(f"{CHECK}/answers", json=sent(row)).status_code == 200


def test_what_cannot_be_checked_on_the_page_is_refused_with_a_reason(client: TestClient, labels: Path, review: Review) -> None:
    table = read_table(labels)
    other = table.copy()
    other.loc[0, "path"] = "another ward/1.png"
    write_table(other, labels)
    assert client.get(CHECK, params={"at_most": 0.2}).status_code == 404
    unsure = table.assign(**{f"probability_{name}": 0.5 for name in CLASSES})
    write_table(unsure, labels)
    refused = client.get(CHECK, params={"at_most": 0.2})
    assert (refused.status_code, "at most 20 %" in refused.json()["detail"]) == (400, True)
    labels.unlink()
    assert client.get(CHECK).status_code == 404
    assert client.get(CHECK.replace("first", "none")).status_code == 404


def test_the_check_is_behind_the_same_door(review: Review, labels: Path, answers: Path) -> None:
    elsewhere = TestClient(application(review), base_url=ADDRESS, headers={"origin": "http://elsewhere.example"})
    assert elsewhere.get(CHECK).status_code == 403
    for act, asked in (("answers", sent(0)), ("table", {}), ("anew", {})):
        assert elsewhere.post(f"{CHECK}/{act}", json=asked).status_code == 403
    assert not answers.exists()
