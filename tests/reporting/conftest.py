"""What tests of pages share."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fewscan.reporting import decisions_section, page

LAYOUT = ConstrainedLayoutEngine.execute


@pytest.fixture(scope="module", autouse=True)
def finished_figures() -> Iterator[None]:
    """Here figures themselves are looked at: drawn as a user gets them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mpl.rcParams, "savefig.dpi", "figure")
        patch.setattr(ConstrainedLayoutEngine, "execute", LAYOUT)
        yield


@pytest.fixture(scope="session", autouse=True)
def equal_pictures_are_drawn_once() -> Iterator[None]:
    """Curves on a page are the real ones; those that an earlier page showed are taken from there, since drawing takes long."""
    drawn: dict[bytes, Any] = {}

    def once_each(name: str, draw: Callable[..., Any]) -> Callable[..., Any]:
        def remembered(*arguments: Any) -> Any:
            key = pickle.dumps((name, arguments))
            if key not in drawn:
                drawn[key] = draw(*arguments)
            return drawn[key]

        return remembered

    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (page, "training_curves"),
            (decisions_section, "reliability_diagram"),
            (decisions_section, "decision_curve"),
        ):
            patch.setattr(module, name, once_each(name, getattr(module, name)))
        yield
