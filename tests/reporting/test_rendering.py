"""What holds for every page, whatever template it is made of."""

import re
from pathlib import Path

import pytest

from fewscan.reporting.rendering import render

TEMPLATE = """<style>.half { width: calc(50 % 3); }</style><script>const left = 7 % 3;</script>
<p title="95 % of them">{{ share | percent }}, {{ sentence }}; 95
  % interval and 100 % of these</p><script>const right = 8 % 3;</script>"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with one template, as a page and as Markdown."""
    folder = tmp_path / "own_templates"
    (folder / "templates").mkdir(parents=True)
    (folder / "__init__.py").touch()
    for name in ("page.html", "card.md"):
        (folder / "templates" / name).write_text(TEMPLATE)
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


def test_scripts_and_styles_stay_as_they_are_written(package: str) -> None:
    page = render("page.html", package=package, share=None, sentence="")
    for one in ("calc(50 % 3)", "const left = 7 % 3;", "const right = 8 % 3;"):
        assert one in page


def test_what_is_no_page_is_left_as_it_is_written(package: str) -> None:
    assert "\u00a0" not in render("card.md", package=package, share=0.5, sentence="3 %")
