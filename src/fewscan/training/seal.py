"""What ties the files of a run together: weights know their training, and what was found out knows its weights.

A file that was edited, cut short or copied from another run is noticed when it is read. It is no protection against people who
mean to deceive: whoever can write a file can write a seal.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fewscan.digests import file_sha256

SEAL = "seal"


def sealed(content: Mapping[str, Any], weights: Path, beside: Sequence[Path]) -> dict[str, Any]:
    """Return JSON content with a seal over itself, the weights that it is about, and the files `beside` it."""
    names = [path.name for path in beside]
    return {**content, SEAL: {"beside": names, "sha256": _digest(content, weights, beside)}}


def is_whole(content: Mapping[str, Any], weights: Path) -> bool:
    """Return whether sealed content, its weights and the files beside them are as they were; without a seal nobody knows: True.

    Files of runs made before 2026-11-27 have none.
    """
    if SEAL not in content:
        return True
    rest = {key: value for key, value in content.items() if key != SEAL}
    try:
        beside = [weights.with_name(Path(name).name) for name in content[SEAL]["beside"]]
        return bool(content[SEAL]["sha256"] == _digest(rest, weights, beside))
    except (OSError, TypeError, KeyError):
        return False


def _digest(content: Mapping[str, Any], weights: Path, beside: Sequence[Path]) -> str:
    parts = [json.dumps(content, sort_keys=True), *(file_sha256(path) for path in (weights, *beside))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
