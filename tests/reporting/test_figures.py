import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib.figure import Figure
from PIL import Image

from fewscan.images.png import LARGEST_SCAN_PX, scan_picture
from fewscan.reporting.figures import (
    ACCURACIES,
    COLORS,
    MARKERS,
    MARKERS_A_CURVE,
    STYLES,
    draw_curve,
    epoch_series,
    loss_names,
    numbered_look,
    plots,
    training_curves,
)

pytestmark = pytest.mark.usefixtures("all_painted")

GROUNDS = {"light": "#ffffff", "dark": "#15181c"}


def decoded(uri: str) -> Image.Image:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content, validate=True)))


def epoch(number: int, **changes: float | None) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {
        "epoch": number,
        "step": 10 * number,
        "learning_rate": 0.001,
        "loss": 3.0 / number,
        "nt_xent": 2.0 / number,
        "cross_entropy": 1.0 / number,
        "losses": ["nt_xent", "cross_entropy"],
        "p_acc": 0.5,
        "c_acc": 0.9,
        "r_acc": 0.1,
        "r_acc_left_out": 0.0,
        "validation_accuracy": 0.4,
        "probe_accuracy": 0.6,
        "seconds": 1.5,
    }
    return numbers | changes


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1, 3]), st.integers(1, 24), st.integers(1, 24), st.data())
def test_a_scan_is_shown_pixel_for_pixel(channels: int, height: int, width: int, data: st.DataObject) -> None:
    pixels = data.draw(arrays.arrays(np.uint8, (channels, height, width)))
    shown = np.asarray(decoded(scan_picture(pixels)))
    expected = pixels[0] if channels == 1 else pixels.transpose(1, 2, 0)
    np.testing.assert_array_equal(shown, expected)


def test_a_large_scan_is_shrunk_in_proportion() -> None:
    picture = decoded(scan_picture(np.full((1, 600, 1200), 77, dtype=np.uint8)))
    assert picture.size == (LARGEST_SCAN_PX, LARGEST_SCAN_PX // 2)
    assert picture.getextrema() == (77, 77)


@pytest.fixture(scope="module")
def three_epochs(all_painted: None) -> list[str]:
    return training_curves([epoch(1), epoch(2), epoch(3)], "light")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loss", "nt_xent", "cross_entropy", *ACCURACIES])
def test_every_number_is_drawn(name: str, three_epochs: list[str]) -> None:
    assert training_curves([epoch(1), epoch(2, **{name: 0.75}), epoch(3)], "light") != three_epochs


@pytest.mark.slow
def test_the_same_log_gives_the_same_pictures(three_epochs: list[str]) -> None:
    assert training_curves([epoch(1), epoch(2), epoch(3)], "light") == three_epochs


@pytest.mark.slow
def test_the_ground_is_the_pages_own() -> None:
    for theme in COLORS:
        for picture in map(decoded, training_curves([epoch(1), epoch(2)], theme)):
            assert picture.mode == "RGBA"
            assert picture.getpixel((0, 0))[3] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "metrics",
    [
        [epoch(1)],
        [epoch(1, validation_accuracy=None, probe_accuracy=None), epoch(2, validation_accuracy=None)],
        [{"epoch": 1, "loss": 0.5, "cross_entropy": 0.5}],
        [epoch(number) for number in range(1, 301)],
    ],
    ids=["one epoch", "numbers not defined", "accuracies missing", "many epochs"],
)
def test_curves_of_unusual_logs(metrics) -> None:
    assert len([decoded(picture) for picture in training_curves(metrics, "light")]) == 2


def test_each_plot_of_a_figure_is_a_picture_of_its_own_with_all_that_belongs_to_it() -> None:
    figure = Figure(figsize=(6, 3), dpi=100, layout="constrained")
    colors = ((255, 0, 0), (0, 0, 255))
    for axes, color in zip(figure.subplots(1, 2), colors, strict=True):
        ink = tuple(part / 255 for part in color)
        axes.plot([0, 1], color=ink, linewidth=3, label="above")
        axes.set_title("what it is", color=ink)
        axes.set_ylabel("how much", color=ink)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), labelcolor=[ink])
    pictures = [np.asarray(decoded(uri)) for uri in plots(figure)]
    file = io.BytesIO()
    figure.savefig(file, format="png", transparent=True)
    drawn = np.asarray(Image.open(file))
    for own, other in (colors, colors[::-1]):
        picture = pictures[colors.index(own)]
        assert _of(picture, own) == pytest.approx(_of(drawn, own), rel=0.02)
        assert _of(picture, own) > 0
        assert _of(picture, other) == 0


def _of(picture: np.ndarray, color: tuple[int, int, int]) -> int:
    """How many pixels have exactly this color."""
    return int((picture == (*color, 255)).all(axis=2).sum())


def test_the_sum_of_losses_is_named_only_where_there_are_several() -> None:
    assert loss_names([epoch(1), epoch(2)]) == ["loss", "nt_xent", "cross_entropy"]
    assert loss_names([{"epoch": 1, "loss": 0.5, "cross_entropy": 0.5, "losses": ["cross_entropy"]}]) == ["cross_entropy"]
    assert loss_names([{"epoch": 1, "loss": 0.5}]) == ["loss"]


def test_curves_differ_in_gray_and_stand_out_from_the_page() -> None:
    assert len(set(STYLES)) >= len(ACCURACIES)
    assert len(set(MARKERS)) >= len(ACCURACIES)
    for theme, colors in COLORS.items():
        assert len(set(colors)) >= len(ACCURACIES)
        for color in colors:
            lighter, darker = sorted((luminance(color), luminance(GROUNDS[theme])), reverse=True)
            # WCAG 2.2, 1.4.11: what is needed to understand a picture has a contrast of 3 to 1.
            assert (lighter + 0.05) / (darker + 0.05) >= 3


def test_looks_stay_distinct_after_the_colors_begin_again() -> None:
    for theme in COLORS:
        assert len({numbered_look(number, theme) for number in range(len(STYLES) ** 2)}) == len(STYLES) ** 2


@pytest.mark.parametrize("place", range(40))
def test_a_number_of_one_epoch_alone_gets_a_marker(place: int) -> None:
    values = np.full(40, np.nan)
    values[place] = 0.5
    axes = Figure().subplots()
    draw_curve(axes, range(1, 41), values, numbered_look(3, "light"), label="c_acc", number=3, curves=5)
    assert axes.lines[0].get_markevery() == [place]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=60), st.integers(0, 4))
def test_markers_stand_on_known_numbers_and_are_few(values: list[float | None], number: int) -> None:
    drawn = epoch_series([epoch(1, c_acc=value) for value in values], "c_acc")
    axes = Figure().subplots()
    draw_curve(axes, range(len(values)), drawn, numbered_look(number, "light"), label="c_acc", number=number, curves=5)
    marked = axes.lines[0].get_markevery()
    assert all(values[place] is not None for place in marked)
    assert bool(marked) == any(value is not None for value in values)
    assert len(marked) < 2 * MARKERS_A_CURVE
