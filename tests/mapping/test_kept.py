"""Where scans lie is found once for the same features, and made anew where what was kept is damaged or of others."""

from pathlib import Path

import numpy as np
import pytest

from fewscan.mapping import kept
from fewscan.mapping.coordinates import Coordinates, coordinates


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many scans each map had that was computed."""
    counts: list[int] = []

    def counted(features: np.ndarray, seed: int) -> Coordinates:
        counts.append(len(features))
        return coordinates(features, seed)

    monkeypatch.setattr(kept, "coordinates", counted)
    return counts


def test_the_same_features_are_placed_once(tmp_path: Path, made: list[int]) -> None:
    features = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    first, again = (kept.kept_coordinates(tmp_path, features) for _ in range(2))
    assert made == [9]
    assert (first.xy == again.xy).all()
    assert first.way == again.way
    other = features.copy()
    other[3, 2] += 1e-3
    kept.kept_coordinates(tmp_path, other)
    kept.kept_coordinates(tmp_path, features, seed=1)
    kept.kept_coordinates(tmp_path, features[:8])
    assert made == [9, 9, 9, 8]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no archive"])
def test_a_damaged_map_is_made_anew(tmp_path: Path, made: list[int], content: bytes) -> None:
    features = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    first = kept.kept_coordinates(tmp_path, features)
    (path,) = (tmp_path / kept.FOLDER).iterdir()
    path.write_bytes(content)
    assert (kept.kept_coordinates(tmp_path, features).xy == first.xy).all()
    assert made == [9, 9]
    kept.kept_coordinates(tmp_path, features)
    assert made == [9, 9]


def test_a_map_that_cannot_be_kept_is_shown_all_the_same(
    tmp_path: Path, made: list[int], rights_count: None, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o500)
    features = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    for _ in range(2):
        assert len(kept.kept_coordinates(tmp_path, features).xy) == 9
    assert made == [9, 9]
    assert str(tmp_path) in capsys.readouterr().err
