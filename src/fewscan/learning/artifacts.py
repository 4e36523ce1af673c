"""What measuring and saving leave in a scan, for changed views and stress tests: ringing edges, ghosts, blocks of JPEG."""

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# How often a head moves to and fro while it is measured, at least and less than.
MOVEMENTS = (2.0, 6.0)

# How much detail a view loses at most.
MOST_BLUR = 0.025  # deviation of the Gaussian, as a share of the side
FEWEST_PIXELS, MOST_PIXELS = 0.2, 0.55  # of the side; of frequencies, too
MOST_MOVEMENT = 0.03  # to and fro while the scan was measured, as a share of the side


def of_few_frequencies(scan: Floats, count: float) -> Floats:
    """Return a scan (H, W, C) of so many frequencies each way, as if no more had been measured: edges ring (Gibbs).

    As many as the longer side has pixels, or more, change nothing but rounding.
    """
    height, width = scan.shape[:2]
    down, across = np.abs(np.fft.fftfreq(height)) * height, np.fft.rfftfreq(width) * width
    kept = (down <= count / 2)[:, np.newaxis] & (across <= count / 2)
    # The last of the axes is the one of which half the frequencies say all.
    frequencies = np.fft.rfft2(scan, axes=(0, 1)) * kept[..., np.newaxis]
    return np.abs(np.fft.irfft2(frequencies, (height, width), axes=(0, 1))).astype(np.float32)


def moved_while_measured(scan: Floats, share: float, random: np.random.Generator) -> Floats:
    """Return a scan (H, W, C) of a head that moved to and fro by a share of the side while it was measured: it has ghosts.

    Lines of frequencies follow each other from one end to the other, down or across, and the head moves in that direction; 0
    changes nothing but rounding.
    """
    axis = int(random.integers(2))
    side = scan.shape[axis]
    times = (np.arange(side) / side + random.uniform()) * random.uniform(*MOVEMENTS)
    # In the order in which the transform has them, lines begin at frequency 0.
    shifts = share * side * np.fft.ifftshift(np.sin(2 * np.pi * times))
    turns = np.exp(-2j * np.pi * np.fft.fftfreq(side) * shifts).astype(np.complex64)
    lines = np.fft.fft(scan, axis=axis)
    lines *= turns.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return np.abs(np.fft.ifft(lines, axis=axis)).astype(np.float32)


def saved_as_jpeg(scan: Pixels, quality: int) -> Pixels:
    """Return a scan (H, W) or (H, W, C) of one channel or of red, green and blue, saved as JPEG and read again.

    quality: 1 to 100.
    """
    color = scan.shape[2:] == (3,)
    # OpenCV has color the other way round.
    written = np.ascontiguousarray(scan[..., ::-1]) if color else scan
    _, file = cv2.imencode(".jpg", written, [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.ascontiguousarray(read[..., ::-1] if color else read).reshape(scan.shape)
