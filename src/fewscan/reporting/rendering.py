"""Pages from the templates beside this file."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from fewscan.atomic import write_text, writing
from fewscan.datasets.protocols import titled
from fewscan.reporting.words import explained, explained_markdown

OWN_PACKAGE = "fewscan.reporting"
# What no line is to end in: a number with its percent sign; in text, not within a tag, an option of a command. Scripts, styles
# and titles, which are matched whole before one within them, stay as they are.
_UNBROKEN = re.compile(
    r"<(script|style|title)\b.*?</\1>|(?P<percent>(?<=\d)[ \n]+%(?!\w))|(?P<option>(?<![\w-])--[a-z][a-z-]*(?=[^<>]*<))",
    re.DOTALL,
)


class Script(NamedTuple):
    """A script that stands inside a page."""

    text: str
    source: str  # what the page's security policy lets run: this text and nothing else


def script(*names: str) -> Script:
    """Return the files `names` in `templates/` as one script; what they export as modules, each finds in those before it."""
    folder = files(OWN_PACKAGE) / "templates"
    read = [re.sub(r"^export ", "", (folder / name).read_text(encoding="utf-8"), flags=re.MULTILINE) for name in names]
    text = "".join(['"use strict";\n', *read])
    return Script(text, f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}")


def render(template: str, *, package: str = OWN_PACKAGE, **content: Any) -> str:
    """Return the page that `template`, a file in `templates/` of a package or of this one, makes of `content`.

    In HTML everything is escaped, and no line ends between a number and its percent sign, nor in an option; in Markdown what
    passes the filter `markdown` is escaped. Words of the field are explained (`words`). A name that the
    template asks for and `content` lacks is an error.
    """
    is_html = template.endswith(".html")
    page = _environment(package, escaped=is_html).get_template(template).render(**content)
    return _UNBROKEN.sub(_unbroken, explained(page)) if is_html else explained_markdown(page)


def _unbroken(found: re.Match[str]) -> str:
    if found["percent"]:
        return "\u00a0%"
    return f'<span class="unbroken">{found["option"]}</span>' if found["option"] else found[0]


def write_page(page: str, out: Path) -> Path:
    """Write a page to `out`, in a folder that need not be there, and return `out`; raises FewscanError where it cannot be."""
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, page)
    return out


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter; names within it stay as they are."""
    return text[:1].upper() + text[1:]


@cache
def _environment(package: str, escaped: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in dict.fromkeys((package, OWN_PACKAGE))]),
        autoescape=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "count": "{:,}".format, "markdown": markdown, "sentence": sentence}
    environment.filters["titled"] = titled
    return environment


def markdown(name: str) -> str:
    """Return a name on one line, as Markdown shows it: nothing in it is taken for markup."""
    # Between letters and digits an underscore is none either.
    return re.sub(r"([\\`*<>\[\]|&#~]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", " ".join(name.split()))


def percent(share: float | None) -> str:
    """Return a share in [0, 1] as people read it: `84.1 %`."""
    return "not defined" if share is None else f"{100 * share:.1f} %"
