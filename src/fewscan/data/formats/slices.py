"""Which slices of a volume are images."""

from typing import Literal

from fewscan.config import Settings

Plane = Literal["axial", "coronal", "sagittal"]


class Slices(Settings):
    """The slices of one plane: all of them, or those that hold brain."""

    plane: Plane = "axial"
    slices: Literal["brain", "all"] = "brain"
