"""faiss, told which processor it runs on: `from fewscan.faiss_library import faiss`.

The package of faiss brings an OpenBLAS of 2021, which takes the processors that came after it for one of 2004 and multiplies
matrices several times slower than it could (OpenBLAS issue 3453, mended in 0.3.19). NumPy's own OpenBLAS is newer and knows
them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np  # noqa: F401 - loads the OpenBLAS that is asked
from threadpoolctl import threadpool_info

# What OpenBLAS reads as it is loaded.
CORE_TYPE = "OPENBLAS_CORETYPE"
# What a new OpenBLAS calls processors -> which of the code for them an old one has.
OLD_NAMES = {
    "Haswell": "Haswell",
    "Zen": "Zen",
    "SkylakeX": "SkylakeX",
    "Cooperlake": "SkylakeX",
    "SapphireRapids": "SkylakeX",
}


@contextmanager
def _processor_named() -> Iterator[None]:
    """Name the processor for an OpenBLAS that is loaded meanwhile, where it is known and the user names none."""
    known = [OLD_NAMES[one["architecture"]] for one in threadpool_info() if one.get("architecture") in OLD_NAMES]
    if not known or CORE_TYPE in os.environ:
        yield
        return
    os.environ[CORE_TYPE] = known[0]
    try:
        yield
    finally:
        del os.environ[CORE_TYPE]


with _processor_named():
    import faiss

__all__ = ["faiss"]
