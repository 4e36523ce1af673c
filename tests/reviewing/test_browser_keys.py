"""Who has the keys on the pages: what a choice brings where it was made with the mouse, else the choice."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.reviewing.serving import Served
from tests.made import pairs_table
from tests.reviewing.conftest import begins, held_back, opened

if TYPE_CHECKING:
    import playwright.sync_api as playwright


@pytest.fixture
def dataset(checkable: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The pile with three pairs and a run, whose labels are to be checked."""
    monkeypatch.chdir(checkable)
    dataset = Dataset.open(checkable / "dataset")
    assert dataset.description.audit is not None
    pairs = pairs_table((first, first + 1, "near", 0.8 + first / 100) for first in (24, 26, 28))
    return dataset.with_pairs(pairs, dataset.description.audit)


def has_the_keys(page: "playwright.Page", element: str) -> None:
    page.wait_for_function("element => document.activeElement.matches(element)", arg=element)


@pytest.mark.slow
def test_arrows_move_among_pairs_once_the_part_of_the_page_is_chosen(
    browser: "playwright.Browser", page_server: Served
) -> None:
    faults: list[str] = []
    page = opened(browser, page_server.address, "Ada", faults, "/quality")
    begins(page, "pair-said", "1 of 3")
    page.check("input[name=part][value=conflicts]", force=True)
    page.check("input[name=part][value=pairs]", force=True)
    has_the_keys(page, "#pairs")
    page.keyboard.press("ArrowRight")
    begins(page, "pair-said", "2 of 3")
    assert page.is_checked("input[name=part][value=pairs]")
    page.select_option("#which-pairs", "dissolved")
    has_the_keys(page, "#pairs")

    # Who goes through the choices by the keyboard can go on so.
    page.focus("input[name=part][value=pairs]")
    for part in ("conflicts", "doubts"):
        page.keyboard.press("ArrowRight")
        has_the_keys(page, f"input[name=part][value={part}]")
        page.wait_for_selector(f"#{part}:not([hidden])")
    assert faults == []


@pytest.mark.slow
def test_escape_leaves_who_is_reviewing(browser: "playwright.Browser", page_server: Served) -> None:
    page = opened(browser, page_server.address, "Ada", [], "/agreement")
    for key, name in (("Escape", "Ada"), ("Enter", "Grace"), ("Escape", "Grace")):
        page.click("#who")
        page.fill("#name", "Grace")
        page.keyboard.press(key)
        page.wait_for_selector("#name-dialog[open]", state="hidden")
        page.evaluate("() => new Promise((done) => setTimeout(done, 50))")  # the page is told of it after that
        assert (page.inner_text("#who"), page.evaluate("localStorage['fewscan reviewer']")) == (name, name)


@pytest.mark.slow
def test_a_choice_made_with_the_mouse_gives_the_keys_to_what_it_brings(
    browser: "playwright.Browser", page_server: Served
) -> None:
    faults: list[str] = []
    page = opened(browser, page_server.address, "Ada", faults, "/map")
    page.check("input[name=by][value=model]", force=True)
    has_the_keys(page, "#canvas")

    page.goto(f"{page_server.address}/check?run=first")
    page.wait_for_function("() => document.getElementById('check').ariaBusy === 'false'")
    page.select_option("#error", "0.2")
    has_the_keys(page, "#canvas")

    page.goto(f"{page_server.address}/grid")
    let_in = held_back(page, "**/api/grid?*which=said*")
    page.check("input[name=which][value=said]", force=True)
    has_the_keys(page, "#grid")
    # None is there yet, and then the first one is gone to first.
    page.keyboard.press("Shift+ArrowRight")
    let_in()
    page.wait_for_function("() => document.querySelectorAll('.cell').length > 2")
    for place in (1, 2):
        page.keyboard.press("ArrowRight")
        has_the_keys(page, f".cell:nth-child({place})")
    assert page.is_checked("input[name=which][value=said]")
    assert faults == []
