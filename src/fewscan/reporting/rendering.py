"""Pages from the templates beside this file."""

import base64
from typing import Any

import jinja2

from fewscan.evaluation.intervals import Interval


def render(template: str, **content: Any) -> str:
    """Return the page that `template`, a file in `templates/`, makes of `content`.

    Everything is escaped, and a name that the template asks for and `content` lacks is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fewscan.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "decimal": decimal, "count": "{:,}".format}
    return environment.get_template(template).render(**content)


def png_uri(content: bytes) -> str:
    """Return a PNG file as a data URI, so that the page that shows it is one file."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def percent(share: float | None) -> str:
    """Return a share in [0, 1] as people read it: `84.1 %`."""
    return "not defined" if share is None else f"{100 * share:.1f} %"


def decimal(interval: Interval) -> str:
    """Return a score with its interval as decimals: `0.951 [0.930, 0.968]`."""
    if interval.value is None:
        return "not defined"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
