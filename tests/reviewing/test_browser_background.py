"""What is begun in the background by a double click is begun once, and nothing is said to be refused."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.reviewing.commands import Commands
from fewscan.reviewing.serving import Served
from tests.reviewing.conftest import held_back, opened, says

if TYPE_CHECKING:
    import playwright.sync_api as playwright


@pytest.fixture
def dataset(checkable: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset with a run, beside the folder of runs that the page's server looks into."""
    monkeypatch.chdir(checkable)
    return Dataset.open(checkable / "dataset")


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Commands that run until this is set, whatever cancels them; then they were ended."""
    ends = threading.Event()

    def run(self: Commands, *words: str | Path) -> str:
        ends.wait()
        raise FewscanError("ended")

    monkeypatch.setattr(Commands, "run", run)
    yield ends
    ends.set()


def posts(page: "playwright.Page") -> list[str]:
    """Return the list to which the addresses go that the page posts to from now on."""
    posted: list[str] = []
    page.on("request", lambda asked: posted.append(asked.url.partition("/api/")[2]) if asked.method == "POST" else None)
    return posted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("view", "address", "begin", "cancel", "running", "cancelled"),
    [
        ("/model", "training", "#begin", "#cancel", ("phase", "Running"), ("phase", "Cancel")),
        ("/results", "making", "text=Write the report", "#cancel", ("making", "report"), ("making", "Cancel")),
        ("/quality", "making", "#check", "#check-cancel", ("doubts-told", "Checking"), ("doubts-told", "not checked yet")),
    ],
)
def test_what_is_clicked_twice_is_begun_and_cancelled_once(
    browser: "playwright.Browser",
    page_server: Served,
    ends: threading.Event,
    view: str,
    address: str,
    begin: str,
    cancel: str,
    running: tuple[str, str],
    cancelled: tuple[str, str],
) -> None:
    faults: list[str] = []
    page = opened(browser, page_server.address, "Ada", faults, view)
    if view == "/quality":
        page.check("input[name=part][value=doubts]", force=True)
        says(page, *cancelled)
    posted = posts(page)
    let_in = held_back(page, f"**/api/{address}")
    page.click(begin, click_count=2)
    let_in()
    says(page, *running)
    assert posted == [address]
    with page.expect_response(f"**/api/{address}/cancel"):  # what ends before it was cancelled has failed
        page.click(cancel, click_count=2)
        page.click(cancel)
    ends.set()
    says(page, *cancelled)
    assert posted == [address, f"{address}/cancel"]
    assert page.inner_text("#trouble") == ""
    assert faults == []


@pytest.mark.slow
def test_a_scan_that_is_sent_to_a_server_that_is_gone_is_told_in_the_pages_own_words(
    browser: "playwright.Browser", page_server: Served
) -> None:
    page = opened(browser, page_server.address, "Ada", [], "/model")
    page.route("**/api/predict?*", lambda asked: asked.abort())
    page.set_input_files("#file", {"name": "scan.png", "mimeType": "image/png", "buffer": b"scan"})
    says(page, "trouble", "The server does not answer")
    page.unroute("**/api/predict?*")
    page.set_input_files("#file", {"name": "other.png", "mimeType": "image/png", "buffer": b"scan"})
    says(page, "trouble", "no model yet")
    assert not page.is_visible("#shares")


@pytest.mark.slow
def test_while_a_file_is_read_nothing_is_said_of_the_one_before(browser: "playwright.Browser", page_server: Served) -> None:
    said = {"out_of_distribution": False, "notes": ["a note"], "shares": [{"label": "glioma", "probability": 0.9}]}
    page = opened(browser, page_server.address, "Ada", [], "/model")
    page.route("**/api/predict?*", lambda asked: asked.fulfill(json=said))
    page.set_input_files("#file", {"name": "first.png", "mimeType": "image/png", "buffer": b"scan"})
    page.wait_for_selector("#shares", state="visible")
    assert not page.is_visible("#reading")
    page.unroute("**/api/predict?*")
    held_back(page, "**/api/predict?*")
    page.set_input_files("#file", {"name": "second.png", "mimeType": "image/png", "buffer": b"scan"})
    page.wait_for_selector("#reading", state="visible")
    assert not page.is_visible("#shares")
    assert not page.is_visible("#notes")
    page.set_input_files("#file", [])
    page.wait_for_selector("#reading", state="hidden")


@pytest.mark.slow
def test_a_token_that_is_given_to_a_server_that_is_gone_says_so(browser: "playwright.Browser", page_server: Served) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{page_server.address}/login")
    page.route("**/api/login", lambda asked: asked.abort())
    page.fill("#token", "a token")
    page.press("#token", "Enter")
    says(page, "wrong", "The server does not answer")
