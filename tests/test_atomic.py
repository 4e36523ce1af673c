import errno
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from fewscan.atomic import json_entry, new_folder, remove_folder, remove_left, replaced_file, write_json, write_text, writing
from fewscan.errors import FewscanError
from fewscan.labels.log import LABELS_FILE, LabelLog
from fewscan.locks import LOCK_FILE, alone


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


def test_of_a_list_each_entry_is_a_line_and_all_is_read_back_as_it_was(tmp_path: Path) -> None:
    pairs = [[row, row + 1, "near", 0.25, None] for row in range(50)]
    content = {"pairs": pairs, "counts": {"a": {"b": [1, 2]}, "none": {}}, "scans": [{"row": 1, "label": "ä\n"}], "empty": []}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == content
    lines = [line.strip(" ,") for line in text.splitlines()]
    assert [json.dumps(pair) for pair in pairs] == [line for line in lines if line.startswith("[") and len(line) > 1]


def test_json_is_written_without_its_whole_text_in_memory(tmp_path: Path) -> None:
    pairs = [[row, row + 1] for row in range(50_000)]
    tracemalloc.start()
    try:
        write_json(tmp_path / "a.json", {"pairs": pairs})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (tmp_path / "a.json").stat().st_size / 10


@pytest.mark.parametrize("layout", ["own", 2, None])
def test_one_value_of_json_is_read_as_it_was_written_in_any_layout(tmp_path: Path, layout: Any) -> None:
    inner = {"suspects": {"noise": 1}, "deep": [[["a", {"b": [1]}]]]}
    content = {
        "counts": inner,
        "suspects": [[1, '  "pairs": [\n  ]', "noise"], [2, "]", None]],
        "pairs": [],
        "text": "a,",
        "none": {},
    }
    path = tmp_path / "a.json"
    write_json(path, content)
    if layout != "own":
        path.write_text(json.dumps(content, indent=layout))
    assert {name: json_entry(path, name) for name in content} == content
    with pytest.raises(KeyError):
        json_entry(path, "noise")
    path.write_text(path.read_text().split("null")[0])
    with pytest.raises(ValueError, match="line"):
        json_entry(path, "suspects")


def test_what_stands_behind_a_value_is_not_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"suspects": [[1, "a"]], "pairs": [[row, row + 1] for row in range(200_000)]})
    tracemalloc.start()
    try:
        assert json_entry(tmp_path / "a.json", "suspects") == [[1, "a"]]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (tmp_path / "a.json").stat().st_size / 10


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
    with pytest.raises(FewscanError, match="exists"), new_folder(tmp_path / "run"):
        pass
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FewscanError, match="exists"), new_folder(tmp_path / "link"):
        pass


@pytest.mark.parametrize(("code", "message"), [(errno.ENOSPC, "no disk space left"), (errno.EACCES, "cannot write")])
def test_the_systems_refusals_become_one_line(code: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match=message), writing(tmp_path / "a"):
        raise OSError(code, "refused")


HALF = """
import os, signal, sys
from pathlib import Path
from fewscan.atomic import new_folder, replaced_file

with new_folder(Path("run")) as folder, replaced_file(Path("a.json")) as file:
    (folder / "weights").write_text("x")
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_there(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", HALF], cwd=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    write_text(tmp_path / "a.json", "whole")
    with new_folder(tmp_path / "run"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "run"]


@pytest.mark.parametrize(("umask", "rights"), [(0o022, 0o755), (0o077, 0o700), (0o002, 0o775)])
def test_folders_locks_and_label_logs_have_the_rights_that_the_umask_leaves(tmp_path: Path, umask: int, rights: int) -> None:
    before = os.umask(umask)
    try:
        with new_folder(tmp_path / "a") as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
        with alone(tmp_path / "a", "add"):
            LabelLog.create(tmp_path / "a" / LABELS_FILE).enter([0], ["x"], origin="folder")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == rights
    for name in (LOCK_FILE, LABELS_FILE):
        assert (tmp_path / "a" / name).stat().st_mode & 0o777 == rights & 0o666


def test_what_a_killed_process_left_is_removed_from_all_of_a_folder(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", HALF], cwd=tmp_path)
    (tmp_path / ".a.json.tmp").write_text("somebody else's")
    remove_left(tmp_path, "another")
    assert len(list(tmp_path.iterdir())) == 3
    remove_left(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".a.json.tmp"]


def test_what_a_living_process_is_making_is_left_alone(tmp_path: Path) -> None:
    with replaced_file(tmp_path / "a.json") as mine:
        mine.write_text("mine")
        theirs = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-"))
        theirs.write_text("theirs")
        write_text(tmp_path / "a.json", "whole")
        assert (mine.read_text(), theirs.read_text()) == ("mine", "theirs")


def test_a_removed_folder_is_gone_at_once(tmp_path: Path) -> None:
    (tmp_path / "folds" / "1").mkdir(parents=True)
    remove_folder(tmp_path / "folds")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_about_the_file_that_was_to_be_and_leaves_the_old_one(
    tmp_path: Path, largest_file_bytes: Callable[[int], AbstractContextManager[None]]
) -> None:
    write_text(tmp_path / "a.json", "old")
    with largest_file_bytes(1000), pytest.raises(FewscanError) as alone:
        write_text(tmp_path / "a.json", "x" * 2000)
    with largest_file_bytes(1000), pytest.raises(FewscanError) as in_a_folder, new_folder(tmp_path / "run") as folder:
        write_text(folder / "a.json", "x" * 2000)
    for caught, path in ((alone, tmp_path / "a.json"), (in_a_folder, tmp_path / "run" / "a.json")):
        assert str(caught.value).startswith(f"no disk space left to write {path}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(FewscanError, match=f"cannot write {tmp_path}/file/run: "),
        new_folder(tmp_path / "file" / "run"),
    ):
        pass
    with pytest.raises(FewscanError, match="cannot write"), replaced_file(tmp_path / "file" / "a.json"):
        pass


def test_what_a_library_says_of_a_full_disk_is_told_as_the_system_does(tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match=r"cannot write .*a: Input/output error; "), writing(tmp_path / "a"):
        raise OSError(errno.EIO, "Error writing bytes to file. Detail: [errno 5]\nmore")
