"""The verb that checks what lies in a folder: verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fewscan.verifying.verify import Verification


def verify(folder: str | Path) -> Verification:
    """Check every byte of a dataset, of a run with its dataset, or of a comparison; see `fewscan.verifying.verify`."""
    from fewscan.verifying import verify as verifying

    return verifying.verify(Path(folder))
