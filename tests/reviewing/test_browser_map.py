"""The map in a real browser: drawn on, a cluster picked by number, scans answered together and taken back."""

import time
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from fewscan import reviewing
from fewscan.mapping import clusters
from fewscan.reviewing import charting
from fewscan.reviewing.serving import Served
from tests.reviewing.conftest import IMAGES, held_back, opened, takes_back

if TYPE_CHECKING:
    import playwright.sync_api as playwright

COUNTED = "count => document.querySelectorAll('.cell').length === count"
SAVED = "text => document.getElementById('saved').textContent.startsWith(text)"
READY = "() => document.getElementById('way').textContent.includes('t-SNE')"


def draw_around_all(page: "playwright.Page") -> None:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    left, top, right, bottom = box["x"] + 2, box["y"] + 2, box["x"] + box["width"] - 2, box["y"] + box["height"] - 2
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y)
    page.mouse.up()


def slow_colors(colored: Callable[..., object]) -> Callable[..., object]:
    """Return it with a pause before, as on a busy machine: what can be drawn around can be looked into then, too."""

    def slowly(*given: object) -> object:
        time.sleep(0.5)
        return colored(*given)

    return slowly


@pytest.mark.slow
def test_what_is_drawn_around_is_looked_into_and_answered_together(
    browser: "playwright.Browser", page_server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "LEAST_SCANS", 3)  # so that even so few scans have several clusters
    monkeypatch.setattr(charting, "colored", slow_colors(charting.colored))
    faults: list[str] = []
    desk, log = page_server.review.desk, page_server.review.desk.dataset.labels
    page = opened(browser, page_server.address, "Ada", faults, view="/map")
    page.wait_for_function(READY)
    draw_around_all(page)
    asked = int((desk.eligible & ~desk.sample).sum())
    page.wait_for_function(COUNTED, arg=asked)
    assert f"{asked} scans" in page.inner_text("#told")
    page.keyboard.press("]")
    page.wait_for_function(f"count => !({COUNTED})(count)", arg=asked)
    inside = page.locator(".cell").count()
    assert 0 < inside < asked
    page.keyboard.press("a")
    page.keyboard.press("1")
    page.wait_for_function(SAVED, arg="Saved: glioma")
    assert (log.current(IMAGES)["label"] == "glioma").sum() == inside
    page.wait_for_function("() => document.querySelector('.cell span').textContent.trim() === 'glioma'")
    page.wait_for_function("() => document.getElementById('legend').textContent.includes('glioma')")
    page.keyboard.press("u")
    takes_back(page, "glioma")
    assert (log.current(IMAGES)["state"] == "none").all()

    # Ten at a time, and once however often more are asked for.
    script = (resources.files(reviewing) / "static" / "map.js").read_text(encoding="utf-8")
    assert "AT_ONCE = 60" in script
    page.route(
        "**/static/map.js",
        lambda route: route.fulfill(body=script.replace("AT_ONCE = 60", "AT_ONCE = 10"), content_type="text/javascript"),
    )
    page.reload()
    page.wait_for_function(READY)
    draw_around_all(page)
    page.wait_for_function(COUNTED, arg=10)
    let_in = held_back(page, "**/api/map/scans")
    page.click("#more")
    page.click("#more")
    let_in()
    page.wait_for_function(COUNTED, arg=20)
    page.click("#more")
    page.wait_for_function(COUNTED, arg=30)
    assert page.evaluate("() => new Set([...document.querySelectorAll('.cell')].map((cell) => cell.ariaLabel)).size") == 30
    assert faults == []
