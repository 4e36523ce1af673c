"""The ways in which scans may look processed otherwise, by name, each at five strengths from weak to strong."""

from collections.abc import Sequence

from fewscan.config import nearest
from fewscan.errors import FewscanError
from fewscan.stressing import acquisition, brightness, frame
from fewscan.stressing.corruption import Corruption

_ALL = (
    Corruption(
        "equalization",
        "gray levels made equally frequent, as in some prepared datasets",
        brightness.equalized,
        (0.2, 0.4, 0.6, 0.8, 1.0),
        "{} of the way to an equalized histogram",
        percent=True,
    ),
    Corruption(
        "clahe",
        "contrast equalized region by region (CLAHE), as in some prepared datasets",
        brightness.locally_equalized,
        (1, 2, 4, 8, 16),
        "contrast limited to {}",
    ),
    Corruption(
        "gamma-brighter",
        "dark parts made brighter, as on another screen or by another export",
        brightness.gamma,
        (0.8, 0.65, 0.5, 0.4, 0.3),
        "brightness to the power of {}",
    ),
    Corruption(
        "gamma-darker",
        "dark parts made darker, as on another screen or by another export",
        brightness.gamma,
        (1.25, 1.5, 2, 2.5, 3.3),
        "brightness to the power of {}",
    ),
    Corruption(
        "contrast-lower",
        "low contrast, black raised to gray: a wide window, a faded print",
        brightness.flattened,
        (0.8, 0.6, 0.4, 0.3, 0.2),
        "{} of the contrast",
        percent=True,
    ),
    Corruption(
        "contrast-higher",
        "high contrast, bright parts clipped: a narrow window",
        brightness.steepened,
        (1.25, 1.5, 2, 3, 4),
        "{} times the contrast",
    ),
    Corruption(
        "inversion",
        "black and white swapped, as in some viewers and files",
        brightness.inverted,
        (0.2, 0.4, 0.6, 0.8, 1.0),
        "the negative, with {} of the contrast",
        percent=True,
    ),
    Corruption(
        "bias-field",
        "one side brighter than the other, as from a coil beside the head",
        brightness.biased,
        (1.5, 2, 3, 4, 6),
        "{} times as bright at one side as at the other",
    ),
    Corruption(
        "gaussian-noise",
        "noise in every pixel of the file",
        acquisition.noisy,
        (5, 10, 20, 35, 50),
        "a deviation of {} of 255 gray levels",
    ),
    Corruption(
        "rician-noise",
        "noise as in a scanner's magnitude images, which brightens black",
        acquisition.rician,
        (5, 10, 20, 35, 50),
        "a deviation of {} of 255 gray levels",
    ),
    Corruption(
        "blur",
        "out of focus: thick slices, smoothing, enlarging",
        acquisition.blurred,
        (0.005, 0.01, 0.015, 0.025, 0.04),
        "a Gaussian of {} of the side",
        percent=True,
    ),
    Corruption(
        "ringing",
        "ringing edges (Gibbs), as when few frequencies were measured",
        acquisition.ringing,
        (128, 96, 64, 48, 32),
        "{} frequencies each way",
    ),
    Corruption(
        "motion",
        "ghosts of a head that moved during the scan",
        acquisition.moved_while_measured,
        (0.005, 0.01, 0.02, 0.03, 0.05),
        "to and fro by {} of the side",
        percent=True,
    ),
    Corruption("jpeg", "saved as a small JPEG file", acquisition.saved_as_jpeg, (50, 30, 20, 10, 5), "JPEG of quality {}"),
    Corruption("rotation", "a head rotated in its frame", frame.rotated, (5, 10, 15, 20, 30), "turned by {} degrees"),
    Corruption(
        "crop",
        "cropped more tightly, so that the rim of the head may be lost",
        frame.cut,
        (0.03, 0.06, 0.1, 0.15, 0.2),
        "{} of the side cut away at each end",
        percent=True,
    ),
    Corruption(
        "padding",
        "black margins, as when scans are padded to a square",
        frame.padded,
        (0.05, 0.1, 0.15, 0.2, 0.3),
        "{} of the side added at each end",
        percent=True,
    ),
    Corruption(
        "scale",
        "one axis shorter in the same frame, as when the pixels' proportions are lost",
        frame.narrowed,
        (0.95, 0.9, 0.8, 0.7, 0.6),
        "one axis at {} of its length",
        percent=True,
    ),
    Corruption(
        "resolution",
        "shrunk and enlarged again: thumbnails, old scanners",
        frame.of_fewer_pixels,
        (128, 96, 64, 48, 32),
        "{} pixels along the longer side",
    ),
)

CORRUPTIONS: dict[str, Corruption] = {corruption.name: corruption for corruption in _ALL}


def chosen(names: Sequence[str]) -> tuple[Corruption, ...]:
    """Return the corruptions of these names, in their order here; all of them for none.

    Raises FewscanError for a name that is none.
    """
    unknown = [name for name in names if name not in CORRUPTIONS]
    if unknown:
        raise FewscanError(f"unknown corruption '{unknown[0]}': {nearest(unknown[0], CORRUPTIONS)}")
    return tuple(corruption for corruption in _ALL if not names or corruption.name in names)
