"""Slices across the head, seen from below: through the lateral ventricles, and lower through the sella."""

import numpy as np

from fewscan.phantoms.anatomy import NO_SELLA, Outline, Plane, paint_cerebellum, skull_vault
from fewscan.phantoms.canvas import Canvas, joined


def _outline_high(canvas: Canvas) -> Outline:
    vault = skull_vault(canvas, (0, 0.02), 0.79, 0.96)
    return Outline(vault, vault + canvas.rng.uniform(0.12, 0.18), (0, 0), NO_SELLA)


def _paint_nothing(canvas: Canvas, outline: Outline) -> None:
    """Leave the surroundings as they are: above the skull base there is only scalp."""


def _paint_ventricles(canvas: Canvas, outline: Outline) -> None:
    """Paint the falx, the deep gray nuclei and the lateral and third ventricles."""
    rng = canvas.rng
    wide = canvas.about(0.06, 0.55)  # of the ventricles
    cleft = rng.uniform(0.008, 0.02)
    canvas.paint(canvas.line((0, -0.9), (0, -0.42), cleft), "fluid")
    canvas.paint(canvas.line((0, 0.48), (0, 0.9), cleft), "fluid")
    canvas.paint(canvas.line((0, -0.9), (0, -0.5), 0.006), "muscle")
    canvas.paint(canvas.ellipse((0, 0.82), canvas.about(0.05, 0.4), canvas.about(0.045, 0.4)), "vessel", rng.uniform(0, 1))
    sides = canvas.folded()
    for nucleus in (
        sides.ellipse((0.3, 0), 0.1, 0.2, turn=-0.25),
        sides.ellipse((0.14, 0.1), 0.1, 0.15, turn=0.2),
        sides.ellipse((0.1 + wide, -0.22), 0.06, 0.12, turn=0.4),
    ):
        canvas.paint(nucleus, "gray", opacity=0.8, edge=0.04)
    canvas.paint(sides.line((0.72, -0.1), (0.42, canvas.about(0.04, 0.5)), rng.uniform(0.012, 0.03)), "fluid")
    horn = sides.line((0.05, -0.12), (0.08 + wide, canvas.about(-0.4)), wide * canvas.about(0.8))
    end = (0.2 + 1.5 * wide, 0.1 + canvas.about(0.36))
    atrium = sides.line((0.16 + wide, 0.2), end, wide * canvas.about(0.95))
    canvas.paint(np.minimum(horn, atrium), "fluid")
    canvas.paint(sides.ellipse(end, 0.05, 0.03, turn=1), "plexus", opacity=rng.uniform(0.2, 1), edge=0.04)
    canvas.paint(canvas.line((0, -0.05), (0, 0.16), 0.25 * wide), "fluid")


def _outline_low(canvas: Canvas) -> Outline:
    vault = skull_vault(canvas, (0, 0.02), 0.79, 0.96)
    face = canvas.ellipse((0, -0.62), canvas.about(0.56, 0.08), canvas.about(0.42, 0.1))
    # The middle of the skull base, with the nose before it, reaches further back than the temporal poles beside it.
    sella_y = canvas.rng.uniform(-0.22, -0.06)
    poles = np.clip((np.abs(canvas.x) - 0.1) / 0.28, 0, 1)
    front = sella_y - 0.1 - canvas.about(0.3) * poles - canvas.y
    cavity = np.maximum(vault + canvas.rng.uniform(0.12, 0.18), front)
    return Outline(joined(vault, face, 0.12), cavity, (0, 0.15), (0, sella_y))


def _paint_orbits(canvas: Canvas, outline: Outline) -> None:
    """Paint what lies before the brain: sinus, nose and, in most heads, eyes."""
    rng = canvas.rng
    front = outline.sella[1] - 0.2
    canvas.paint(canvas.ellipse((0, front), canvas.about(0.12), 0.09), "air", opacity=rng.uniform(0.6, 1))
    canvas.paint(canvas.ellipse((0, front - 0.24), canvas.about(0.1), 0.16), "mucosa", rng.uniform(0.2, 0.8), edge=0.06)
    canvas.paint(canvas.line((0, -0.9), (0, front - 0.1), 0.012), "bone")
    if rng.random() < 0.75:
        sides, eye = canvas.folded(), canvas.about(0.125)
        canvas.paint(sides.ellipse((0.3, -0.62), 0.19, 0.24, turn=0.35), "fat", opacity=0.8)
        canvas.paint(sides.line((0.3, -0.68), (0.14, -0.36), 0.022), "muscle")
        canvas.paint(sides.ellipse((0.32, -0.74), eye, eye * 1.1), "muscle")
        canvas.paint(sides.ellipse((0.32, -0.74), eye * 0.82, eye * 0.92), "fluid")


def _paint_brain_stem(canvas: Canvas, outline: Outline) -> None:
    """Paint the cistern around the sella, brain stem, cerebellum and the bone between it and the temporal lobes."""
    rng = canvas.rng
    sella_y = outline.sella[1]
    points = np.cos(5 * canvas.angle((0, sella_y)) + 0.5 * np.pi)
    canvas.paint(canvas.ellipse((0, sella_y + 0.03), 1, 1) + 1 - canvas.about(0.14, 0.3) * (1 + 0.3 * points), "fluid")
    sides = canvas.folded()
    canvas.paint(sides.line((0.75, 0.26), (0.28, 0.1), canvas.about(0.032, 0.4)), "bone")
    canvas.paint(sides.line((0.7, 0.1), (0.45, 0.12), 0.03), "air", opacity=rng.uniform(0, 0.7), edge=0.04)
    canvas.paint(sides.ellipse((0.15, sella_y), 0.022, 0.022), "vessel")
    paint_cerebellum(canvas, canvas.ellipse((0, 0.52), canvas.about(0.52, 0.08), canvas.about(0.33, 0.08)), (0, 0.4))
    stem_y = sella_y + canvas.about(0.28, 0.08)
    stem = canvas.ellipse((0, stem_y), 0.17, 0.13)
    canvas.paint(stem - 0.02, "fluid", opacity=0.7)
    canvas.paint(stem, "white")
    canvas.paint(canvas.ellipse((0, stem_y + 0.19), canvas.about(0.07, 0.4), canvas.about(0.04, 0.3)), "fluid")


HIGH = Plane(_outline_high, _paint_nothing, _paint_ventricles)
LOW = Plane(_outline_low, _paint_orbits, _paint_brain_stem)
