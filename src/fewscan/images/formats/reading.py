"""How files are read: which of their images count, and through which window gray values become 8 bits."""

from typing import Annotated, Any, Literal

import pydantic

from fewscan.config import Settings

Plane = Literal["axial", "coronal", "sagittal"]

# Center and width in Hounsfield units, as radiology departments commonly set them.
NAMED_WINDOWS = {"brain": (40, 80), "subdural": (80, 200), "bone": (500, 2000), "lung": (-600, 1500), "abdomen": (50, 400)}


class Window(Settings):
    """The values that are shown: from `center - width / 2`, black, to `center + width / 2`, white; linear between them."""

    center: float = pydantic.Field(allow_inf_nan=False)
    width: float = pydantic.Field(gt=0, allow_inf_nan=False)

    @property
    def limits(self) -> tuple[float, float]:
        """The values that become black and white."""
        return self.center - self.width / 2, self.center + self.width / 2

    def __str__(self) -> str:
        """Return CENTER,WIDTH."""
        return f"{self.center:g},{self.width:g}"

    @property
    def sentence(self) -> str:
        """What it shows, for a report."""
        return f"gray values were shown with a window of center {self.center:g}, width {self.width:g}"


def _window(written: Any) -> Any:
    """Turn `CENTER,WIDTH` or a name of NAMED_WINDOWS into a window's fields; what is neither is refused by pydantic."""
    if not isinstance(written, str):
        return written
    if written in NAMED_WINDOWS:
        center, width = NAMED_WINDOWS[written]
        return {"center": center, "width": width}
    numbers = written.split(",")
    if len(numbers) != 2:
        raise ValueError(f"write CENTER,WIDTH or one of {', '.join(NAMED_WINDOWS)}")
    return {"center": numbers[0].strip(), "width": numbers[1].strip()}


class Reading(Settings):
    """Which images of a file are read, and how gray values of more than 8 bits become 8.

    plane, slices: for volumes, the plane to slice along, and whether "all" slices or only those that show "brain" are taken.
    volume: which volume of a file with several, counted from 0; None accepts only files with one volume. window: how gray
    values of more than 8 bits are shown; None takes the window that the file names, or else one from its values.
    keep_localizers: whether localizers, screen saves and the like are taken as scans, too.
    """

    plane: Plane = "axial"
    slices: Literal["brain", "all"] = "brain"
    volume: int | None = pydantic.Field(default=None, ge=0)
    window: Annotated[Window | None, pydantic.BeforeValidator(_window)] = None
    keep_localizers: bool = False
