import errno
import json
from pathlib import Path

import pytest

from fewscan.atomic import new_folder, replaced_file, write_json, writing
from fewscan.errors import FewscanError


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(RuntimeError), replaced_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_nan_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_folder(tmp_path / "deep" / "run") as folder:
        (folder / "part").write_text("x")
        raise RuntimeError
    assert list((tmp_path / "deep").iterdir()) == []
    with new_folder(tmp_path / "deep" / "run") as folder:
        (folder / "part").write_text("x")
        assert not (tmp_path / "deep" / "run").exists()
    assert (tmp_path / "deep" / "run" / "part").read_text() == "x"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(FewscanError, match="exists already"), new_folder(tmp_path / "run"):
        pass
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FewscanError, match="exists already"), new_folder(tmp_path / "link"):
        pass


@pytest.mark.parametrize(("code", "message"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "cannot write")])
def test_the_systems_refusals_become_one_line(code: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match=message), writing(tmp_path / "a"):
        raise OSError(code, "refused")
