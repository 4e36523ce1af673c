"""Where the scans of a dataset lie, kept in its folder: found once for the same features, made anew where that is lost."""

import hashlib
import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from fewscan.atomic import replaced_file, writing
from fewscan.errors import FewscanError
from fewscan.mapping.coordinates import DIRECTIONS, MOST, NEIGHBORS, STEPS, Coordinates, coordinates
from fewscan.progress import say

FOLDER = "maps"


def kept_coordinates(folder: Path, features: npt.NDArray[np.floating], seed: int = 0) -> Coordinates:
    """Return `coordinates` of features (N, D) of scans of the dataset in `folder`; what it does not keep yet is computed."""
    path = folder / FOLDER / f"{_key(features, seed)}.npz"
    found = _opened(path, len(features))
    if found is None:
        found = coordinates(features, seed)
        try:
            with writing(folder):
                path.parent.mkdir(exist_ok=True)
            with replaced_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, xy=found.xy, way=found.way)
        except FewscanError as error:
            say(f"{error}: the map is not kept and will be made again next time")
    return found


def _key(features: npt.NDArray[np.floating], seed: int) -> str:
    """Return what is equal where the same features are placed in the same way."""
    digest = hashlib.blake2b(json.dumps([1, features.shape, DIRECTIONS, NEIGHBORS, STEPS, MOST, seed]).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(features, np.float32).data)
    return digest.hexdigest()


def _opened(path: Path, count: int) -> Coordinates | None:
    """Return what a file keeps of `count` scans; None where there is none, or a damaged one."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            xy, way = kept["xy"], str(kept["way"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        xy, way = np.zeros(0), ""
    if xy.shape != (count, 2) or xy.dtype != np.float32 or not np.isfinite(xy).all():
        say(f"{path} is damaged: the map is made again")
        return None
    return Coordinates(xy, way)
