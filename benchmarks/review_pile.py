"""What the benchmarks of the review page share: a pile of scans without labels, whose truth is known here, and its server."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.in_memory import split_in_memory
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.roles import StoredSplit
from fewscan.labels.log import LabelLog

LABELS, TEST_IMAGES = 1235, 308
LEFT_OUT = 0.1
STARTS_WITHIN = 300.0


class Pile(NamedTuple):
    """A dataset whose label log is empty; truth (N,): the label of every row; which rows test, and which may be asked for."""

    folder: Path
    truth: np.ndarray
    groups: np.ndarray
    test: np.ndarray
    asked: np.ndarray
    classes: tuple[str, ...]


def pile_of(labeled: Path, out: Path, draw: int) -> Pile:
    """Copy a dataset whose labels are all known to `out`, without a label, under README's test set.

    Of the other groups a tenth, another one in each draw, is left out, so that draws differ.
    """
    dataset = split_in_memory(Dataset.open(labeled).unsplit(), labeled=LABELS, test=TEST_IMAGES, validation=0)
    parts = dataset.manifest["split"].astype(object)
    roles = np.where(parts.notna(), "unlabeled", "left out").astype(object)
    roles[dataset.rows("test")] = "test"
    names = np.unique(dataset.groups[roles == "unlabeled"])
    without = np.random.default_rng(draw).permutation(names)[: round(LEFT_OUT * len(names))]
    roles[(roles == "unlabeled") & np.isin(dataset.groups, without)] = "left out"
    if not out.exists():
        shutil.copytree(labeled, out)
    for file in out.glob("labels.db*"):
        file.unlink()
    LabelLog.create(out / "labels.db", dataset.store.identity)
    Dataset.open(out).with_split(StoredSplit(dataset.require_split(), roles))
    truth = dataset.manifest["label"].astype(object).to_numpy()
    return Pile(out, truth, dataset.groups, dataset.rows("test"), np.flatnonzero(roles == "unlabeled"), dataset.classes)


class Page:
    """The page's interface, asked over one connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content)
        self.connection.request("GET" if body is None else "POST", path, body, {"content-type": "application/json"})
        answer = self.connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {told[:200]!r}")
        return json.loads(told)


class Server(NamedTuple):
    """`fewscan review`, listening at a port of this machine."""

    port: int
    process: int

    @property
    def cpu_seconds(self) -> float:
        """What it has taken of processors so far."""
        told = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(pile: Pile) -> Iterator[Server]:
    """Yield the server of a pile, once its model has looked at all scans."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    words = ["review", str(pile.folder), "--classes", ",".join(pile.classes), "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-m", "fewscan", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                if Page(port).ask("/api/status")["model"]["phase"] == "learning":
                    break
            except OSError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the page did not start")
            time.sleep(0.2)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait()
