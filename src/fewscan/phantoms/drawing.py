"""One practice slice from a seed: pick a plane, paint the head tissue by tissue and the tumor into it, take the picture."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fewscan.errors import FewscanError
from fewscan.phantoms import axial, coronal, sagittal
from fewscan.phantoms.anatomy import Plane, paint_cortex, paint_findings, paint_gland, paint_head
from fewscan.phantoms.canvas import Canvas
from fewscan.phantoms.scanner import acquire, draw_tissues
from fewscan.phantoms.tumors import draw_tumor, paint_tumor

View = Literal["axial", "coronal", "sagittal"]

VIEWS: tuple[View, ...] = get_args(View)
CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")
SMALLEST_SIZE_PX = 32

THROUGH_SELLA: dict[View, Plane] = {"axial": axial.LOW, "coronal": coronal.PLANE, "sagittal": sagittal.PLANE}


@dataclass(frozen=True)
class Phantom:
    """One drawn slice.

    `pixels` is (H, W) uint8. `tumor_mask` (H, W) bool leaves out the swelling around the tumor and is empty for no_tumor;
    `cavity_mask` (H, W) bool is everything within the skull.
    """

    pixels: npt.NDArray[np.uint8]
    label: str
    view: View
    tumor_mask: npt.NDArray[np.bool_]
    cavity_mask: npt.NDArray[np.bool_]


def draw_phantom(rng: np.random.Generator, label: str, *, size_px: int = 128) -> Phantom:
    """Draw one slice of a new head, (size_px, size_px), in a view and with a contrast that do not depend on `label`.

    One state of `rng` always gives the same pixels. Raises FewscanError for an unknown label or a size under 32 px.
    """
    if label not in CLASSES:
        raise FewscanError(f"there are no practice scans of '{label}': choose from {', '.join(CLASSES)}")
    if size_px < SMALLEST_SIZE_PX:
        raise FewscanError(f"practice scans of {size_px} px are too small: ask for {SMALLEST_SIZE_PX} px or more")
    view = VIEWS[rng.integers(len(VIEWS))]
    # The view says nothing about the class. The level does: a slice above the skull base cannot show a pituitary tumor.
    above_sella = rng.random() < 0.4 and view == "axial" and label != "pituitary"
    plane = axial.HIGH if above_sella else THROUGH_SELLA[view]

    canvas = Canvas.new(rng, size_px, draw_tissues(rng))
    outline = plane.outline(canvas)
    tumor = None if label == "no_tumor" else draw_tumor(canvas, outline, label)
    paint_head(canvas, outline)
    plane.paint_surroundings(canvas, outline)
    brain = canvas.inside(outline.cavity)
    if tumor is not None:
        brain = brain.pushed_from(tumor.center, tumor.radius)
    paint_cortex(brain, outline)
    plane.paint_brain(brain, outline)
    paint_gland(canvas, outline)
    paint_findings(canvas, outline)
    mask = np.zeros((size_px, size_px), dtype=np.bool_) if tumor is None else paint_tumor(canvas, outline, tumor)
    return Phantom(acquire(canvas), label, view, mask, outline.cavity < 0)
