"""Damaged files of every format, read as `import` reads them: each is an image or set aside with a reason, and soon."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.mutations import mutated
from benchmarks.faults.seeds import kind_of
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import contents_of, read_in_known_time
from fewscan.images.guarded import guarded
from fewscan.images.readers import fit, read_image

# What the reading process says where a file brought it down, or would have.
_ENDED = "cannot be read: it took"
# One whose library is done in known time is read without a process that could be ended.
SLOW_SECONDS = 10
READING = Reading(slices="all")
_PARTS = 3


class Outcome(NamedTuple):
    """What came of one damaged file: `read`, `set aside`, `ended` with its process, or a fault, and what that was."""

    kind: str
    result: str
    told: str
    seconds: float


def damaged_files(seeds: Path, folder: Path, files: int, seed: int, seconds: float = float("inf")) -> Iterator[Outcome]:
    """Yield what comes of `files` damaged files, drawn from `seed`, for so many seconds at most.

    Those that are faults stay in `folder`; where this never ends, the file that it is at is there, too.
    """
    chance = random.Random(seed)
    contents = {path.name: path.read_bytes() for path in sorted(seeds.iterdir())}
    names = list(contents)
    ends = time.monotonic() + seconds
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        if time.monotonic() > ends:
            return
        name = names[number % len(names)]
        path = folder / f"{number}-{name}"
        path.write_bytes(mutated(contents[name], contents[chance.choice(names)], chance))
        outcome = _outcome(path, kind_of(Path(name)))
        if outcome.result != "fault":
            path.unlink()
        yield outcome


def counted(outcomes: Iterator[Outcome]) -> dict[str, Counter[str]]:
    """Count what came of damaged files, by kind."""
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counts.setdefault(outcome.kind, Counter())[outcome.result] += 1
        if outcome.result == "fault":
            print(f"FAULT {outcome.kind}, {outcome.seconds:.1f} s: {outcome.told}")
    return counts


def _outcome(path: Path, kind: str) -> Outcome:
    began = time.monotonic()
    known = read_in_known_time(path)
    told = ""
    try:
        for part in guarded(contents_of, path, READING).parts[:_PARTS]:
            fit(read_image(path, part=part, reading=READING).pixels, 32, "pad")
        result = "read"
    except UnreadableImage as unreadable:
        told = unreadable.reason
        result = "ended" if told.startswith(_ENDED) and not known else "set aside"
    except Exception as error:
        told, result = f"{type(error).__name__}: {(str(error).splitlines() or [''])[-1]}", "fault"
    seconds = time.monotonic() - began
    if not told.isprintable() or (known and (seconds > SLOW_SECONDS or told.startswith(_ENDED))):
        result = "fault"
    return Outcome(kind, result, told, seconds)
