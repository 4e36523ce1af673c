"""Files that are known by their SHA-256: what is wrong with one is one line, and too little memory is no damage."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fewscan.datasets.pairs import PAIRS_FILE, read_pairs
from fewscan.datasets.roles import StoredSplit
from fewscan.datasets.snapshot import Snapshot
from fewscan.digests import known_content, whole
from fewscan.errors import FewscanError
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.table import read_table
from fewscan.labeling.table import read_table as read_labels
from fewscan.parquet import parquet_table

JUNK = b"PAR1 and no table"
HASH = hashlib.sha256(JUNK).hexdigest()


def test_a_known_file_is_the_one_or_it_is_said_what_became_of_it(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    with pytest.raises(FewscanError, match="kept is missing"):
        known_content(path, [HASH], "make it again")
    path.write_bytes(JUNK)
    assert known_content(path, ["of another", HASH], "make it again") == JUNK
    with pytest.raises(FewscanError, match="make it again"):
        known_content(path, ["of another"], "make it again")
    path.unlink()
    path.mkdir()
    with pytest.raises(FewscanError, match="damaged"):
        known_content(path, [HASH], "make it again")


def test_too_little_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MemoryError), whole(tmp_path, "make it again"):
        raise OSError(12, "Cannot allocate memory")

    def refused(*_: object, **__: object) -> None:
        raise pa.ArrowException("malloc of size 64 failed: Cannot allocate memory")

    monkeypatch.setattr(pq, "ParquetFile", refused)
    with pytest.raises(MemoryError):
        parquet_table(JUNK)


def test_a_table_without_a_column_that_is_asked_for_is_not_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row": [1]}), tmp_path / "a.parquet")
    assert parquet_table(tmp_path / "a.parquet", ["row"]).num_rows == 1
    with pytest.raises(KeyError, match="label"):
        parquet_table(tmp_path / "a.parquet", ["row", "label"])


READ: dict[str, Callable[[Path], object]] = {
    PAIRS_FILE: lambda path: read_pairs(path.parent, [HASH]),
    "split.parquet": lambda path: StoredSplit.read(path, [HASH], "draw it again"),
    "0000.parquet": lambda path: read_table(path, HASH),
    "snapshot.parquet": lambda path: Snapshot.read(path, path.parent, None, "begin again"),  # type: ignore[arg-type]
    "patients.parquet": lambda path: PatientKeys.load(path.parent, needed=True),
    "labels.parquet": read_labels,
}


@pytest.mark.parametrize("name", READ)
def test_a_file_that_is_no_table_is_one_line_though_its_hash_be_noted(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(JUNK)
    with pytest.raises(FewscanError, match=name) as caught:
        READ[name](tmp_path / name)
    assert "\n" not in str(caught.value)
