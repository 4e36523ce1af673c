"""What holds for every page, whatever template it is made of."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from fewscan.reporting.rendering import render, sentence

if TYPE_CHECKING:
    import playwright.sync_api as playwright

TEMPLATE = """<style>.half { width: calc(50 % 3); }</style><script>const left = 7 % 3;</script>
<p title="95 % of them">{{ share | percent }}, {{ sentence }}; 95
  % interval and 100 % of these</p><script>const right = 8 % 3;</script>"""

NARROW = """{% extends "base.html" %}{% block body %}<p title="--same-head">{{ sentence }}</p>{% endblock %}"""

PRINTED = """{% extends "base.html" %}{% block body %}<table>
<tr>{% for head in heads %}<th scope="col" class="number">{{ head }}</th>{% endfor %}</tr>
{% for name in names %}<tr><th scope="row">{{ name }}</th>
{% for _ in heads[1:] %}<td class="number">63.3 % [49.9, 75.4]</td>{% endfor %}</tr>{% endfor %}</table>{% endblock %}"""
# Of each word in a table whether it stands on several lines.
WORDS = """() => [...document.querySelectorAll("th, td")].flatMap((cell) => {
  const text = cell.firstChild;
  return [...text.textContent.matchAll(/[^ ]+/g)].map((word) => {
    const range = document.createRange();
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return [word[0], new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size > 1];
  });
})"""
A4_PX = 718  # between margins

Edges = Callable[[int, str, int], tuple[bool, bool]]
VISIBLE = 25  # of 255 grays
WIDE = """{% extends "base.html" %}{% block body %}
<div class="scroll" style="width: 400px; height: 200px"><div style="width: {{ width_px }}px; height: 1px"></div></div>
{% endblock %}"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with a template as a page and as Markdown, and with one of a page that scrolls."""
    folder = tmp_path / "own_templates"
    (folder / "templates").mkdir(parents=True)
    (folder / "__init__.py").touch()
    for name in ("page.html", "card.md"):
        (folder / "templates" / name).write_text(TEMPLATE)
    (folder / "templates" / "wide.html").write_text(WIDE)
    (folder / "templates" / "narrow.html").write_text(NARROW)
    (folder / "templates" / "printed.html").write_text(PRINTED)
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder.name


def test_a_number_and_its_percent_sign_stay_on_one_line(package: str) -> None:
    page = render("page.html", package=package, share=0.841, sentence="right on 3.0 % [1.0, 5.0]")
    assert re.findall(r"\d\s+%", page.partition("<p")[2].partition("</p>")[0]) == [
        "5\u00a0%",
        "1\u00a0%",
        "0\u00a0%",
        "5\u00a0%",
        "0\u00a0%",
    ]


def test_no_line_ends_in_an_option_of_a_command(package: str, launched: "playwright.Browser", tmp_path: Path) -> None:
    """At whatever width the page is read: hyphens are where lines end by themselves."""
    words = "give --target-error 0.17, the least that these images support, or --same-head"
    (tmp_path / "narrow.html").write_text(render("narrow.html", package=package, sentence=words), encoding="utf-8")
    with launched.new_context() as context:
        page = context.new_page()
        page.goto((tmp_path / "narrow.html").as_uri())
        for width in range(200, 600, 8):
            page.set_viewport_size({"width": width, "height": 300})
            assert page.evaluate(
                "() => [...document.querySelectorAll('.unbroken')].map((one) => one.getClientRects().length)"
            ) == [1, 1]
        assert page.inner_text("p") == words
        assert page.get_attribute("p", "title") == "--same-head"


def test_on_paper_wide_tables_fit_and_break_no_word_but_a_name_that_is_too_long(
    package: str, launched: "playwright.Browser", tmp_path: Path
) -> None:
    heads = [
        "corruption",
        "accuracy",
        "balanced accuracy",
        "calibration error",
        "probability",
        "out of distribution",
        "accepted",
        "wrong",
    ]
    long = "Glioblastoma_multiforme_IDH_wildtype_MGMT_methylated_recurrent_WHO_grade_4"
    page_text = render("printed.html", package=package, heads=heads, names=["equalization", "simclr+propagation", long])
    (tmp_path / "printed.html").write_text(page_text, encoding="utf-8")
    with launched.new_context(viewport={"width": A4_PX, "height": 1000}) as context:
        page = context.new_page()
        page.goto((tmp_path / "printed.html").as_uri())
        page.emulate_media(media="print")
        assert page.evaluate("() => document.querySelector('table').getBoundingClientRect().right") <= A4_PX
        assert {word for word, is_broken in page.evaluate(WORDS) if is_broken} == {long}


def test_scripts_and_styles_stay_as_they_are_written(package: str) -> None:
    page = render("page.html", package=package, share=None, sentence="")
    for one in ("calc(50 % 3)", "const left = 7 % 3;", "const right = 8 % 3;"):
        assert one in page


def test_what_is_no_page_is_left_as_it_is_written(package: str) -> None:
    assert "\u00a0" not in render("card.md", package=package, share=0.5, sentence="3 %")


@pytest.fixture
def edges(package: str, launched: "playwright.Browser", tmp_path: Path) -> Iterator[Edges]:
    """A function that opens a page with what is so wide in a place of 400 px, scrolls, and says which edges are shaded."""
    with launched.new_context(viewport={"width": 600, "height": 300}) as context:
        page = context.new_page()

        def shaded(width_px: int, scheme: str, scrolled_px: int) -> tuple[bool, bool]:
            path = tmp_path / "page.html"
            path.write_text(render("wide.html", package=package, width_px=width_px), encoding="utf-8")
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(path.as_uri())
            place = page.locator(".scroll")
            place.evaluate("(place, px) => { place.scrollLeft = px; }", scrolled_px)
            row = np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("L"), dtype=int)[100]
            paper = row[len(row) // 2]
            return abs(row[1] - paper) > VISIBLE, abs(row[-2] - paper) > VISIBLE

        yield shaded


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_wider_than_its_place_shows_at_which_edge_it_goes_on(scheme: str, edges: Edges) -> None:
    assert edges(400, scheme, 0) == (False, False)
    assert edges(900, scheme, 0) == (False, True)
    assert edges(900, scheme, 250) == (True, True)
    assert edges(900, scheme, 500) == (True, False)


def test_a_sentence_begins_with_a_capital_and_keeps_the_names_within_it() -> None:
    assert sentence("the encoder has ImageNet's weights") == "The encoder has ImageNet's weights"
    assert sentence("") == ""
