"""Parquet tables, read and turned into data frames without threads.

Where memory is short a thread may fail to start, and pyarrow waits for it for ever; and so it does at the end of a program for
one that wants Python's interpreter. The tables are small: a million rows take half a second.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fewscan.memory import is_too_little

# Some thousand images' facts: a larger table is not worth the memory.
SMALL_BYTES = 1 << 20


def parquet_table(source: bytes | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a table, or some of its columns, from a file or its content.

    Raises what pyarrow does where it is damaged, KeyError where a column is missing, and MemoryError, which pyarrow tells as a
    damage of its own kind.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source, pre_buffer=False) as file:
            if columns is not None and (lacking := set(columns) - set(file.schema_arrow.names)):
                raise KeyError(f"no columns {sorted(lacking)}")
            return file.read(columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        if is_too_little(error):
            raise MemoryError(str(error)) from None
        raise


def parquet_content(table: pa.Table, notes: Mapping[bytes, str]) -> bytes:
    """Return what a file of the table holds, with these `notes` beside its columns."""
    buffer = BytesIO()
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **notes}), buffer)
    return buffer.getvalue()


def typed(frame: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns named, in that order and of these types; those that are of theirs already stay as they are.

    Raises what pandas does where a column is missing or holds something else.
    """
    has = {name: dtype.name for name, dtype in zip(frame.columns, frame.dtypes, strict=True)}
    wrong = {name: dtype for name, dtype in dtypes.items() if has[name] != dtype}
    chosen = frame if [*frame.columns] == [*dtypes] else frame[list(dtypes)]
    return chosen.astype(wrong) if wrong else chosen


def parquet_frame(source: bytes | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the same as a data frame; a small one is parsed once, since one verb may look several times."""
    wanted = None if columns is None else tuple(columns)
    if isinstance(source, bytes) and len(source) <= SMALL_BYTES:
        return _parsed_once(source, wanted).copy()
    return _parsed(source, wanted)


def _parsed(source: bytes | Path, columns: tuple[str, ...] | None) -> pd.DataFrame:
    frame: pd.DataFrame = parquet_table(source, columns).to_pandas(use_threads=False)
    return frame


_parsed_once = lru_cache(maxsize=16)(_parsed)
