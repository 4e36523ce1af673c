"""Slices from face to neck, through the sella; the face looks to the left."""

import numpy as np

from fewscan.phantoms.anatomy import Outline, Plane, paint_cerebellum, skull_vault
from fewscan.phantoms.canvas import Canvas, joined


def _outline(canvas: Canvas) -> Outline:
    occiput = canvas.ellipse((0.42, canvas.about(0.1, 0.2)), 0.5, canvas.about(0.5, 0.06), turn=-0.3)
    vault = joined(skull_vault(canvas, (0.06, -0.2), 0.9, 0.74), occiput, 0.12)
    jaw = canvas.ellipse((canvas.about(-0.36, 0.08), canvas.about(0.46, 0.08)), 0.44, canvas.about(0.62, 0.06), turn=-0.1)
    nose = canvas.line((-0.7, 0.0), (-0.84, canvas.about(0.28, 0.15)), canvas.about(0.06))
    chin = canvas.ellipse((-0.62, canvas.about(0.86, 0.05)), 0.18, 0.17)
    face = joined(joined(jaw, chin, 0.06), nose, 0.04)
    neck = np.maximum(np.abs(canvas.x - 0.14) - canvas.about(0.44, 0.1), 0.2 - canvas.y)
    sella_x, sella_y = canvas.rng.uniform(-0.22, -0.08), canvas.rng.uniform(0.15, 0.25)
    # The skull base falls in steps from the brow over the sella to the great hole.
    steps_x, steps_y = (-0.85, -0.3, sella_x, 0.1, 0.3, 0.6, 0.9), (-0.06, 0.08, sella_y + 0.02, 0.46, 0.58, 0.54, 0.3)
    base = canvas.y - np.interp(canvas.x, steps_x, steps_y).astype(np.float32)
    cavity = np.maximum(vault + canvas.rng.uniform(0.11, 0.17), 0.85 * base)
    return Outline(joined(joined(vault, face, 0.1), neck, 0.1), cavity, (0.06, -0.1), (sella_x, sella_y))


def _paint_face(canvas: Canvas, outline: Outline) -> None:
    """Paint what lies below the brain: sinuses, nose, tongue, airway, spine and the marrow of the skull base."""
    rng = canvas.rng
    x, y = outline.sella
    canvas.paint(canvas.line((x + 0.05, y + 0.1), (0.16, 0.54), 0.05), "marrow")
    canvas.paint(canvas.ellipse((x - 0.1, y + 0.16), canvas.about(0.13), canvas.about(0.09)), "air")
    if rng.random() < 0.4:
        canvas.paint(canvas.ellipse((x - 0.1, y + 0.21), 0.08, 0.03), "mucosa", opacity=0.9)
    canvas.paint(canvas.ellipse((-0.7, -0.08), 0.05, canvas.about(0.08, 0.4)), "air", opacity=0.8)
    canvas.paint(canvas.ellipse((-0.5, 0.32), canvas.about(0.26), 0.08), "mucosa", opacity=0.6, edge=0.06)
    canvas.paint(canvas.line((-0.74, 0.32), (-0.2, canvas.about(0.38, 0.1)), 0.016), "air", rng.uniform(0.4, 0.9), edge=0.04)
    canvas.paint(canvas.ellipse((-0.42, 0.68), canvas.about(0.24), canvas.about(0.16)), "muscle")
    canvas.paint(canvas.ellipse((-0.66, 0.88), 0.06, 0.1, turn=0.4), "marrow")
    canvas.paint(canvas.line((-0.1, 0.5), (-0.06, 1.4), canvas.about(0.035, 0.3)), "air")
    canvas.paint(canvas.line((0.32, 0.6), (0.36, 1.6), 0.09), "fluid")
    canvas.paint(canvas.line((0.3, 0.5), (0.36, 1.6), 0.05), "white")
    for step in range(5):
        vertebra = canvas.ellipse((0.13 + 0.015 * step, 0.7 + 0.17 * step), 0.085, 0.07)
        canvas.paint(vertebra, "bone")
        canvas.paint(vertebra + 0.015, "marrow")


def _paint_brain(canvas: Canvas, outline: Outline) -> None:
    """Paint callosum, ventricle, thalamus, brain stem, cerebellum, and the cisterns before and below them."""
    rng = canvas.rng
    x, y = outline.sella
    bow = canvas.ellipse((0.04, canvas.about(-0.07, 0.3)), canvas.about(0.36, 0.08), canvas.about(0.24, 0.12))
    above = canvas.inside(np.maximum(canvas.y - 0.02, outline.cavity))
    above.paint(bow, "gray", opacity=0.9)
    above.paint(np.maximum(bow, canvas.y + 0.1), "fluid", opacity=rng.uniform(0.3, 1), edge=0.05)
    above.paint(np.abs(bow) - canvas.about(0.036, 0.3), "white")
    above.paint(np.abs(bow - 0.09) - 0.01, "fluid", opacity=0.6)
    thalamus = canvas.ellipse((0.08, -0.03), canvas.about(0.17), canvas.about(0.09))
    canvas.paint(thalamus - 0.02, "fluid", opacity=0.7)
    canvas.paint(thalamus, "gray")
    canvas.paint(canvas.line((x - 0.03, y - 0.06), (x + 0.2, y + 0.06), canvas.about(0.055, 0.3)), "fluid")
    cerebellum = canvas.ellipse((0.52, 0.3), canvas.about(0.26, 0.08), canvas.about(0.22, 0.08), turn=0.3)
    paint_cerebellum(canvas, cerebellum, (0.34, 0.28))
    pons = canvas.ellipse((0.15, canvas.about(0.25, 0.08)), canvas.about(0.1, 0.12), 0.12, turn=-0.15)
    for part in (canvas.line((0.16, 0.06), (0.22, 0.3), 0.075), pons, canvas.line((0.22, 0.3), (0.3, 0.62), 0.06)):
        canvas.paint(part, "white")
    canvas.paint(canvas.line((0.27, 0.2), (0.31, 0.34), canvas.about(0.025, 0.4)), "fluid")


PLANE = Plane(_outline, _paint_face, _paint_brain)
