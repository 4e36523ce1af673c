"""What tests of pages share."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from matplotlib.figure import Figure

from fewscan.reporting import decisions_section, training_section
from tests.smaller import PAINT


@pytest.fixture(scope="session", autouse=True)
def equal_pictures_are_drawn_once() -> Iterator[None]:
    """Curves on a page are the real ones; those that an earlier page showed are taken from there, since drawing takes long."""
    drawn: dict[tuple[bool, bytes], Any] = {}

    def once_each(name: str, draw: Callable[..., Any]) -> Callable[..., Any]:
        def remembered(*arguments: Any) -> Any:
            key = (Figure.savefig is PAINT, pickle.dumps((name, arguments)))
            if key not in drawn:
                drawn[key] = draw(*arguments)
            return drawn[key]

        return remembered

    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (training_section, "training_curves"),
            (decisions_section, "reliability_diagram"),
            (decisions_section, "decision_curve"),
        ):
            patch.setattr(module, name, once_each(name, getattr(module, name)))
        yield
