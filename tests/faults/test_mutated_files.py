"""Damaged files of every format are images or set aside, never an exception; `make faults` tries many more."""

import random
from pathlib import Path

import pytest

from benchmarks.faults.files import damaged_files
from benchmarks.faults.mutations import mutated
from benchmarks.faults.seeds import kind_of, write_seeds
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import contents_of
from fewscan.images.readers import read_image


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "seeds"
    write_seeds(folder)
    return folder


@pytest.mark.slow
def test_the_seeds_are_whole(seeds: Path) -> None:
    for path in seeds.iterdir():
        for part in contents_of(path, Reading(slices="all")).parts:
            assert read_image(path, part=part).pixels.ndim == 2


@pytest.mark.slow
def test_every_damaged_file_is_an_image_or_set_aside(seeds: Path, tmp_path: Path) -> None:
    outcomes = list(damaged_files(seeds, tmp_path, files=300, seed=7))
    assert [outcome for outcome in outcomes if outcome.result == "fault"] == []
    assert {outcome.kind for outcome in outcomes} == {kind_of(path) for path in seeds.iterdir()}
    # Damage that is always noticed at the first byte, or never, would try nothing.
    assert all(sum(one.result == result for one in outcomes) > 40 for result in ("read", "set aside"))
    assert list(tmp_path.iterdir()) == []


def test_damage_is_the_same_for_the_same_seed_and_changes_something(seeds: Path) -> None:
    content = (seeds / "gray.png").read_bytes()
    first, again = ([mutated(content, content, chance) for _ in range(20)] for chance in (random.Random(1), random.Random(1)))
    assert first == again
    assert sum(one != content for one in first) > 15
