"""A scan, what speaks for its class in it, and the labeled scans that look most alike, as one picture."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from fewscan.atomic import replaced_file
from fewscan.explaining.attribution import HeatMap
from fewscan.explaining.evidence import NEIGHBORS, Evidence, Neighbor, Pixels
from fewscan.progress import printable
from fewscan.reporting.figures import GRID, INK
from fewscan.reporting.letters import letters_of
from fewscan.wording import scan_number

DPI = 150
SIZE_INCHES = (9.6, 6.6)
FONT_SIZE = 9.5
# Without parse_math a class that holds dollar signs would be read as a formula.
LOOK: dict[Any, float | str | bool] = {
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "text.color": INK["light"],
    "text.parse_math": False,
}

# From dark blue through gray to yellow, its lightness growing evenly: the color-blind read it, and so does who prints in gray.
COLORS = mpl.colormaps["cividis"]
# Between these grays the scan stands under a map, so that both its dark and its light show.
SCAN_GRAYS = (0.12, 0.85)
STRONGEST_OPACITY = 0.85
# A line is drawn where a map has this share of its strongest value for the class.
OUTLINED_SHARE = 0.5
BAR = "#0072b2"
NO_MAP = "no heat map:\nthe scan is out of distribution,\nso its prediction means nothing"
NAME_LETTERS_A_LINE = 26

# What the scan measures in a page, and under its map beside it.
PAIR_SIDE_PX = 160


def write_figure(evidence: Evidence, out: Path, *, names: bool = False) -> None:
    """Write `draw_evidence` as the PNG file `out`, replacing an older one; raises FewscanError where it cannot be written."""
    words = [*evidence.classes, *(f"{near.label}{_called(near, names)}" for near in evidence.neighbors)]
    with replaced_file(out, parents=True) as temporary, letters_of("".join(words)):
        draw_evidence(evidence, names=names).savefig(temporary, format="png")


def draw_evidence(evidence: Evidence, *, names: bool = False) -> Figure:
    """Draw the scan, the same under its heat map, the probabilities, and below the nearest labeled scans.

    Scans are called by their numbers, with `names` by their files, which may hold names of patients.
    """
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
        figure.suptitle(_headline(evidence), fontsize=FONT_SIZE + 2)
        ((above,), (below,)) = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.75, 1))
        scan, mapped, bars = above.subplots(1, 3, width_ratios=(1, 1.0, 0.85))
        _show(scan, _rgb(evidence.pixels), "the scan, as the network sees it")
        if evidence.heat_map is None:
            mapped.set_axis_off()
            mapped.text(0.5, 0.5, NO_MAP, ha="center", va="center", transform=mapped.transAxes)
        else:
            _show(mapped, overlaid(evidence.pixels, evidence.heat_map), f"for {evidence.explained} (yellow), against it (blue)")
            _outline(mapped, evidence.heat_map)
            strength = _strength(evidence.heat_map)
            above.colorbar(
                ScalarMappable(Normalize(-strength, strength), COLORS),
                ax=mapped,
                location="bottom",
                label="how much less sure of the class the network gets\nwhere the scan is blurred (drop in log-odds)\n"
                "(line: half of the largest drop)",
            )
        _draw_probabilities(bars, evidence)
        below.suptitle(
            "labeled scans that the network finds most similar (distance: 1 - cosine similarity of features)",
            fontsize=FONT_SIZE,
        )
        for axes, neighbor in zip(below.subplots(1, NEIGHBORS), [*evidence.neighbors, *[None] * NEIGHBORS], strict=False):
            _show_neighbor(axes, neighbor, names)
    return figure


def scan_and_map(pixels: Pixels, heat_map: HeatMap | None) -> list[npt.NDArray[np.uint8]]:
    """Return a scan (C, S, S), and it under its map if it has one, for a page: each (3, PAIR_SIDE_PX, PAIR_SIDE_PX) uint8."""
    pictures = (_rgb(pixels),) if heat_map is None else (_rgb(pixels), overlaid(pixels, heat_map))
    sides = (PAIR_SIDE_PX,) * 2
    drawn = [Image.fromarray(np.rint(255 * one).astype(np.uint8)).resize(sides, Image.Resampling.BILINEAR) for one in pictures]
    return [np.ascontiguousarray(np.asarray(one).transpose(2, 0, 1)) for one in drawn]


def _headline(evidence: Evidence) -> str:
    said = f"predicted: {evidence.predicted}, probability {evidence.probabilities.max():.2f}"
    if evidence.out_of_distribution:
        said = "out of distribution: unlike the training scans, so its probabilities mean nothing"
    return said if evidence.explained == evidence.predicted else f"{said}; explained: {evidence.explained}"


def _rgb(pixels: Pixels) -> npt.NDArray[np.float64]:
    """Return (S, S, 3) in [0, 1] of a scan (C, S, S)."""
    return np.broadcast_to(pixels.transpose(1, 2, 0) / 255, (*pixels.shape[1:], 3)).astype(np.float64)


def overlaid(pixels: Pixels, heat_map: HeatMap) -> npt.NDArray[np.float64]:
    """Return (S, S, 3) in [0, 1]: the scan in gray, under colors that grow denser with how much a place says."""
    dark, light = SCAN_GRAYS
    gray = dark + (light - dark) * _rgb(pixels).mean(axis=2, keepdims=True)
    strength = heat_map / _strength(heat_map)
    colors = COLORS((1 + strength) / 2)[..., :3]
    opacity = STRONGEST_OPACITY * np.abs(strength)[..., np.newaxis]
    return np.asarray((1 - opacity) * gray + opacity * colors)


def _strength(heat_map: HeatMap) -> float:
    """Return the largest value that a map has, for or against; 1 for a map that is zero everywhere."""
    return float(np.abs(heat_map).max()) or 1.0


def _show(axes: Axes, picture: npt.NDArray[np.float64], title: str) -> None:
    axes.imshow(picture, interpolation="bilinear")
    axes.set_title(title)
    axes.set_axis_off()


def _outline(axes: Axes, heat_map: HeatMap) -> None:
    """Draw a line around the places that say half as much as the strongest one: what a reader in gray looks for."""
    if heat_map.max() > 0:
        for color, width in (("#000000", 2.8), ("#ffffff", 1.4)):
            axes.contour(heat_map, levels=[OUTLINED_SHARE * heat_map.max()], colors=color, linewidths=width)


def _draw_probabilities(axes: Axes, evidence: Evidence) -> None:
    places = np.arange(len(evidence.classes))
    axes.barh(places, evidence.probabilities, color=BAR, height=0.55)
    for place, probability in zip(places, evidence.probabilities, strict=True):
        inside = probability > 0.5
        axes.annotate(
            f"{probability:.3f}",
            (probability, place),
            xytext=(-4 if inside else 4, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="center",
            color="#ffffff" if inside else INK["light"],
        )
    axes.set_yticks(places, evidence.classes)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_title("probability of each class")
    axes.tick_params(colors=INK["light"])
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _show_neighbor(axes: Axes, neighbor: Neighbor | None, names: bool) -> None:
    axes.set_axis_off()
    if neighbor is not None:
        words = f"{neighbor.label}\n{_called(neighbor, names)}distance {neighbor.distance:.3f}"
        _show(axes, _rgb(neighbor.pixels), words)
        axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor=GRID["light"]))


def _called(neighbor: Neighbor, names: bool) -> str:
    """Return what a scan is called before its distance; a name may hold codes that no letter stands for."""
    return f"{textwrap.fill(printable(neighbor.name), NAME_LETTERS_A_LINE)}\n" if names else f"{scan_number(neighbor.row)}, "
