"""How the review page bears many requests: 200 a second for a minute, of what a page asks while people label.

    python -m benchmarks.review_load DATASET [--rate 200] [--seconds 60] [--folder /tmp/review_load] [--json FILE]

DATASET is audited, keeps the features that the page sees with, and all its labels are known. `fewscan review` serves a copy
without labels. Requests are sent when they are due, whether earlier ones were answered or not: the next scan, its picture, a
decision, where all stands, one after the other, for four people. A request's time counts from when it was due. Afterwards the
label log is read: what was answered as saved and is not in it is lost.
"""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.review_pile import Pile, pile_of, served
from fewscan.datasets.dataset import Dataset
from fewscan.progress import say

PEOPLE = ("Ada", "Grace", "Mary", "Rosalind")
CONNECTIONS = 48
# A request without an answer so long after it was due is an error.
PATIENCE_SECONDS = 10.0
KINDS = ("next", "picture", "decide", "status")


class Answer(NamedTuple):
    """What became of a request: its kind, HTTP status, seconds since it was due, and of a decision the row."""

    kind: str
    status: int
    seconds: float
    row: int | None


class Line:
    """One connection, which sends a request after the other."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, path: str, body: bytes | None) -> int:
        if self.reader is None or self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n"
        if body is not None:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + (body or b""))
        told = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(int(line.partition(":")[2]) for line in told.splitlines() if line.startswith("content-length:"))
        await self.reader.readexactly(length)
        return int(told.split(" ", 2)[1])


def request(pile: Pile, rows: np.ndarray, number: int) -> tuple[str, str, bytes | None, int | None]:
    """Return kind, path, body and row of the request of this number."""
    kind, turn = KINDS[number % len(KINDS)], number // len(KINDS)
    who, row = PEOPLE[turn % len(PEOPLE)], int(rows[turn % len(rows)])
    if kind == "next":
        return kind, f"/api/next?reviewer={who}&count=4", None, None
    if kind == "picture":
        return kind, f"/api/scans/{row}/{'levels' if turn % 2 else 'thumbnail.png'}", None, None
    if kind == "status":
        return kind, f"/api/status?reviewer={who}", None, None
    said = {"rows": [row], "state": "label", "label": str(pile.truth[row]), "reviewer": who}
    return kind, "/api/decisions", json.dumps(said).encode(), row


async def loaded(pile: Pile, port: int, rate: float, seconds: float) -> list[Answer]:
    """Send requests when they are due and return what became of each."""
    rows = np.random.default_rng(0).permutation(pile.asked)
    free: asyncio.Queue[Line] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(Line(port))
    answers: list[Answer] = []

    async def one(number: int, due: float) -> None:
        kind, path, body, row = request(pile, rows, number)
        line, status = await free.get(), 0
        try:
            status = await asyncio.wait_for(line.ask(path, body), max(0.1, due + PATIENCE_SECONDS - time.perf_counter()))
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            line = Line(port)
        free.put_nowait(line)
        answers.append(Answer(kind, status, time.perf_counter() - due, row))

    began = time.perf_counter()
    waiting = []
    for number in range(round(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*waiting)
    return answers


def lost(pile: Pile, answers: list[Answer]) -> int:
    """Return how many decisions were answered as saved and are not in the label log."""
    log = Dataset.open(pile.folder).labels
    log.verify()
    entries = log.entries()
    said = set(zip(entries["row"].tolist(), entries["label"].tolist(), strict=True))
    return sum((one.row, pile.truth[one.row]) not in said for one in answers if one.row is not None and one.status == 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/review_load"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    pile = pile_of(arguments.dataset, arguments.folder, 0)
    before = os.getloadavg()[0]
    with served(pile) as server:
        began, cpu = time.perf_counter(), server.cpu_seconds
        answers = asyncio.run(loaded(pile, server.port, arguments.rate, arguments.seconds))
        took, cpu = time.perf_counter() - began, server.cpu_seconds - cpu
    found: dict[str, Any] = {
        "requests": len(answers),
        "seconds": round(took, 1),
        "server_cpu_ms_a_request": round(1000 * cpu / len(answers), 2),  # of the process that answers
        "errors": sum(one.status != 200 for one in answers),
        "decisions": sum(one.kind == "decide" for one in answers),
        "lost": lost(pile, answers),
        "load_before": round(before, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    for kind in ("all", *KINDS):
        times = [1000 * one.seconds for one in answers if kind in ("all", one.kind)]
        found[f"{kind}_ms"] = {"median": round(float(np.median(times)), 1), "p99": round(float(np.percentile(times, 99)), 1)}
    say(json.dumps(found, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
