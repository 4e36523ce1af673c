"""Files that are only appended to: what counts, after a kill at any byte, and with several processes at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fewscan import jsonl
from fewscan.errors import FewscanError


def test_objects_come_back_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert jsonl.read(path, ("a",)) == []
    for number in range(3):
        jsonl.append(path, {"a": number})
    assert jsonl.read(path, ("a",)) == [{"a": 0}, {"a": 1}, {"a": 2}]


def test_whatever_a_kill_leaves_of_a_line_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    jsonl.append(path, {"a": 1, "b": [{"c": "d"}]})
    line = path.read_bytes()
    for written in range(len(line)):
        path.write_bytes(line + line[:written])
        assert jsonl.read(path, ("a",)) == [{"a": 1, "b": [{"c": "d"}]}]
        jsonl.append(path, {"a": 2})
        assert [one["a"] for one in jsonl.read(path, ("a",))] == [1, 2]


@pytest.mark.parametrize("damage", ["no json", "[1]", '{"b": 1}', "[" * 100_000])
def test_a_whole_line_that_is_damaged_is_refused_in_a_line(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\n' + damage + "\n")
    with pytest.raises(FewscanError, match="damaged line") as caught:
        jsonl.read(path, ("a",))
    assert "\n" not in str(caught.value)


def test_several_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: jsonl.append(path, {"a": number}), range(200)))
    assert sorted(json.loads(line)["a"] for line in path.read_text().splitlines()) == list(range(200))
