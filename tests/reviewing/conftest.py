"""A review of a small pile without labels, behind the door of this machine."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

import fewscan
from fewscan.datasets.dataset import Dataset
from fewscan.labeling.table import write_table
from fewscan.reviewing.app import Review, application
from fewscan.reviewing.door import Door
from fewscan.reviewing.seeing import Seen, pixel_features
from fewscan.reviewing.serving import Served, reviewed, served, server
from fewscan.reviewing.taking import path_of
from tests.made import empty_manifest, write_dataset

if TYPE_CHECKING:
    import playwright.sync_api as playwright

CLASSES = ("glioma", "meningioma")
IMAGES = 40
UNREADABLE = 35
ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(scope="session")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images without labels: odd rows are bright below, even ones above.

    Rows 38 and 39 are copies, 36 and 37 one patient's, and one could not be read.
    """
    random = np.random.default_rng(0)
    pixels = random.integers(0, 90, size=(IMAGES, 1, 16, 16), dtype=np.uint8)
    pixels[::2, :, :8] += 120
    pixels[1::2, :, 8:] += 120
    groups = [*range(36), 36, 36, 38, 38]
    copies = [*range(38), 38, 38]
    aside = [None if row != UNREADABLE else "truncated" for row in range(IMAGES)]
    manifest = empty_manifest(IMAGES, group=groups, copy_set=copies, width_px=16, height_px=16, color=False, set_aside=aside)
    return write_dataset(tmp_path_factory.mktemp("pile") / "dataset", pixels, manifest).folder


@pytest.fixture(scope="session")
def run_on_pile(pile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pile with labels and a split, and beside it a finished run, both to be copied."""
    folder = tmp_path_factory.mktemp("results")
    data = shutil.copytree(pile, folder / "dataset")
    rows = list(range(24))
    Dataset.open(data).labels.enter(rows, [CLASSES[row % 2] for row in rows], origin="folder")
    fewscan.split(data, labeled=16, test=4)
    fewscan.train(
        data, out=folder / "runs" / "first", method="supervised", training_images=64, encoder={"name": "resnet_small"}
    )
    return folder


@pytest.fixture
def checkable(run_on_pile: Path, tmp_path: Path) -> Path:
    """A folder with the pile and its run, which has labels of all scans, as `label` writes them: right, and none accepted."""
    shutil.copytree(run_on_pile, tmp_path, dirs_exist_ok=True)
    rows = [row for row in range(IMAGES) if row != UNREADABLE]
    score, label = np.linspace(1, 0.9, len(rows)), [CLASSES[row % 2] for row in rows]
    first = np.where(np.array(label) == CLASSES[0], score, 1 - score)
    names = Dataset.open(tmp_path / "dataset").snapshot().file_names
    columns = {
        "path": [names[row] for row in rows],
        "label": label,
        **{f"probability_{name}": share for name, share in zip(CLASSES, (first, 1 - first), strict=True)},
        "score": score,
        "typicality": 0.0,
        "possible": label,
        "decision": "review",
        "reason": "the labels support no acceptance",
        "seen": None,
    }
    path = path_of(tmp_path / "runs" / "first", "labels")
    path.parent.mkdir()
    write_table(pd.DataFrame(columns).astype({"seen": "str"}), path)
    return tmp_path


@pytest.fixture
def dataset(pile: Path, tmp_path: Path) -> Dataset:
    return Dataset.open(shutil.copytree(pile, tmp_path / "dataset"))


@pytest.fixture
def review(dataset: Dataset, tmp_path: Path) -> Review:
    return reviewed(dataset, classes=CLASSES, encoder=None, door=Door.at("127.0.0.1", 8765), runs=tmp_path / "runs")


@pytest.fixture
def client(review: Review) -> TestClient:
    return TestClient(application(review), base_url=ADDRESS)


@pytest.fixture
def decide(client: TestClient) -> Callable[..., dict]:
    """A function that gives a label as a page does, and returns the answer."""

    def send(row: int, label: str | None, reviewer: str = "Ada", **more: object) -> dict:
        asked = {"rows": [row], "state": "label" if label else "none", "label": label, "reviewer": reviewer} | more
        answer = client.post("/api/decisions", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return send


@pytest.fixture
def page_server(dataset: Dataset) -> Iterator[Served]:
    page = served(dataset.folder, port=0, classes=CLASSES)
    page.review.tutor.take(Seen(pixel_features(dataset.pixels), "pixels", None))
    answers = server(application(page.review))
    thread = Thread(target=answers.run, kwargs={"sockets": [page.listening]}, daemon=True)
    thread.start()
    yield page
    answers.should_exit = True
    thread.join()


@pytest.fixture
def browser(launched: "playwright.Browser", page_server: Served) -> Iterator["playwright.Browser"]:
    """A browser that knows nothing of an earlier test's pages, and closes its own before their server ends."""
    yield launched
    for context in launched.contexts:
        context.close()


IMPATIENT = """for (const wait of ["setTimeout", "setInterval"]) {
  const real = window[wait];
  window[wait] = (act, milliseconds, ...given) => real(act, milliseconds / 10, ...given);
}"""


def opened(browser: "playwright.Browser", address: str, name: str, faults: list[str], view: str = "/") -> "playwright.Page":
    """The page as a person sees it who has given a name; what the browser complains of goes to `faults`.

    It asks the server for news ten times as often as a person's.
    """
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.add_init_script(IMPATIENT)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith(address) else faults.append(asked.url))
    page.goto(address + view)
    page.fill("#name", name)
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('waiting')?.hidden ?? true")
    return page


def says(page: "playwright.Page", element: str, text: str) -> None:
    """Wait until an element of the page holds a text."""
    page.wait_for_function("([id, text]) => document.getElementById(id).textContent.includes(text)", arg=[element, text])


def takes_back(page: "playwright.Page", what: str) -> None:
    """Wait until the page says of something that it is saved no longer, or again."""
    said = "what => (text => text.includes(what) && !text.startsWith('Saved'))(document.getElementById('saved').textContent)"
    page.wait_for_function(said, arg=what)


def shows_no_scan(page: "playwright.Page") -> None:
    """Wait until the page Label has no scan left to show."""
    page.wait_for_function(
        "() => !document.getElementById('waiting').hidden && !document.getElementById('about').children.length"
    )


def begins(page: "playwright.Page", element: str, text: str) -> None:
    """Wait until an element of the page begins with a text."""
    page.wait_for_function("([id, text]) => document.getElementById(id).textContent.startsWith(text)", arg=[element, text])


def held_back(page: "playwright.Page", address: str) -> Callable[[], None]:
    """Answer no request to an address until the returned function is called."""
    waiting: list[playwright.Route] = []
    held = True

    def take(request: "playwright.Route") -> None:
        if held:
            waiting.append(request)
        else:
            request.continue_()

    def let_in() -> None:
        nonlocal held
        held = False
        for request in waiting:
            request.continue_()

    page.route(address, take)
    return let_in


LATE = """part => {
  const real = window.fetch;
  window.late = [];
  window.fetch = async (path, options) => {
    const answer = await real(path, options);
    if (String(path).includes(part)) await new Promise((arrive) => window.late.push(arrive));
    return answer;
  };
}"""


def answered_late(page: "playwright.Page", part: str) -> Callable[..., None]:
    """Let what the server answers to addresses with that part wait on its way.

    The returned function waits until there are as many such answers as it is given numbers, and lets them in, in the order of
    these numbers.
    """
    page.evaluate(LATE, part)

    def let_in(*numbers: int) -> None:
        page.wait_for_function("count => window.late.length >= count", arg=1 + max(numbers))
        page.evaluate("numbers => numbers.forEach((number) => window.late[number]())", numbers)

    return let_in


@contextmanager
def answers_awaited(page: "playwright.Page", part: str, number: int) -> Iterator[None]:
    """Wait at the end until the server has answered so many of the page's requests to addresses with that part."""
    answered = 0

    def is_last(answer: "playwright.Response") -> bool:
        nonlocal answered
        answered += part in answer.url
        return answered == number

    with page.expect_response(is_last):
        yield


def asked_of(page: "playwright.Page", part: str) -> list[str]:
    """Return the list to which the addresses with that part go that the page asks from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if part in request.url else None)
    return asked
