"""Pages that are passed on, in a browser: read in both color schemes, on a phone and on paper."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fewscan
from fewscan.datasets.snapshot import Snapshot
from fewscan.reporting.comparing.page import comparison_page
from tests.comparison.made_up import made_up
from tests.looks import SCHEMES, faint_texts, scrolls_sideways, small_controls

if TYPE_CHECKING:
    import playwright.sync_api as playwright

PHONE = {"width": 390, "height": 844}
LAST_SEEN = """() => [...document.querySelectorAll(".explained :is(td:last-child, .below)")]
  .map((cell) => cell.getBoundingClientRect())
  .every(({ left, right, width }) => left >= 0 && right <= window.innerWidth && width > window.innerWidth / 2)"""
BELOW_ONE_ANOTHER = """() => [...document.querySelectorAll(".plots > *")].map((plot) => plot.getBoundingClientRect())
  .every(({ left, right }) => left >= 0 && right <= window.innerWidth && right - left > 0.8 * window.innerWidth)"""
PAPER = "() => getComputedStyle(document.body).backgroundColor"
NUMBERS_SEEN = """() => [...document.querySelectorAll("tr > th[scope=row]:first-child + td.number:nth-child(2)")]
  .every((cell) => cell.getBoundingClientRect().right <= window.innerWidth)"""


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory, make_dataset: Callable[..., Snapshot]) -> dict[str, Path]:
    """The pages of a dataset, of a run and of a comparison."""
    folder = tmp_path_factory.mktemp("pages")
    data = make_dataset(80).folder
    fewscan.audit(data)
    fewscan.split(data, labeled=40, test=20)
    changes = {"training_images": 64, "encoder": {"name": "resnet_small"}}
    run = fewscan.train(data, out=folder / "run", method="supervised", **changes)
    fewscan.calibrate(run, folds=2, overwrite=True)
    fewscan.evaluate(run)
    fewscan.label_suspects(run, out=folder / "suspects.csv")
    fewscan.map_scans(run, out=folder / "map.html")
    found = {name: folder / f"{name}.html" for name in ("report", "suspects", "map", "comparison")}
    fewscan.report(run, out=found["report"])
    compared = comparison_page(
        made_up(make_dataset, {("leakfree", "supervised"): (20, 22), ("leakfree", "joint"): (30, 30)}), [], []
    )
    found["comparison"].write_text(compared, encoding="utf-8")
    return found | {"audit": data / "audit.html"}


@contextmanager
def shown(browser: "playwright.Browser", page: Path, **kind: object) -> Iterator["playwright.Page"]:
    with browser.new_context(**kind) as context:  # type: ignore[arg-type]
        opened = context.new_page()
        opened.goto(page.as_uri())
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_are_read_in_both_color_schemes_and_on_a_phone(
    pages: dict[str, Path], launched: "playwright.Browser", scheme: str
) -> None:
    for name, path in pages.items():
        with shown(launched, path, color_scheme=scheme) as page:
            assert (name, faint_texts(page)) == (name, [])
        with shown(launched, path, color_scheme=scheme, viewport=PHONE, has_touch=True, is_mobile=True) as page:
            for part in page.locator("summary").all():
                part.click()
            assert (name, faint_texts(page)) == (name, [])
            assert (name, small_controls(page)) == (name, [])
            assert (name, scrolls_sideways(page)) == (name, False)
            assert (name, page.evaluate(LAST_SEEN)) == (name, True)


@pytest.mark.slow
def test_on_a_phone_what_was_counted_is_seen_beside_what_it_counts(
    pages: dict[str, Path], launched: "playwright.Browser"
) -> None:
    with shown(launched, pages["audit"], viewport=PHONE, has_touch=True, is_mobile=True) as page:
        assert page.evaluate(NUMBERS_SEEN)


@pytest.mark.slow
def test_on_a_phone_plots_stand_below_one_another(pages: dict[str, Path], launched: "playwright.Browser") -> None:
    with shown(launched, pages["report"], viewport=PHONE, has_touch=True, is_mobile=True) as page:
        assert page.locator(".plots > *").count() >= 4
        assert page.evaluate(BELOW_ONE_ANOTHER)


@pytest.mark.slow
def test_paper_is_white_whatever_the_screen_shows(pages: dict[str, Path], launched: "playwright.Browser") -> None:
    for name, path in pages.items():
        with shown(launched, path, color_scheme="dark") as page:
            page.emulate_media(media="print")
            assert (name, page.evaluate("() => getComputedStyle(document.body).backgroundColor")) == (
                name,
                "rgb(255, 255, 255)",
            )
            assert (name, faint_texts(page)) == (name, [])


@pytest.mark.slow
def test_two_fingers_zoom_the_map_and_a_tap_near_a_scan_keeps_it(
    pages: dict[str, Path], launched: "playwright.Browser"
) -> None:
    with shown(launched, pages["map"], viewport=PHONE, has_touch=True, is_mobile=True) as page:
        page.locator("#map").scroll_into_view_if_needed()
        box = page.locator("#map").bounding_box()
        assert box is not None
        zoom = page.evaluate("() => view.zoom")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        session = page.context.new_cdp_session(page)
        for kind, apart in (("touchStart", 40), ("touchMove", 60), ("touchMove", 80), ("touchEnd", None)):
            points = [] if apart is None else [{"x": x + side * apart, "y": y, "id": side} for side in (0, 1)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert page.evaluate("() => view.zoom") == pytest.approx(2 * zoom, rel=0.05)
        page.tap("#whole")
        page.locator("#map").scroll_into_view_if_needed()
        x, y = page.evaluate(
            "() => place(0).map((at, axis) => at + Object.values(canvas.getBoundingClientRect().toJSON())[axis])"
        )
        page.touchscreen.tap(x - 12, y - 12)
        assert page.locator("#scan canvas").count() == 1


@pytest.mark.slow
def test_the_wheel_keeps_what_lies_under_it_and_a_drag_takes_it_along(
    pages: dict[str, Path], launched: "playwright.Browser"
) -> None:
    for ratio in (1, 2):
        with shown(launched, pages["map"], device_scale_factor=ratio, viewport={"width": 1280, "height": 1280}) as page:
            box = page.locator("#map").bounding_box()
            assert box is not None
            x, y = (box[at] + page.evaluate(f"() => place(0)[{axis}]") for axis, at in enumerate("xy"))
            page.mouse.move(x, y)
            page.mouse.wheel(0, -300)
            for _ in range(500):
                if page.evaluate("() => view.zoom") > 1:
                    break
                page.wait_for_timeout(10)
            under = [x - box["x"], y - box["y"]]
            assert page.evaluate("() => place(0)") == pytest.approx(under, abs=1)
            page.mouse.down()
            page.mouse.move(x + 2, y + 1)
            page.mouse.move(x + 40, y - 25, steps=4)
            page.mouse.up()
            assert page.evaluate("() => place(0)") == pytest.approx([under[0] + 40, under[1] - 25], abs=1)
            assert page.evaluate("() => kept") == -1
            page.mouse.click(x + 40, y - 25)
            assert page.evaluate("() => kept") >= 0
