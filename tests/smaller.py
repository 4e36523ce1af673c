"""What tests do less of than a user, unless they are about it: resamples, places of a heat map, mistakes on a page, paint.

And they do not wait for the disk.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
import PIL.Image
import pytest
from lightning_fabric import fabric
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from fewscan.auditing.copies import described
from fewscan.auditing.copies.describe import fit_projection
from fewscan.evaluation import typicality
from fewscan.evaluation.intervals import RESAMPLES, bootstrap
from fewscan.explaining import attribution
from fewscan.reporting import page

PAINT, AROUND = Figure.savefig, Axes.get_tightbbox  # before `blank_figures` replaces them
ALL_WINDOWS = attribution.STRIDE_SHARE, attribution.WINDOW_SHARE  # before `few_windows`


@pytest.fixture(scope="session", autouse=True)
def few_resamples() -> Iterator[None]:
    """A tenth of the resamples behind every interval: enough where a test is not about intervals (see tests/evaluation)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(bootstrap.__kwdefaults__, "resamples", RESAMPLES // 10)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_windows() -> Iterator[None]:
    """Sixteen places behind every heat map, not 225: enough where a test is not about heat maps (see tests/explaining)."""
    with pytest.MonkeyPatch.context() as patch:
        hide_in_steps_of(1 / 4, 1 / 4, patch)
        yield


def hide_in_steps_of(stride_share: float, window_share: float, patch: pytest.MonkeyPatch) -> None:
    """Let heat maps hide windows, and move them, by other shares of a scan's side."""
    patch.setattr(attribution, "WINDOW_SHARE", window_share)
    patch.setattr(attribution, "STRIDE_SHARE", stride_share)
    patch.setattr(attribution.hidden_map, "__defaults__", (window_share, stride_share))


@pytest.fixture(scope="session", autouse=True)
def few_mistakes() -> Iterator[None]:
    """Three mistakes on a report's page, not ten: each has a heat map."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "MISTAKES_SHOWN", 3)
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_reaches_the_disk_at_once() -> Iterator[None]:
    """What is written is the system's, and survives a kill of the process; no test takes the power away."""
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        with suppress(sqlite3.Error):  # the file is none of SQLite's, which is for the test to find
            connection.execute("PRAGMA synchronous = OFF")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr(sqlite3, "connect", connected)
        yield


@pytest.fixture(scope="session", autouse=True)
def callbacks_looked_for_once() -> Iterator[None]:
    """Fabric asks every installed package for callbacks, for each training anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fabric, "_load_external_callbacks", cache(fabric._load_external_callbacks))
        yield


@pytest.fixture(scope="session", autouse=True)
def fitted_once() -> Iterator[None]:
    """Of the same images the gate's fits to parts of them, and an audit's descriptions, are learned once, not by each verb."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typicality, "_held_out", once_of_the_same(typicality._held_out))
        learned = once_of_the_same(lambda shown: fit_projection(shown, np.arange(len(shown))))
        patch.setattr(described, "fit_projection", lambda pixels, rows: learned(pixels[rows]))
        yield


def once_of_the_same(work: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays that computes once of the same ones, and returns what nobody changes."""
    known: dict[tuple[object, ...], Any] = {}

    def worked(*arrays: np.ndarray) -> Any:
        asked = tuple((each.shape, each.dtype.str, sha256(np.ascontiguousarray(each)).digest()) for each in arrays)
        if asked not in known:
            known[asked] = work(*arrays)
        return known[asked]

    return worked


@pytest.fixture(scope="session", autouse=True)
def blank_figures() -> Iterator[None]:
    """Figures that are composed and stored as one pixel: enough where a test only asks whether one is written.

    Painted each takes a third of a second, and where its plots are to be cut out as much again; see `painted`.
    """

    def save(figure: Figure, file: Any, *, format: str, **options: Any) -> None:
        PIL.Image.new("RGB", (1, 1)).save(file, format)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save)
        patch.setattr(Axes, "get_tightbbox", lambda axes: Bbox.unit())
        yield


def paint(patch: pytest.MonkeyPatch) -> None:
    """Let figures be as a user gets them."""
    patch.setattr(Figure, "savefig", PAINT)
    patch.setattr(Axes, "get_tightbbox", AROUND)


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures as a user gets them, for a test that looks at them."""
    paint(monkeypatch)


@pytest.fixture(scope="module")
def all_painted() -> Iterator[None]:
    """The same for a whole module."""
    with pytest.MonkeyPatch.context() as patch:
        paint(patch)
        yield
