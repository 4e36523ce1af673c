"""How unsure a model is of scans."""

import numpy as np
import numpy.typing as npt


def margin(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return (N,) how little surer the likeliest class is than the next, of probabilities (N, K): 0 sure, 1 undecided."""
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    two = np.sort(probabilities.astype(np.float64), axis=1)[:, -2:]
    return np.asarray(1 - (two[:, 1] - two[:, 0]))
