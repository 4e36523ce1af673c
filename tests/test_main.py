import subprocess
import sys

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


@pytest.mark.slow
def test_program_that_has_ended_searches_no_cycles() -> None:
    asked_last = "atexit.register(lambda: print('frozen' if gc.get_freeze_count() else 'searched'))"
    code = (
        f"import atexit, gc, sys; {asked_last}; from fewscan.__main__ import main; sys.argv = ['fewscan', '--version']; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split()[-1] == "frozen"
