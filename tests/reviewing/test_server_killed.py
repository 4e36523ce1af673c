"""What the page has called saved is in the log, whenever its server is interrupted or killed."""

import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest

import fewscan
from fewscan.datasets.dataset import Dataset
from tests.processes import Program
from tests.reviewing.conftest import UNREADABLE

# Of answers: the server is killed while it works on one that comes after these.
ANSWERED = 12


def post(port: int, row: int) -> int:
    """Give row a label; return the status, 0 where the server is no more."""
    return sent(port, "/api/decisions", {"rows": [row], "state": "label", "label": "glioma", "reviewer": "Ada"})


def sent(port: int, path: str, asked: dict[str, object]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", path, json.dumps(asked), {"content-type": "application/json"})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def opened(dataset: Dataset, folder: Path, port: int) -> Program:
    """A page that has saved an answer."""
    page = Program(["review", str(dataset.folder), "--classes", "glioma", "--port", str(port)], folder)
    deadline = time.monotonic() + 120
    while post(port, 0) != 200:
        assert page.is_running()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return page


@pytest.mark.slow
def test_a_page_ends_with_an_interrupt_and_keeps_what_was_saved(dataset: Dataset, tmp_path: Path) -> None:
    page = opened(dataset, tmp_path, free_port())
    os.kill(page.pid, signal.SIGINT)
    code, said = page.ended()
    assert code == 130
    assert "Traceback" not in said
    assert Dataset.open(dataset.folder).labels.current(1)["label"].tolist() == ["glioma"]


@pytest.mark.slow
def test_nothing_that_was_saved_is_lost_by_a_kill(dataset: Dataset, tmp_path: Path) -> None:
    port = free_port()
    page = opened(dataset, tmp_path, port)
    saved: list[int] = [0]

    def label(rows: range) -> None:
        for row in rows:
            if post(port, row) != 200:
                return
            saved.append(row)

    judged = 0

    def judge() -> None:
        nonlocal judged
        # The pile's copies; more often than there is time for.
        pair = {"row_a": 38, "row_b": 39, "reviewer": "Grace"}
        while sent(port, "/api/pairs/decisions", pair | {"verdict": ("apart", "together")[judged % 2]}) == 200:
            judged += 1

    people = [Thread(target=label, args=[rows]) for rows in (range(1, 18), range(18, UNREADABLE))]
    people.append(Thread(target=judge))
    for person in people:
        person.start()
    while (len(saved) < ANSWERED or not judged) and all(person.is_alive() for person in people):
        time.sleep(0.001)
    os.kill(page.pid, signal.SIGKILL)
    for person in people:
        person.join()
    page.ended()
    log = Dataset.open(dataset.folder).labels
    log.verify()
    held = log.current(dataset.images.rows)["label"].dropna().index
    assert set(held) >= set(saved)
    assert judged <= len(Dataset.open(dataset.folder).pair_decisions.entries()) <= judged + 1
    # What was under way may be there or not.
    assert len(held) <= len(saved) + len(people)


@pytest.mark.slow
def test_no_answer_to_a_check_that_was_saved_is_lost_by_a_kill(checkable: Path) -> None:
    data, port = Dataset.open(checkable / "dataset"), free_port()
    labels = checkable / "runs" / "first" / "page" / "labels.csv"
    asked = fewscan.check(labels, at_most=0.2, answers=checkable / "asked.csv")
    paths = pd.read_csv(asked.answers)["path"].tolist()
    names = data.snapshot().file_names
    page = opened(data, checkable, port)
    saved = [0]

    def check() -> None:
        for path in paths:
            said = {"rows": [names.index(path)], "state": "unsure", "reviewer": "Grace", "at_most": 0.2}
            if sent(port, "/api/runs/first/check/answers", said) != 200:
                return
            saved[0] += 1

    reader = Thread(target=check)
    reader.start()
    while saved[0] < len(paths) // 2 and reader.is_alive():
        time.sleep(0.001)
    os.kill(page.pid, signal.SIGKILL)
    reader.join()
    page.ended()
    checked = fewscan.check(labels, at_most=0.2).checked
    entered = data.labels.entries()
    assert saved[0] <= checked <= (entered["who"] == "Grace").sum() <= saved[0] + 1
