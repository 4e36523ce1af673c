"""Tumors: where each kind grows, how large, and what it looks like."""

import math
from dataclasses import dataclass

import numpy as np

from fewscan.phantoms.anatomy import Outline
from fewscan.phantoms.canvas import Canvas, Field, Mask, Point, joined


@dataclass(frozen=True)
class Tumor:
    """One tumor, in head coordinates; `kind` is its class."""

    kind: str
    center: Point
    radius: float
    strength: float  # how far its brightness goes from the tissue beneath to its own, [0, 1]


def draw_tumor(canvas: Canvas, outline: Outline, kind: str) -> Tumor:
    """Return a tumor in a place of its kind: deep in the brain, at the skull away from the sella, or in the sella."""
    rng = canvas.rng
    strength = rng.uniform(0.88, 1)
    if kind == "pituitary":
        return Tumor(kind, outline.sella, rng.uniform(0.13, 0.2), strength)
    radius = rng.uniform(0.18, 0.29)
    depth = -outline.cavity
    away_from_sella = canvas.ellipse(outline.sella, 0.42, 0.42) > 0
    place = np.abs(depth) < canvas.pixel
    if kind == "glioma":
        place = depth > min(radius + 0.15, 0.8 * float(depth[away_from_sella].max()))
    return Tumor(kind, canvas.pick(place & away_from_sella), radius, strength)


def paint_tumor(canvas: Canvas, outline: Outline, tumor: Tumor) -> Mask:
    """Paint a tumor and what it does to its surroundings; return where it is itself, (H, W)."""
    paint = {"glioma": _paint_glioma, "meningioma": _paint_meningioma, "pituitary": _paint_pituitary}[tumor.kind]
    return paint(canvas, outline, tumor) < 0


def _paint_glioma(canvas: Canvas, outline: Outline, tumor: Tumor) -> Field:
    """Paint an irregular lump in swollen brain, most often a bright rim around a dead core."""
    rng, radius, strength = canvas.rng, tumor.radius, tumor.strength
    round_shape = canvas.ellipse(tumor.center, radius, radius * rng.uniform(0.65, 1), turn=rng.uniform(0, math.pi))
    roughness = np.clip(canvas.field(9) + 0.5 * canvas.field(18), -1.4, 1.4)
    shape: Field = np.maximum(round_shape + 0.2 * radius * roughness, outline.cavity + 0.07)
    swelling = 0.7 * round_shape - rng.uniform(0.04, 0.16) + 0.05 * canvas.field(8)
    canvas.inside(outline.cavity + 0.04).paint(swelling, "swelling", opacity=rng.uniform(0.5, 0.9) * strength, edge=0.06)
    if rng.random() < 0.8:
        canvas.paint(shape, "rim", opacity=strength, edge=0.03)
        thickness = radius * rng.uniform(0.2, 0.45) * (1 + 0.35 * canvas.field(7))
        canvas.paint(shape + thickness, "core", opacity=strength, edge=0.04)
    else:
        patches = np.clip(0.8 + 0.3 * canvas.field(14), 0.5, 1)
        canvas.paint(shape, "glioma", opacity=strength * patches, edge=0.05)
    return shape


def _paint_meningioma(canvas: Canvas, outline: Outline, tumor: Tumor) -> Field:
    """Paint a smooth, even lump that sits on the skull, with a cleft of fluid around it and a tail along the dura."""
    rng, radius, strength = canvas.rng, tumor.radius, tumor.strength
    # The base lies on the skull: the center is moved a little inwards, and what would reach into bone is cut off.
    inwards = np.subtract(outline.center, tumor.center)
    x, y = tumor.center + inwards / np.linalg.norm(inwards) * radius * rng.uniform(0.4, 0.75)
    lump = canvas.ellipse((float(x), float(y)), radius, radius * rng.uniform(0.8, 1), turn=rng.uniform(0, math.pi))
    shape: Field = np.maximum(lump + 0.05 * radius * canvas.field(8), outline.cavity)
    canvas.paint(np.maximum(shape - 0.018, outline.cavity), "fluid", opacity=rng.uniform(0, 0.8))
    canvas.paint(shape, "meningioma", opacity=strength)
    tail = np.maximum(lump - 0.09, np.abs(outline.cavity) - 0.012)
    canvas.paint(tail, "meningioma", opacity=strength * rng.uniform(0.2, 0.9))
    return shape


def _paint_pituitary(canvas: Canvas, outline: Outline, tumor: Tumor) -> Field:
    """Paint a lump in the sella that grew upwards through the ring of dura into the shape of a snowman."""
    rng, radius, strength = canvas.rng, tumor.radius, tumor.strength
    x, y = tumor.center
    body = canvas.ellipse((x, y), radius * rng.uniform(0.85, 1.15), radius * rng.uniform(0.75, 1.05))
    head = canvas.ellipse((x, y - radius * rng.uniform(0.5, 1.1)), radius * rng.uniform(0.5, 0.9), 0.8 * radius)
    shape = joined(body, head, 0.4 * radius) + 0.04 * radius * canvas.field(8)
    canvas.paint(shape - 0.015, "bone", opacity=0.5)
    canvas.paint(shape, "pituitary", opacity=strength)
    if rng.random() < 0.25:
        hollow = canvas.ellipse((x, y - 0.2 * radius), 0.45 * radius, 0.4 * radius)
        canvas.paint(hollow, "core", opacity=0.8 * strength, edge=0.03)
    return shape
