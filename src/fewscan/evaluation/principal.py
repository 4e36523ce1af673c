"""The directions in which rows of numbers vary most."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

Floats = npt.NDArray[np.floating[Any]]


def principal(centered: Floats, count: int) -> tuple[Floats, Floats]:
    """Return (D, count) the directions in which (N, D) centered rows vary most, of length 1, and the variances along them.

    A direction in which nothing varies is 0. Only these are computed, of whichever product of the rows is smaller.
    """
    size, width = centered.shape
    # The product of rows with rows has the eigenvalues of that of columns with columns, and is smaller where there are fewer.
    few = size < width
    product = centered @ centered.T if few else centered.T @ centered
    values, vectors = eigh(product, subset_by_index=(len(product) - count, len(product) - 1))
    varies = values > 1e-12 * max(values[-1], 0)
    directions = (centered.T @ vectors if few else vectors) * varies
    if few:
        directions /= np.sqrt(np.where(varies, values, 1))
    return directions[:, ::-1], np.where(varies, values, 0)[::-1] / (size - 1)
