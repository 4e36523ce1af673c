"""What every slice of a head shows, whichever way it is cut."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fewscan.phantoms.canvas import Canvas, Field, Point

NO_SELLA: Point = (0.0, 9.0)  # out of sight: below the slice


@dataclass(frozen=True)
class Outline:
    """Where things lie in a slice."""

    head: Field  # the shape within the skin
    cavity: Field  # the shape within the skull
    center: Point  # of the brain
    sella: Point  # the pit in the skull base that holds the pituitary gland


@dataclass(frozen=True)
class Plane:
    """A way to cut through a head: where things lie in it, and what is painted outside and inside the brain's cavity."""

    outline: Callable[[Canvas], Outline]
    paint_surroundings: Callable[[Canvas, Outline], None]
    paint_brain: Callable[[Canvas, Outline], None]


def skull_vault(canvas: Canvas, center: Point, half_width: float, half_height: float) -> Field:
    """Return the shape of a head above the ears, lumpy in its own way."""
    vault = canvas.ellipse(center, canvas.about(half_width, 0.06), canvas.about(half_height, 0.05))
    angle = canvas.angle(center)
    for order in (2, 3, 4, 5):
        vault -= canvas.rng.normal(0, 0.026 / order) * np.cos(order * angle + canvas.rng.uniform(0, 2 * math.pi))
    return vault


def paint_head(canvas: Canvas, outline: Outline) -> None:
    """Paint scalp, the soft parts of face and neck, and the skull around the brain's cavity."""
    rng = canvas.rng
    canvas.paint(outline.head, "fat")
    scalp = outline.head + canvas.about(0.055, 0.6)
    canvas.paint(scalp, "muscle")
    flesh, mottle = canvas.inside(scalp), canvas.field(14)
    flesh.paint(rng.uniform(0, 1) - mottle, "fat", opacity=0.8, edge=0.7)
    flesh.paint(mottle + 0.9, "air", opacity=0.7, edge=0.5)
    skull = canvas.about(0.065, 0.25)
    canvas.paint(outline.cavity - skull, "bone")
    canvas.paint(np.abs(outline.cavity - 0.5 * skull) - 0.16 * skull, "marrow", opacity=rng.uniform(0, 0.8))
    canvas.paint(outline.cavity, "fluid")
    canvas.paint(np.abs(outline.cavity) - 0.008, "vessel", opacity=rng.uniform(0, 0.35))


def paint_cortex(canvas: Canvas, outline: Outline) -> None:
    """Paint white matter, the gray ribbon folded around its sulci, and the fluid in them."""
    rng = canvas.rng
    brain = outline.cavity + rng.uniform(0.015, 0.045)
    shallow = np.clip(1.35 + brain / rng.uniform(0.22, 0.4), 0, 1)
    folds = np.sin(int(rng.integers(6, 13)) * canvas.angle(outline.center) + 2.6 * canvas.field(6))
    folds = np.abs(folds + 0.9 * canvas.field(int(rng.integers(13, 20))))
    canvas.paint(brain, "gray")
    canvas.paint(brain + 0.05, "white", edge=0.05)
    canvas = canvas.inside(brain)
    canvas.paint(folds - 0.55, "gray", opacity=shallow, edge=0.35)
    canvas.paint(folds - rng.uniform(0.1, 0.26), "fluid", opacity=rng.uniform(0.65, 1) * shallow, edge=0.2)


def paint_cerebellum(canvas: Canvas, shape: Field, root: Point) -> None:
    """Paint a shape with the fine leaves of the cerebellum around a white root."""
    canvas.paint(shape - 0.025, "fluid")
    canvas.paint(shape, "gray")
    canvas = canvas.inside(shape)
    leaves = np.sin(canvas.about(70, 0.2) * shape + 2.2 * canvas.field(7))
    canvas.paint(0.7 - leaves, "fluid", opacity=0.35, edge=0.6)
    branches = np.cos(9 * canvas.angle(root) + canvas.field(6)) + 7 * shape
    canvas.paint(branches + 0.9, "white", opacity=0.7, edge=0.6)


def paint_gland(canvas: Canvas, outline: Outline) -> None:
    """Paint the healthy pituitary gland and its stalk, which every head has."""
    x, y = outline.sella
    canvas.paint(canvas.ellipse((x, y), canvas.about(0.06, 0.3), canvas.about(0.032, 0.3)), "gland")
    canvas.paint(canvas.line((x, y - 0.08), (x, y), 0.008), "gland", opacity=0.7)


def paint_findings(canvas: Canvas, outline: Outline) -> None:
    """Paint what is bright or dark and no tumor: vessels, and spots in the white matter."""
    rng = canvas.rng
    depth = -outline.cavity
    for _ in range(rng.integers(2, 6)):
        place, radius = canvas.pick((depth > 0.02) & (depth < 0.4)), rng.uniform(0.012, 0.024)
        canvas.paint(canvas.ellipse(place, radius, radius * rng.uniform(1, 3), rng.uniform(0, math.pi)), "vessel", 0.9)
    for _ in range(rng.poisson(1)):
        place, radius = canvas.pick(depth > 0.16), rng.uniform(0.015, 0.035)
        canvas.paint(canvas.ellipse(place, radius, radius * rng.uniform(1, 1.6)), "spot", rng.uniform(0.4, 0.9), edge=radius)
