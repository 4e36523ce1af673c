"""Here intervals themselves are tested."""

import pytest

from fewscan.evaluation.intervals import RESAMPLES, bootstrap


@pytest.fixture(autouse=True)
def all_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many resamples as a user gets."""
    monkeypatch.setitem(bootstrap.__kwdefaults__, "resamples", RESAMPLES)
