"""Slices from ear to ear, through the sella."""

import numpy as np

from fewscan.phantoms.anatomy import Outline, Plane, skull_vault
from fewscan.phantoms.canvas import Canvas, joined


def _outline(canvas: Canvas) -> Outline:
    vault = skull_vault(canvas, (0, -0.16), 0.8, 0.8)
    neck = np.maximum(np.abs(canvas.x) - canvas.about(0.6, 0.1), 0.1 - canvas.y)
    sella_y = canvas.rng.uniform(0.26, 0.38)
    lobes = np.clip((np.abs(canvas.x) - 0.12) / 0.2, 0, 1) - np.clip((np.abs(canvas.x) - 0.42) / 0.5, 0, 1)
    base = canvas.y - (sella_y + 0.02) - canvas.about(0.16) * lobes
    cavity = np.maximum(vault + canvas.rng.uniform(0.11, 0.17), base)
    return Outline(joined(vault, neck, 0.1), cavity, (0, -0.15), (0, sella_y))


def _paint_sinuses(canvas: Canvas, outline: Outline) -> None:
    """Paint what lies below the brain: the sinus under the sella, with or without fluid, the airways and the jaw."""
    rng = canvas.rng
    floor = outline.sella[1] + 0.2
    canvas.paint(canvas.ellipse((0, floor), canvas.about(0.16, 0.25), canvas.about(0.1, 0.2)), "air")
    if rng.random() < 0.4:
        canvas.paint(canvas.ellipse((0.02, floor + 0.06), 0.09, 0.04), "mucosa", opacity=0.9)
    canvas.paint(canvas.ellipse((0, 0.82), canvas.about(0.13), 0.2), "mucosa", opacity=0.6, edge=0.08)
    sides = canvas.folded()
    canvas.paint(sides.ellipse((0.3, 0.78), 0.1, canvas.about(0.16)), "air", opacity=rng.uniform(0.3, 0.9), edge=0.04)
    canvas.paint(sides.line((0.48, 0.62), (0.42, 1.2), 0.05), "marrow", opacity=rng.uniform(0.2, 0.9))


def _paint_brain(canvas: Canvas, outline: Outline) -> None:
    """Paint the falx, frontal horns, third ventricle, Sylvian fissures, and the cistern over the sella."""
    rng = canvas.rng
    sella_y = outline.sella[1]
    wide = canvas.about(0.055, 0.5)  # of the ventricles
    canvas.paint(canvas.line((0, -0.95), (0, -0.4), rng.uniform(0.008, 0.02)), "fluid")
    canvas.paint(canvas.line((0, -0.95), (0, -0.48), 0.006), "muscle")
    canvas.paint(canvas.ellipse((0, -0.82), canvas.about(0.05, 0.4), canvas.about(0.045, 0.4)), "vessel", rng.uniform(0, 1))
    canvas.paint(canvas.line((-0.14, -0.31), (0.14, -0.31), 0.028), "white")
    sides, horn_y = canvas.folded(), canvas.about(-0.2, 0.15)
    for nucleus in (
        sides.ellipse((0.2, horn_y + 0.04), 0.06, 0.09, turn=0.4),
        sides.ellipse((0.34, 0), 0.09, 0.14, turn=0.2),
        sides.ellipse((0.12, 0.02), 0.09, 0.1),
    ):
        canvas.paint(nucleus, "gray", opacity=0.8, edge=0.04)
    canvas.paint(sides.line((0.03, horn_y + 0.07), (0.08 + 1.6 * wide, horn_y - 0.03), wide), "fluid")
    canvas.paint(sides.line((0.78, 0.16), (0.45, canvas.about(0.05, 1)), rng.uniform(0.014, 0.035)), "fluid", opacity=0.9)
    canvas.paint(sides.ellipse((0.13, sella_y), 0.03, 0.035), "vessel")
    canvas.paint(canvas.line((0, -0.08), (0, 0.1), 0.25 * wide + 0.004), "fluid")
    canvas.paint(canvas.ellipse((0, sella_y - 0.06), canvas.about(0.15, 0.25), canvas.about(0.06, 0.25)), "fluid")


PLANE = Plane(_outline, _paint_sinuses, _paint_brain)
