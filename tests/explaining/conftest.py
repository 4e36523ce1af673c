"""Here heat maps themselves are tested."""

import pytest

from tests.smaller import ALL_WINDOWS, hide_in_steps_of


@pytest.fixture(autouse=True)
def all_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many places as a user gets."""
    hide_in_steps_of(*ALL_WINDOWS, monkeypatch)
