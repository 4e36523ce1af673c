"""Small tables are parsed once, and are still everybody's own."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from fewscan import parquet
from fewscan.parquet import parquet_frame, parquet_table

COLUMNS = {"name": "str", "count": "int64", "perhaps": "Int64", "is": "bool"}


def content(first: str = "x") -> bytes:
    frame = pd.DataFrame({"name": [first, None, "z"], "count": [1, 2, 3], "perhaps": [1, None, 2], "is": [True, False, True]})
    return bytes(frame.astype(COLUMNS).to_parquet(index=False))


@pytest.mark.parametrize("kept_bytes", [0, 10**6])
def test_a_table_is_the_same_however_often_it_is_read(kept_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_KEPT_BYTES", kept_bytes)
    (tmp_path / "table.parquet").write_bytes(content())
    expected = pd.read_parquet(tmp_path / "table.parquet")
    for source in (content(), content(), tmp_path / "table.parquet"):
        pd.testing.assert_frame_equal(parquet_frame(source), expected)
        assert parquet_table(source).equals(pa.Table.from_pandas(expected, preserve_index=False))
        assert parquet_frame(source, ["count"]).columns.tolist() == ["count"]
        with pytest.raises(KeyError, match="missing"):
            parquet_frame(source, ["missing"])
    assert parquet_frame(content("another"))["name"].tolist()[0] == "another"


def test_what_is_changed_of_a_table_is_changed_for_nobody_else() -> None:
    mine, theirs = parquet_frame(content()), parquet_frame(content())
    for name, value in zip(COLUMNS, ("changed", 9, 9, False), strict=True):
        mine[name].array[0] = value
        mine.loc[2, name] = value
    mine["more"] = 1
    pd.testing.assert_frame_equal(theirs, parquet_frame(content()))
    assert theirs.iloc[0].tolist() == ["x", 1, 1, True]
