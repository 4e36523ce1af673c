"""The page in a real browser: forty scans by keyboard, undo, a reload, the grid; nothing from elsewhere, no policy broken."""

from typing import TYPE_CHECKING

import pytest

from fewscan.reviewing.serving import Served
from tests.reviewing.conftest import IMAGES, begins, held_back, opened, shows_no_scan, takes_back

if TYPE_CHECKING:
    import playwright.sync_api as playwright

OPEN = "() => document.getElementById('waiting').hidden"
SHOWN = (
    "row => document.getElementById('waiting').hidden && document.getElementById('canvas').getAttribute('aria-label') !== row"
)
AGAIN = SHOWN.replace("!==", "===")


def answer(page: "playwright.Page", key: str) -> str | None:
    """Answer the scan that is shown, and return what it is called."""
    before = page.get_attribute("#canvas", "aria-label")
    page.keyboard.press(key)
    page.wait_for_function(SHOWN, arg=before)
    return before


def take_back(page: "playwright.Page", scan: str | None) -> None:
    """Take back the last answer, which was that of a scan, and wait until that scan can be answered."""
    page.keyboard.press("u")
    page.wait_for_function(AGAIN, arg=scan)


@pytest.mark.slow
def test_a_pile_is_labeled_by_keyboard_and_found_again(browser: "playwright.Browser", page_server: Served) -> None:
    faults: list[str] = []
    page = opened(browser, page_server.address, "Ada", faults)
    painted = (
        "() => { const c = document.getElementById('canvas'); return c.getContext('2d').getImageData(0, 0, c.width, c.height)"
    )
    assert page.evaluate(painted + ".data.some((value, at) => at % 4 < 3 && value > 0) }")
    keys = [*"12" * 15, "n", "?", *"12" * 2, "1"]
    scans = [answer(page, key) for key in keys]
    log = page_server.review.desk.dataset.labels
    current = log.current(IMAGES)
    assert (current["state"] != "none").sum() == len(keys)
    assert current["label"].value_counts().to_dict() == {"glioma": 18, "meningioma": 17}
    begins(page, "standing", f"{len(keys)} of")  # it follows the answers; on its way it says each number
    take_back(page, scans[-1])
    takes_back(page, "scan")
    take_back(page, scans[-2])
    page.wait_for_function("() => document.getElementById('standing').textContent.startsWith('35 of')")
    assert (log.current(IMAGES)["state"] != "none").sum() == len(keys) - 2
    page.focus("#classes button:nth-child(2)")
    before = page.get_attribute("#canvas", "aria-label")
    page.keyboard.press("Enter")
    page.wait_for_function(SHOWN, arg=before)
    page.wait_for_function("() => document.getElementById('standing').textContent.startsWith('36 of')")
    assert page.evaluate("() => document.activeElement === document.querySelector('#classes button:nth-child(2)')")
    page.keyboard.press("u")
    page.wait_for_function("() => document.getElementById('standing').textContent.startsWith('35 of')")
    page.reload()
    page.wait_for_function(OPEN)
    assert "35 of 39 answered" in page.inner_text("#standing")
    page_server.review.tutor.learn()
    page.goto(f"{page_server.address}/grid")
    page.check("input[value=said]")
    # What the model calls is shown until what was said is there.
    page.wait_for_function("() => document.querySelectorAll('.cell').length === 17")
    page.locator(".cell").nth(0).click()
    page.locator(".cell").nth(3).click(modifiers=["Shift"])
    before = len(log.entries())
    page.keyboard.press("2")
    page.keyboard.press("2")
    page.wait_for_function("() => document.getElementById('saved').textContent.includes('4 scans')")
    page.wait_for_function("() => document.querySelectorAll('.cell').length === 13")
    assert len(log.entries()) == before + 4
    assert log.current(IMAGES)["label"].value_counts().to_dict() == {"meningioma": 20, "glioma": 13}
    assert faults == []


@pytest.mark.slow
def test_a_second_reader_is_blind_until_the_answer(browser: "playwright.Browser", page_server: Served) -> None:
    faults: list[str] = []
    desk = page_server.review.desk
    desk.dataset.labels.enter([7], ["glioma"], origin="review", who="Ada")
    page = opened(browser, page_server.address, "Grace", faults)
    page.check("input[value=second]")
    page.wait_for_function("() => document.getElementById('canvas').getAttribute('aria-label') === 'Scan 7'")
    assert "Ada" not in page.inner_text("body")
    # Folders are often called as classes are.
    assert desk.dataset.snapshot().file_names[7] not in page.content()
    assert "blind" in page.inner_text("#said")
    page.keyboard.press("2")
    shows_no_scan(page)
    assert desk.board().disputed[7]
    page.check("input[value=settle]")
    page.wait_for_function(OPEN)
    assert "Ada said: glioma" in page.inner_text("#said")
    page.keyboard.press("1")
    shows_no_scan(page)
    assert desk.board().labels[7] == "glioma"
    assert faults == []


@pytest.mark.slow
def test_what_is_taken_back_is_the_answer_that_is_being_saved(browser: "playwright.Browser", page_server: Served) -> None:
    faults: list[str] = []
    log = page_server.review.desk.dataset.labels
    page = opened(browser, page_server.address, "Ada", faults)
    answer(page, "1")
    kept = log.current(IMAGES)["state"]
    let_in = held_back(page, "**/api/decisions")
    page.keyboard.press("2")
    page.keyboard.press("u")
    let_in()
    takes_back(page, "meningioma")
    assert (log.current(IMAGES)["state"] == kept).all()
    assert faults == []
