"""One process at a time writes; a dead one is in nobody's way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fewscan.errors import FewscanError
from fewscan.locks import alone

HOLDS = """
import sys
from pathlib import Path
from fewscan.locks import alone

with alone(Path("."), "audit"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_process_that_holds_a_folder_is_named_and_a_killed_one_is_taken_over(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDS], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(FewscanError, match=rf"fewscan audit.*{holder.pid}"), alone(tmp_path, "split"):
        pass
    holder.kill()
    holder.wait()
    with alone(tmp_path, "split"):
        pass


def test_a_folder_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), alone(tmp_path, "audit"):
        raise RuntimeError
    with alone(tmp_path, "split"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_refused_before_any_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FewscanError, match="cannot write"), alone(tmp_path, "audit"):
        pass
