from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure, SubFigure
from matplotlib.text import Text
from PIL import Image

from fewscan.explaining.evidence import NEIGHBORS, Evidence, Neighbor
from fewscan.reporting.evidence_figure import (
    COLORS,
    PAIR_SIDE_PX,
    draw_evidence,
    scan_and_map,
    write_figure,
)

pytestmark = pytest.mark.usefixtures("all_painted")

CLASSES = ("glioma", "meningioma", "no_tumor", "$tumor$")


def evidence(
    size_px: int = 24,
    channels: int = 1,
    neighbors: int = NEIGHBORS,
    explained: str = "meningioma",
    typicality: float = 2.0,
    mapped: bool = True,
) -> Evidence:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, size=(channels, size_px, size_px), dtype=np.uint8)
    side = np.linspace(-1, 1, size_px, dtype=np.float32)
    return Evidence(
        pixels=pixels,
        classes=CLASSES,
        probabilities=np.array([0.25, 0.6, 0.05, 0.1], dtype=np.float32),
        explained=explained,
        heat_map=np.exp(-4 * (side[:, None] ** 2 + side[None, :] ** 2)) - 0.2 if mapped else None,
        neighbors=tuple(Neighbor(100 + k, f"source/{k}.png", CLASSES[k % 4], 0.01 * k, pixels) for k in range(neighbors)),
        typicality=typicality,
        typicality_limit=1.5,
    )


@pytest.fixture(scope="module")
def written(all_painted: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that writes the picture of an evidence of this size, with so many channels and neighbors, once."""

    @cache
    def write(size_px: int, channels: int, neighbors: int) -> Path:
        path = tmp_path_factory.mktemp("written") / "picture.png"
        write_figure(evidence(size_px, channels, neighbors), path)
        return path

    return write


def words(figure: Figure | SubFigure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.slow
def test_the_picture_says_what_was_predicted_and_names_scans_by_row() -> None:
    said = words(draw_evidence(evidence()))
    assert "predicted: meningioma, probability 0.60" in said
    for number in range(NEIGHBORS):
        assert f"scan {100 + number}, distance {0.01 * number:.3f}" in said
    for probability in ("0.250", "0.600", "0.050", "0.100"):
        assert probability in said
    assert "source/" not in said
    assert "explained:" not in said
    assert "explained: glioma" in words(draw_evidence(evidence(explained="glioma")))


@pytest.mark.filterwarnings("error::UserWarning")
def test_letters_that_the_usual_font_lacks_are_drawn_with_another_or_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def pixels(name: str, label: str) -> np.ndarray:
        made = evidence(neighbors=1)
        (near,) = made.neighbors
        near = replace(near, name=name, label=label)
        write_figure(replace(made, neighbors=(near,)), tmp_path / "picture.png", names=True)
        return np.asarray(Image.open(tmp_path / "picture.png"))

    # Another font that comes with Matplotlib has these two.
    one, other = pixels("1.png", "\N{HIRAGANA LETTER NO}"), pixels("1.png", "\N{MATHEMATICAL BOLD CAPITAL A}")
    assert capsys.readouterr().err == ""
    assert not np.array_equal(one, other)
    pixels("1.png", "\U0001315f")
    assert "\U0001315f" in capsys.readouterr().err
    pixels("\x07\n\u202e.png", "glioma")
    assert capsys.readouterr().err == ""


def test_with_names_scans_are_called_by_their_files() -> None:
    said = words(draw_evidence(evidence(), names=True))
    for number in range(NEIGHBORS):
        assert f"source/{number}.png" in said
    assert "scan 10" not in said


@pytest.mark.slow
def test_a_scan_out_of_distribution_is_not_shown_as_a_diagnosis() -> None:
    said = words(draw_evidence(evidence(typicality=1.0, mapped=False)))
    assert "out of distribution" in said
    assert "predicted: meningioma" not in said
    assert "no heat map" in said
    # One that was asked for is drawn, and the headline says the same.
    asked = words(draw_evidence(evidence(typicality=1.0, explained="glioma")))
    assert "out of distribution" in asked
    assert "predicted: meningioma" not in asked
    assert "no heat map" not in asked


@pytest.mark.slow
@pytest.mark.parametrize(("size_px", "channels", "neighbors"), [(16, 3, 2), (256, 1, 5)])
def test_scans_of_all_sizes_and_few_neighbors_make_a_picture(
    size_px: int, channels: int, neighbors: int, written: Callable[..., Path]
) -> None:
    with Image.open(written(size_px, channels, neighbors)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1440, 990)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50


@pytest.mark.slow
def test_the_same_evidence_gives_the_same_picture(written: Callable[..., Path], tmp_path: Path) -> None:
    write_figure(evidence(16, 3, 2), tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == written(16, 3, 2).read_bytes()


def test_the_maps_colors_grow_lighter_from_against_to_for() -> None:
    """Read in gray, a place for the class is lighter than a neutral one, and that lighter than one against it."""
    lightness = COLORS(np.linspace(0, 1, 32))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


def test_a_scan_stands_beside_itself_under_its_map() -> None:
    shown = evidence(PAIR_SIDE_PX)
    pair = scan_and_map(shown.pixels, shown.heat_map)
    assert [(one.shape, one.dtype) for one in pair] == [((3, PAIR_SIDE_PX, PAIR_SIDE_PX), np.uint8)] * 2
    np.testing.assert_array_equal(pair[0], np.repeat(shown.pixels, 3, axis=0))
    right = pair[1].astype(int)
    peak = right[:, PAIR_SIDE_PX // 2, PAIR_SIDE_PX // 2]
    assert peak[0] > peak[2] + 60  # yellow: red far above blue
    corner = right[:, 0, 0]
    assert corner[2] > corner[0]  # blue


def test_without_a_map_the_scan_is_alone() -> None:
    shown = evidence()
    (alone,) = scan_and_map(shown.pixels, None)
    np.testing.assert_array_equal(alone, scan_and_map(shown.pixels, shown.heat_map)[0])


def test_a_map_that_says_nothing_leaves_the_scan_gray() -> None:
    shown = evidence()
    _, right = scan_and_map(shown.pixels, np.zeros_like(shown.heat_map))
    assert (right[0] == right[1]).all()
    assert (right[0] == right[2]).all()


def test_a_map_that_speaks_against_the_class_everywhere_has_no_outline() -> None:
    against = replace(evidence(), heat_map=np.full((24, 24), -1, np.float32))
    outlined, plain = (sum(len(axes.collections) for axes in draw_evidence(one).get_axes()) for one in (evidence(), against))
    assert outlined - plain == 2
