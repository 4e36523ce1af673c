"""Try faults on purpose and say what came of them: `python -m benchmarks.faults --files 20000 --settings 2500 --kills 5`."""

import argparse
import json
import platform
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.faults import files, kills, texts
from benchmarks.faults.seeds import write_seeds
from fewscan.images.formats.recognition import silenced


def main() -> int:
    """Print a table of what came of the faults that were asked for; return 1 where one is not as promised."""
    asked = _asked()
    began = time.monotonic()
    # Not a TemporaryDirectory: processes that are forked would remove it when they end.
    place = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        with silenced():
            counts = _counts(asked, place)
    finally:
        shutil.rmtree(place)
    for what, by_kind in counts.items():
        for kind, results in by_kind.items():
            print(f"{what:10} {kind:10} " + "  ".join(f"{name} {count:,}" for name, count in sorted(results.items())))
    _write(asked.out, counts, time.monotonic() - began)
    return int(any(_faults(what, results) for what, by_kind in counts.items() for results in by_kind.values()))


def _counts(asked: argparse.Namespace, place: Path) -> dict[str, Mapping[str, Counter[str]]]:
    counts: dict[str, Mapping[str, Counter[str]]] = {}
    if asked.kills or asked.kills_at_changes:
        # First, as long as this process has no threads: it is forked.
        kills.make_workshop(place / "workshop")
        tries = (
            one
            for verb in asked.verbs
            for one in kills.kills(place / "workshop", verb, asked.kills, asked.kills_at_changes, asked.seed)
        )
        counts["kills"] = kills.counted(tries)
    if asked.settings:
        counts["settings"] = {"settings": texts.damaged_settings(asked.settings, asked.seed)}
    if asked.files:
        write_seeds(place / "seeds")
        damaged = files.damaged_files(place / "seeds", place / "damaged", asked.files, asked.seed, asked.seconds)
        counts["files"] = files.counted(damaged)
    return counts


def _faults(what: str, results: Counter[str]) -> int:
    return results["tries"] - results["as undisturbed"] if what == "kills" else results["fault"]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--files", type=int, default=0, help="so many damaged files")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop with damaged files after so many seconds")
    parser.add_argument("--settings", type=int, default=0, help="so many lists of settings")
    parser.add_argument("--kills", type=int, default=0, help="kill each verb at so many random moments")
    parser.add_argument("--kills-at-changes", type=int, default=0, help="kill each verb after so many of its changes of files")
    parser.add_argument("--verbs", nargs="+", default=list(kills.VERBS), choices=list(kills.VERBS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file of what came of it")
    return parser.parse_args()


def _write(out: Path | None, counts: Mapping[str, Mapping[str, Counter[str]]], seconds: float) -> None:
    if out is None:
        return
    record = {
        "command": shlex.join(["python", "-m", "benchmarks.faults", *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "wall_seconds": round(seconds),
        "faults": sum(_faults(what, results) for what, by_kind in counts.items() for results in by_kind.values()),
        "counts": counts,
    }
    out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
