"""What a scanner makes of a head: how bright each tissue is, and blur, shading, noise and windowing."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fewscan.phantoms.canvas import Canvas

# T1 after contrast agent, T2, FLAIR: how often each is seen ...
SEQUENCE_SHARES = (0.68, 0.12, 0.2)
# ... and the brightness in it of each tissue, [0, 1].
TISSUES: dict[str, tuple[float, float, float]] = {
    "air": (0.02, 0.02, 0.02),
    "bone": (0.07, 0.08, 0.06),
    "marrow": (0.40, 0.28, 0.22),
    "fat": (0.76, 0.55, 0.50),
    "muscle": (0.36, 0.20, 0.28),
    "mucosa": (0.66, 0.76, 0.60),
    "fluid": (0.10, 0.80, 0.07),
    "gray": (0.36, 0.56, 0.48),
    "white": (0.44, 0.40, 0.37),
    "vessel": (0.80, 0.12, 0.16),
    "plexus": (0.62, 0.70, 0.42),
    "gland": (0.68, 0.52, 0.50),
    "spot": (0.34, 0.74, 0.74),
    "swelling": (0.24, 0.84, 0.84),
    "rim": (0.92, 0.72, 0.80),
    "core": (0.13, 0.96, 0.26),
    "glioma": (0.70, 0.88, 0.92),
    "meningioma": (0.92, 0.92, 0.88),
    "pituitary": (0.88, 0.88, 0.84),
}


def draw_tissues(rng: np.random.Generator) -> dict[str, float]:
    """Return how bright each tissue is, [0, 1], in a sequence and patient drawn at random."""
    sequence = rng.choice(len(SEQUENCE_SHARES), p=SEQUENCE_SHARES)
    tissues = {name: levels[sequence] * rng.uniform(0.92, 1.08) for name, levels in TISSUES.items()}
    # Fat is suppressed or not, and the muscles of head and neck differ: brightness alone must not give a tumor away.
    return tissues | {"fat": tissues["fat"] * rng.uniform(0.4, 1.1), "muscle": tissues["muscle"] * rng.uniform(0.7, 1.3)}


def acquire(canvas: Canvas) -> npt.NDArray[np.uint8]:
    """Return the picture (H, W) taken of a painted slice: blur, coil shading, Rician noise, somebody's window and gamma."""
    rng = canvas.rng
    signal = ndimage.gaussian_filter(canvas.image, rng.uniform(0.4, 0.7))
    signal *= np.exp(rng.uniform(0.03, 0.12) * canvas.field(2))
    noise = rng.uniform(0.005, 0.016) * rng.standard_normal((2, *signal.shape), dtype=np.float32)
    signal = np.sqrt((signal + noise[0]) ** 2 + noise[1] ** 2)
    # The window is set on the tissues that fill the head: a bright tumor must not darken everything else.
    white = np.quantile(signal, 0.96) * rng.uniform(0.9, 1.4)
    pixels: npt.NDArray[np.uint8] = np.rint(255 * np.clip(signal / white, 0, 1) ** rng.uniform(0.75, 1.35)).astype(np.uint8)
    return pixels
