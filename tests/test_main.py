import pytest

from fewscan import __main__ as program


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ({}, {"GOMP_SPINCOUNT": program.WAITING["GOMP_SPINCOUNT"]}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_how_threads_wait_is_said_unless_the_user_has(
    own: dict[str, str], found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program.os, "environ", own)
    program._wait_briefly()
    assert own == found
