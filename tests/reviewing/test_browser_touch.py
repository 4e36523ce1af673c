"""The page on tablets and phones, in both color schemes: all is read and reached by fingers, which zoom and move as well."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from fewscan.reviewing.pages import VIEWS
from fewscan.reviewing.serving import Served
from tests.looks import SCHEMES, faint_texts, scrolls_sideways, small_controls
from tests.reviewing.conftest import shows_no_scan

if TYPE_CHECKING:
    import playwright.sync_api as playwright

WINDOWS = ((390, 844), (768, 1024), (1024, 768))
OPEN = "() => document.getElementById('waiting')?.hidden ?? true"
QUIET = "() => document.getElementById('standing')?.textContent !== ''"
COVERED = "() => document.querySelector('.bar')?.offsetHeight ?? 0"  # by what stays while scans are scrolled, in pixels
Place = tuple[float, float]


@contextmanager
def tablet(browser: "playwright.Browser", page_server: Served, view: str, **kind: object) -> Iterator["playwright.Page"]:
    """The page as a person sees it on a device without a mouse and without a keyboard."""
    context = browser.new_context(**({"viewport": {"width": 768, "height": 1024}} | kind), has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.add_init_script("localStorage.setItem('fewscan reviewer', 'Ada')")
    page.goto(page_server.address + view)
    page.wait_for_function(OPEN)
    page.wait_for_function(QUIET)
    yield page
    context.close()


def touch(page: "playwright.Page", *moves: tuple[Place, ...]) -> None:
    """Lay fingers on the page, one for each place, move them through the places that follow, and lift them."""
    session = page.context.new_cdp_session(page)
    for kind, places in zip(["touchStart", *["touchMove"] * (len(moves) - 1), "touchEnd"], [*moves, ()], strict=True):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def middle(page: "playwright.Page") -> Place:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.slow
def test_every_view_is_read_and_reached_by_fingers(browser: "playwright.Browser", page_server: Served) -> None:
    page_server.review.tutor.learn()
    with tablet(browser, page_server, "/") as page:
        for view in (*VIEWS, "/login", "/docs"):
            page.goto(page_server.address + view)
            page.wait_for_function(QUIET)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colors are there at once
                assert (view, scheme, faint_texts(page)) == (view, scheme, [])
            for width, height in WINDOWS:
                page.set_viewport_size({"width": width, "height": height})
                at = f"{view} of {width} px"
                assert (at, small_controls(page)) == (at, [])
                assert (at, scrolls_sideways(page)) == (at, False)
                assert (at, page.locator("kbd:visible").count()) == (at, 0)
                assert (at, page.evaluate(COVERED) < height / 4) == (at, True)


@pytest.mark.slow
def test_keys_are_told_once_one_was_pressed(browser: "playwright.Browser", page_server: Served) -> None:
    with tablet(browser, page_server, "/") as page:
        assert page.locator("kbd:visible").count() == 0
        page.tap("#new-class")
        page.keyboard.press("g")  # as on a screen's keyboard
        page.tap("#class-dialog [data-close]")
        assert page.locator("kbd:visible").count() == 0
        page.keyboard.press("0")
        assert page.locator("kbd:visible").count() > 0


@pytest.mark.slow
def test_two_fingers_zoom_and_move_a_scan_and_one_turns_its_window(browser: "playwright.Browser", page_server: Served) -> None:
    with tablet(browser, page_server, "/") as page:
        x, y = middle(page)
        touch(page, ((x - 50, y),), ((x - 50, y), (x + 50, y)), ((x - 100, y), (x + 100, y)))
        said = page.inner_text("#window-said")
        assert "zoom 2.0" in said
        assert "level" not in said
        painted = page.evaluate("() => document.getElementById('canvas').toDataURL()")
        touch(page, ((x - 50, y), (x + 50, y)), ((x - 50, y - 60), (x + 50, y - 60)))
        assert page.evaluate("() => document.getElementById('canvas').toDataURL()") != painted
        assert "level" not in page.inner_text("#window-said")
        touch(page, ((x, y),), ((x, y + 40),))
        assert "level" in page.inner_text("#window-said")


@pytest.mark.slow
def test_two_fingers_draw_nothing_on_the_map_and_one_draws_around(browser: "playwright.Browser", page_server: Served) -> None:
    page_server.review.tutor.learn()
    with tablet(browser, page_server, "/map") as page:
        x, y = middle(page)
        before = page.inner_text("#told")
        touch(page, ((x - 40, y), (x + 40, y)), ((x - 45, y), (x + 45, y)))
        assert page.inner_text("#told") == before
        page.tap("#reset")
        box = page.locator("#canvas").bounding_box()
        assert box is not None
        # Around all: the first finger draws.
        corners = ((2, 2), (box["width"] - 2, 2), (box["width"] - 2, box["height"] - 2), (2, box["height"] - 2))
        touch(page, *(((box["x"] + across, box["y"] + down),) for across, down in corners))
        page.wait_for_function("() => document.querySelectorAll('.cell').length > 1")


@pytest.mark.slow
def test_where_no_scan_is_shown_no_heat_map_is_either(browser: "playwright.Browser", page_server: Served) -> None:
    with tablet(browser, page_server, "/") as page:
        page.evaluate("() => document.getElementById('heat').setAttribute('aria-pressed', 'true')")
        page.check("input[value=settle]")
        shows_no_scan(page)
        assert page.get_attribute("#heat", "aria-pressed") == "false"


@pytest.mark.slow
def test_fingers_go_from_scan_to_scan_without_an_answer(browser: "playwright.Browser", page_server: Served) -> None:
    with tablet(browser, page_server, "/") as page:
        shown = "scan => document.getElementById('waiting').hidden && document.getElementById('canvas').ariaLabel === scan"
        first = page.get_attribute("#canvas", "aria-label")
        page.tap("#forward")
        page.wait_for_function(shown.replace("===", "!=="), arg=first)
        page.tap("#backward")
        page.wait_for_function(shown, arg=first)
    assert (page_server.review.desk.dataset.labels.current(40)["state"] == "none").all()
