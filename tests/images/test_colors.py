"""What an import says of color before and after it reads: gray stored as RGB is gray, mixtures are told, nothing else is."""

import numpy as np
import PIL.Image
import pytest

from fewscan.cli import importing
from fewscan.datasets.importing import import_scans, plan_import, summary
from fewscan.images import colors
from fewscan.images.colors import ColorCount, color_warnings, count_colors
from fewscan.images.listing import list_scans
from fewscan.images.sources import Source

GRAY = PIL.Image.radial_gradient("L").resize((40, 40))
COLORED = PIL.Image.merge("RGB", [GRAY, GRAY.rotate(90), PIL.ImageOps.invert(GRAY)])


@pytest.fixture
def mixed(tmp_path):
    for folder, image, suffix in (
        ("a", GRAY, "png"),
        ("a", GRAY.convert("RGB"), "jpg"),
        ("b", COLORED, "jpg"),
        ("b", COLORED, "tif"),
    ):
        (tmp_path / folder / "x").mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / folder / "x" / f"{image.mode}.{suffix}")
    np.save(tmp_path / "b" / "x" / "stack.npy", np.random.default_rng(0).integers(0, 99, (3, 8, 8)))
    (tmp_path / "b" / "x" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path


def test_only_pictures_that_show_color_count(mixed):
    sources = [Source("a", mixed / "a"), Source("b", mixed / "b")]
    assert count_colors(list_scans(sources), sources) == [("a", 0, 2), ("b", 2, 2)]


def test_no_more_files_are_looked_at_than_cost_little(mixed, monkeypatch):
    monkeypatch.setattr(colors, "FILES_LOOKED_AT", 1)
    sources = [Source("b", mixed / "b")]
    assert count_colors(list_scans(sources), sources)[0].looked_at <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_the_plan_tells_a_mixture_and_the_summary_counts(mixed, tmp_path, channels):
    sources = [str(mixed / "a"), str(mixed / "b")]
    damaged, warning = plan_import(sources, channels=channels).warnings
    assert "broken.jpg" in damaged
    assert "a: 0 of 2, b: 2 of 2" in warning
    dataset = import_scans(sources, tmp_path / "dataset", channels=channels, size_px=8)
    assert summary(dataset.snapshot()).in_color == 2
    (told,) = [line for line in importing._lines(dataset.snapshot(), summary(dataset.snapshot())) if "color" in line]
    assert ("--color" in told) == (channels == 1)


def test_all_gray_says_nothing_and_all_color_only_where_it_is_lost():
    assert color_warnings([ColorCount("a", 0, 200), ColorCount("b", 0, 0)], 1) == []
    assert color_warnings([ColorCount("a", 9, 9)], 3) == []
    assert len(color_warnings([ColorCount("a", 9, 9)], 1)) == 1


def test_a_picture_that_cannot_be_read_is_not_looked_at_for_color(tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"II*\0 and no more")
    sources = [Source("a", tmp_path)]
    assert count_colors(list_scans(sources), sources) == [("a", 0, 0)]
