"""Folders and files that a command names, looked for as it is read: before what takes seconds to load."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from fewscan.cli.mistakes import usage
from fewscan.cli.parsing import WORDS
from fewscan.config import json_object
from fewscan.errors import FewscanError, Reasons
from fewscan.folders import MARKS, Kind, kind_of, require_kind, require_split


def there(*kinds: Kind, instead: str | None = None) -> Callable[..., Any]:
    """Return a callback that refuses a folder which is there and of none of these kinds, or is not there.

    An option that was not given, None, passes. So does whatever stands beside `--resume`, where a verb reads that first: what
    an interrupted run was made of, it says better itself. instead: see `require_kind`.
    """

    def checked(context: typer.Context, parameter: typer.CallbackParam, folder: Path | None) -> Path | None:
        if folder is not None and not context.params.get("resume"):
            if parameter.param_type_name == "argument":
                _refuse_other_order(context, folder, kinds)
            require_kind(folder, kinds, instead)
        return folder

    return checked


def _refuse_other_order(context: typer.Context, folder: Path, kinds: tuple[Kind, ...]) -> None:
    """Raise FewscanError where another word of the command names what was looked for in this place."""
    if kind_of(folder) in kinds:
        return
    for word in context.meta[WORDS]:
        if (kind := kind_of(Path(word))) in kinds:
            raise FewscanError(f"{folder} is in the place of a {kind}, and {word} is one: write '{usage(context)}'")


def scans_there(context: typer.Context, parameter: typer.CallbackParam, place: Path | None) -> Path | None:
    """Refuse scans that are not there, and a table in their place; one image of a file, FILE#frame=3, is where its file is."""
    from fewscan.images.sources import TABLES

    if place is not None:
        _require_there(place)
        if place.suffix.lower() in (*TABLES, ".parquet"):  # of labels or features, whoever wrote them
            takes = str(getattr(parameter, "help", "")).partition(".")[0]
            raise FewscanError(f"{place} is a table, and here belongs {takes[:1].lower()}{takes[1:]}: write '{usage(context)}'")
    return place


def tables_there(tables: list[Path] | None) -> list[Path] | None:
    """Refuse tables that are not there."""
    with Reasons("the tables cannot be read") as reasons:
        for table in tables or ():
            with reasons.noted():
                _require_there(table)
    return tables


def _require_there(place: Path) -> None:
    if not place.exists() and not Path(str(place).rpartition("#")[0] or place).exists():
        raise FewscanError(f"there is no folder or file {place}: check the path")


def sources_there(sources: list[str] | None) -> list[str] | None:
    """Refuse sources that are no folder, as `parse_sources` does."""
    from fewscan.images.sources import require_sources

    require_sources(sources or [])
    return sources


def split_there(folder: Path, name: str | None) -> None:
    """Refuse a split that a dataset does not have."""
    if name is not None and kind_of(folder) == "dataset":
        splits = json_object(folder / MARKS["dataset"], "import the scans again").get("splits", [])
        require_split(folder, name, [split["name"] for split in splits])
