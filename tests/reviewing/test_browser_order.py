"""What is pressed while the server is slow: no key goes to another scan, and no late answer undoes a later one."""

from typing import TYPE_CHECKING

import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.reviewing.serving import Served
from tests.made import pairs_table
from tests.reviewing.conftest import IMAGES, answered_late, answers_awaited, asked_of, begins, held_back, opened, says

if TYPE_CHECKING:
    import playwright.sync_api as playwright

OPEN = "() => document.getElementById('waiting').hidden"


def shown(page: "playwright.Page") -> int:
    """The row of the scan on the page Label."""
    page.wait_for_function(OPEN)
    return int((page.get_attribute("#canvas", "aria-label") or "").removeprefix("Scan ").partition(",")[0])


def shows(page: "playwright.Page", row: int) -> None:
    page.wait_for_function(
        "row => document.getElementById('waiting').hidden && document.getElementById('canvas').ariaLabel.split(',')[0] === row",
        arg=f"Scan {row}",
    )


def next_after(page: "playwright.Page", row: int) -> int:
    page.wait_for_function(
        "row => document.getElementById('waiting').hidden && document.getElementById('canvas').ariaLabel.split(',')[0] !== row",
        arg=f"Scan {row}",
    )
    return shown(page)


# A server that does not answer: how often it is asked, until it answers and after.
EVERY = """async () => {
  const { every } = await import("/static/asking.js");
  const real = window.setTimeout, waiting = [];
  window.setTimeout = (act) => waiting.push(act);
  let asked = 0, answer;
  every(5000, () => new Promise((done) => { asked += 1; answer = done; }));
  const passes = async () => {
    waiting.splice(0).forEach((act) => act());
    await new Promise((done) => real(done, 0));
    return asked;
  };
  const silent = [await passes(), await passes(), await passes()];
  answer();
  await new Promise((done) => real(done, 0));
  const after = await passes();
  window.setTimeout = real;
  return [...silent, after];
}"""


@pytest.mark.slow
def test_a_late_queue_brings_no_scan_again_that_is_answered(browser: "playwright.Browser", page_server: Served) -> None:
    page = opened(browser, page_server.address, "Ada", [])
    rows = [shown(page)]
    let_in = answered_late(page, "/api/next")
    for key, arrive in (("1", []), ("2", [1, 0]), ("1", [])):
        page.keyboard.press(key)
        rows.append(next_after(page, rows[-1]))
        if arrive:  # what was asked for before the answer comes after what was asked for later
            let_in(*arrive)
    assert len(set(rows)) == 4
    assert page.evaluate(EVERY) == [1, 1, 1, 2]


@pytest.mark.slow
def test_a_key_is_for_the_scan_that_is_on_the_screen_however_slow_the_server_is(
    browser: "playwright.Browser", page_server: Served
) -> None:
    faults: list[str] = []
    log = page_server.review.desk.dataset.labels
    page = opened(browser, page_server.address, "Ada", faults)
    first = shown(page)
    page.keyboard.press("1")
    second = next_after(page, first)
    begins(page, "standing", "1 of")

    # Who goes back while an answer is saved stays there.
    let_in = held_back(page, "**/api/decisions")
    page.keyboard.press("2")
    page.keyboard.press("ArrowLeft")
    shows(page, first)
    let_in()
    begins(page, "standing", "2 of")
    assert shown(page) == first
    page.keyboard.press("ArrowRight")
    shows(page, second)

    # What is taken back is looked at first: no key is for the scan that was there before.
    let_in = held_back(page, "**/api/undo")
    page.keyboard.press("ArrowRight")
    third = next_after(page, second)
    page.keyboard.press("u")
    page.keyboard.press("1")
    let_in()
    shows(page, second)
    begins(page, "standing", "1 of")
    assert log.current(IMAGES)["state"].tolist().count("none") == IMAGES - 1
    page.keyboard.press("2")
    shows(page, third)

    # What is skipped twice is skipped once.
    skipped = asked_of(page, "/api/skip")
    let_in = held_back(page, "**/api/skip")
    page.keyboard.press("s")
    page.keyboard.press("s")
    let_in()
    fourth = next_after(page, third)
    assert len(skipped) == 1

    # Another scan can be answered while one is saved.
    let_in = held_back(page, "**/api/decisions")
    page.keyboard.press("1")
    page.keyboard.press("ArrowLeft")
    shows(page, third)
    page.keyboard.press("2")
    let_in()
    begins(page, "saved", f"Saved: meningioma, scan {third}")
    shows(page, fourth)
    assert log.current(IMAGES)["label"][[third, fourth]].tolist() == ["meningioma", "glioma"]

    # A refusal is said whether the answer came by a key or by a click.
    page.route("**/api/decisions", lambda route: route.fulfill(status=409, json={"detail": "somebody was faster"}))
    page.click("#classes button:nth-child(2)")
    begins(page, "trouble", "Not saved. Somebody was faster")
    assert [fault for fault in faults if "409" not in fault] == []


@pytest.mark.slow
def test_arrows_go_on_in_the_order_shown_then_to_new_scans_and_come_back_to_those_left_open_last(
    browser: "playwright.Browser", page_server: Served
) -> None:
    faults: list[str] = []
    log = page_server.review.desk.dataset.labels
    page = opened(browser, page_server.address, "Ada", faults)
    rows = [shown(page)]
    for _ in range(6):  # more than the server is asked for ahead
        page.keyboard.press("ArrowRight")
        rows.append(next_after(page, rows[-1]))
    assert len(set(rows)) == 7
    for row in [*rows[-2::-1], *rows[1:]]:
        page.keyboard.press("ArrowLeft" if rows.index(row) < rows.index(shown(page)) else "ArrowRight")
        shows(page, row)
    page.keyboard.press("1")
    assert next_after(page, rows[-1]) not in rows

    # Where nothing new is left, what was left open comes, the longest ago first.
    log.enter([row for row in range(IMAGES) if row not in (3, 5, 8)], ["glioma"] * (IMAGES - 3), origin="review", who="Ada")
    page.reload()
    rows = [shown(page)]
    for _ in range(2):
        page.keyboard.press("ArrowRight")
        rows.append(next_after(page, rows[-1]))
    assert sorted(rows) == [3, 5, 8]
    for row in rows:
        page.keyboard.press("ArrowRight")
        shows(page, row)
    page.keyboard.press("1")
    shows(page, rows[0])
    assert faults == []


@pytest.mark.slow
def test_of_two_readings_the_one_chosen_last_comes_and_nothing_is_answered_before(
    browser: "playwright.Browser", page_server: Served
) -> None:
    faults: list[str] = []
    log = page_server.review.desk.dataset.labels
    log.enter([7], ["glioma"], origin="review", who="Ada")
    page = opened(browser, page_server.address, "Grace", faults)
    let_in = held_back(page, "**/api/status*")
    page.check("input[value=second]")
    assert page.evaluate("() => document.activeElement.id") == "canvas"
    page.keyboard.press("1")
    assert page.inner_text("#waiting") == "Opening"
    let_in()
    shows(page, 7)
    assert page.inner_text("#trouble") == ""
    # The only one that is left stays there.
    with page.expect_response("**/api/scans/7?*"):
        page.keyboard.press("ArrowRight")
    shows(page, 7)
    let_in = answered_late(page, "/api/next")
    page.check("input[value=first]")
    page.wait_for_function("() => window.late.length === 1")
    page.check("input[value=second]")
    let_in(1, 0)
    shows(page, 7)
    page.keyboard.press("2")
    begins(page, "saved", "Saved: meningioma, scan 7")
    assert faults == []


CELLS = "count => document.querySelectorAll('.cell').length === count"


@pytest.mark.slow
def test_cells_are_answered_once_and_those_selected_meanwhile_stay_so(
    browser: "playwright.Browser", page_server: Served
) -> None:
    faults: list[str] = []
    log = page_server.review.desk.dataset.labels
    log.enter(range(6), ["glioma"] * 4 + ["meningioma"] * 2, origin="review", who="Ada")
    page = opened(browser, page_server.address, "Ada", faults)

    # A choice before the classes are known asks for none.
    let_in = held_back(page, "**/api/status*")
    page.goto(f"{page_server.address}/grid")
    asked = asked_of(page, "/api/grid")
    page.check("input[value=said]")
    let_in()
    page.wait_for_function(CELLS, arg=4)
    assert len(asked) == 1

    let_in = held_back(page, "**/api/grid*")
    page.locator(".cell").nth(0).click()
    page.keyboard.press("2")
    begins(page, "saved", "Saved: meningioma, 1 scan")
    page.keyboard.press("2")
    page.locator(".cell").nth(2).click()
    let_in()
    page.wait_for_function(CELLS, arg=3)
    assert page.inner_text("#chosen") == "1 selected"
    assert len(log.entries()) == 7

    # Of a class that was left for another one nothing comes.
    let_in = answered_late(page, "/api/grid")
    page.keyboard.press("u")
    page.wait_for_function("() => window.late.length === 1")
    let_status_in = held_back(page, "**/api/status*")
    page.click("#labels button:nth-child(2)")
    let_in(0)
    page.wait_for_function(CELLS, arg=0)
    let_status_in()
    let_in(1)
    page.wait_for_function(CELLS, arg=2)
    assert faults == []


class TestPairs:
    @pytest.fixture
    def dataset(self, dataset: Dataset) -> Dataset:
        """The pile with three pairs."""
        assert dataset.description.audit is not None
        pairs = pairs_table((first, first + 1, "near", 0.8 + first / 100) for first in (0, 2, 4, 6))
        return dataset.with_pairs(pairs, dataset.description.audit)

    @pytest.mark.slow
    def test_pairs_are_judged_taken_back_and_gone_to_one_after_the_other(
        self, browser: "playwright.Browser", page_server: Served
    ) -> None:
        faults: list[str] = []
        folder = page_server.review.desk.dataset.folder
        page = opened(browser, page_server.address, "Ada", faults, "/quality")

        def waits(first: int) -> None:
            says(page, "first-said", f" scan {first} ")
            page.wait_for_function("() => document.getElementById('pair').ariaBusy === 'false'")

        # Who judges a pair and goes on comes to the one after the next.
        waits(0)
        let_in = held_back(page, "**/api/pairs/decisions")
        page.keyboard.press("d")
        page.keyboard.press("ArrowRight")
        let_in()
        begins(page, "pair-said", "2 of 3")
        waits(4)
        page.keyboard.press("c")
        begins(page, "pair-said", "2 of 2")
        waits(6)

        # Taken back is what was said last, and then what was said before.
        let_in = held_back(page, "**/api/pairs/decisions")
        # The list is asked for after each.
        with answers_awaited(page, "/api/pairs?", 2):
            page.keyboard.press("u")
            page.keyboard.press("u")
            let_in()
        begins(page, "pair-said", "2 of 4")
        said = [(one.row_a, one.verdict) for one in Dataset.open(folder).pair_decisions.entries()]
        assert said == [(0, "apart"), (4, "together"), (4, "open"), (0, "open")]

        # Of two choices the one that was made last comes, whose answer was there first.
        waits(2)
        let_in = answered_late(page, "/api/pairs?")
        page.select_option("#which-pairs", "dissolved")
        page.select_option("#which-pairs", "open")
        let_in(0)
        let_in(1)
        waits(0)
        assert faults == []
