"""Words of the field: a page explains those that it uses, and no other."""

import re

from fewscan.reporting.rendering import render
from fewscan.reporting.words import MARK, WORDS, explained, explained_markdown

PAGE = f"""<html><body><h1>Seeds</h1><p title="epochs">The AUROC of 3 groups, the AUROC of 2 groups; no seedling, epochs=1.</p>
<table><tr><th>balanced accuracy</th><td>70 %</td></tr></table><code>temperature</code><script>let loss = 1;</script>
{MARK}</body></html>"""


def meant(page: str) -> list[str]:
    return re.findall(r'<dt id="([^"]*)"', page)


def test_the_first_use_of_a_word_leads_to_its_meaning_which_stands_on_the_page_once() -> None:
    page = explained(PAGE)
    links = re.findall(r'<a class="word" href="#([^"]*)"', page)
    assert links == ["word-auroc", "word-group"]
    # A word that a table alone has is explained, too; code, scripts, headings and attributes are left as they are.
    assert sorted(meant(page)) == sorted([*links, "word-balanced-accuracy"])
    for kept in ("<h1>Seeds</h1>", '<p title="epochs">', "<code>temperature</code>", "let loss = 1;", "seedling"):
        assert kept in page


def test_a_page_without_a_place_for_them_stays_as_it_is() -> None:
    without = PAGE.replace(MARK, "")
    assert explained(without) == without
    assert explained_markdown("no such word\n") == "no such word\n"


def test_a_card_explains_its_words_at_its_end_and_none_of_its_code() -> None:
    card = explained_markdown("The AUROC.\n\n```python\nseed = 1\n```\n")
    assert card.startswith("The AUROC.")
    assert [line for line in card.splitlines() if line.startswith("- ")] == [
        f"- AUROC: {next(word.meaning for word in WORDS if word.name == 'AUROC')}"
    ]


def test_every_form_of_a_word_leads_to_its_own_meaning() -> None:
    for word in WORDS:
        page = explained(f"<html><body><p>one {word.name} more</p>{MARK}</body>")
        assert meant(page) == [word.anchor]
    assert len({word.anchor for word in WORDS}) == len(WORDS)


def test_pages_from_the_templates_have_the_place() -> None:
    page = render("label_suspects.html", **SUSPECTS)
    assert "word-test-set" in meant(page)


class Found:
    """No suspects among three labels, of which the test set has two more."""

    table: tuple[()] = ()
    copies: tuple[()] = ()
    checked, test, others, confirmed, warning, whole_said = 3, 2, 0, 0, None, None


SUSPECTS = {"dataset_name": "data", "found": Found, "suspects": [], "table": "t.csv", "command": "fewscan"}
