"""Labels of a run checked in a real browser: answered by keys, found again after a reload, until the answers show it."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.labeling.table import read_table, write_table
from fewscan.reviewing.serving import Served
from tests.reviewing.conftest import CLASSES, answered_late, held_back, opened, says, takes_back

if TYPE_CHECKING:
    import playwright.sync_api as playwright


@pytest.fixture
def dataset(checkable: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset whose run has labels, beside the folder of runs that the page's server looks into."""
    monkeypatch.chdir(checkable)
    return Dataset.open(checkable / "dataset")


def waits(page: "playwright.Page") -> int:
    """The row of the scan that can be answered now."""
    page.wait_for_function("() => document.getElementById('check').getAttribute('aria-busy') === 'false'")
    return int(page.get_attribute("#canvas", "aria-label").removeprefix("Scan ").partition(",")[0])


def allow_a_fifth(page: "playwright.Page") -> None:
    page.select_option("#error", "0.2")
    says(page, "shown", "at most 20\u00a0%")


def answer(page: "playwright.Page", key: str, checked: int) -> None:
    page.keyboard.press(key)
    says(page, "shown", f"Checked {checked},")


FOLLOWED = """() => {
  const shown = document.getElementById("shown");
  window.said = [];
  new MutationObserver(() => window.said.push(shown.textContent)).observe(shown, { childList: true });
}"""

TURNED = """async () => {
  const { Slices } = await import("/static/slices.js");
  const waiting = new Map(), shown = [];
  const slices = new Slices((row) => new Promise((done) => waiting.set(row, () => done(row))), (levels) => shown.push(levels));
  const note = document.getElementById("slice-note");
  slices.open([4, 5, 6], 5);
  const own = note.hidden;
  const turns = [slices.step(1), slices.step(1), slices.turn(0)];
  const other = note.hidden;
  waiting.get(6)(); waiting.get(4)();
  await Promise.all(turns);
  turns.push(slices.step(1));
  slices.open([7], 7);
  waiting.get(5)();
  await Promise.all(turns);
  return { shown, own, other, many: slices.many, after: note.hidden };
}"""


@pytest.mark.slow
def test_of_slices_the_one_that_was_turned_to_last_is_shown(browser: "playwright.Browser", page_server: Served) -> None:
    page = opened(browser, page_server.address, "Ada", [], "/check?run=first")
    waits(page)
    found = page.evaluate(TURNED)
    assert found == {"shown": [4], "own": True, "other": False, "many": False, "after": True}


@pytest.mark.slow
def test_what_is_asked_for_last_comes_to_the_screen(browser: "playwright.Browser", page_server: Served) -> None:
    page = opened(browser, page_server.address, "Ada", [], "/check?run=first")
    waits(page)
    let_in = held_back(page, "**/check?*at_most=0.05*")
    page.select_option("#error", "0.05")
    page.select_option("#error", "0.2")
    assert page.get_attribute("#check", "aria-busy") == "true"
    page.evaluate(FOLLOWED)
    let_in()
    says(page, "shown", "at most 20\u00a0%")
    assert "at most 5\u00a0%" not in " ".join(page.evaluate("() => window.said"))
    answer(page, str(1 + waits(page) % 2), 1)


@pytest.mark.slow
def test_a_run_that_is_chosen_while_runs_are_asked_for_stays_chosen(
    browser: "playwright.Browser", page_server: Served, checkable: Path
) -> None:
    shutil.copytree(checkable / "runs" / "first", checkable / "runs" / "second")
    page = opened(browser, page_server.address, "Ada", [], "/quality")
    says(page, "pairs-told", "pair")  # what is chosen before the page has opened is asked for once more
    page.check("input[name=part][value=doubts]", force=True)
    says(page, "doubts-told", "not checked yet")
    let_in = answered_late(page, "/api/runs?")
    page.check("input[name=part][value=aside]", force=True)
    page.check("input[name=part][value=doubts]", force=True)
    page.wait_for_function("() => window.late.length === 1")
    page.select_option("#doubt-run", "second")
    let_in(1)
    let_in(0)
    page.evaluate("() => new Promise((done) => setTimeout(done, 0))")
    assert page.input_value("#doubt-run") == "second"


@pytest.mark.slow
def test_labels_are_checked_by_keys_until_it_is_shown(
    browser: "playwright.Browser", page_server: Served, checkable: Path
) -> None:
    faults: list[str] = []
    labels = checkable / "runs" / "first" / "page" / "labels.csv"
    page = opened(browser, page_server.address, "Ada", faults, "/results")
    page.click("text=Check these labels")
    page.wait_for_url("**/check?run=first")  # the page before has a choice of the same name
    allow_a_fifth(page)
    says(page, "shown", "Nothing is checked yet")
    right = {row: str(1 + row % 2) for row in range(40)}
    rows = []
    for number in range(1, 4):
        rows.append(waits(page))
        answer(page, right[rows[-1]], number)
    assert not set(CLASSES) & set(page.inner_text(".viewer").split())
    page.keyboard.press("u")
    takes_back(page, f"{CLASSES[rows[-1] % 2]}, scan {rows[-1]}")
    page.reload()
    allow_a_fifth(page)
    assert waits(page) == rows[-1]
    # A key that is pressed again before the next scan is there is not for that one.
    let_in = held_back(page, "**/check/answers")
    page.keyboard.press(right[rows[-1]])
    page.keyboard.press(right[rows[-1]])
    let_in()
    says(page, "shown", "Checked 3, 0 wrong.")
    # A colleague has the same scan on the screen, and is faster.
    row = waits(page)
    other = opened(browser, page_server.address, "Grace", faults, "/check?run=first")
    allow_a_fifth(other)
    assert waits(other) == row
    answer(other, "?", 4)
    page.keyboard.press(right[row])
    says(page, "trouble", "Not saved")
    assert waits(page) != row
    for checked in range(5, 40):
        answer(page, right[waits(page)], checked)
        if page.is_visible("#write"):
            break
        assert page.inner_text("#by-class") == ""
    assert all(f"{name} " in page.inner_text("#by-class") for name in CLASSES)
    page.click("#write")
    with page.expect_download() as taken:
        page.click("#download")
    checked = read_table(Path(taken.value.path()))
    assert (checked["decision"] == "accept").sum() == len(checked) - 1
    log = page_server.review.desk.dataset.labels
    assert log.current(40).loc[rows, "label"].tolist() == [CLASSES[row % 2] for row in rows]
    # Labels that were made anew are another matter.
    table = read_table(labels)
    write_table(table.assign(label=table["label"].iloc[::-1].to_numpy()), labels)
    page.reload()
    says(page, "trouble", "other labels")
    page.click("#anew")
    says(page, "shown", "Nothing is checked yet")
    assert len(pd.read_csv(labels.with_name("labels.check-1.csv"))) >= 4
    assert [fault for fault in faults if "409" not in fault] == []
