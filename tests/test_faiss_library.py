import os
import subprocess
import sys

import numpy as np
from threadpoolctl import threadpool_info

from fewscan.faiss_library import CORE_TYPE, OLD_NAMES, faiss

LOADED = f"""
import os
from threadpoolctl import threadpool_info
from fewscan.faiss_library import faiss
of_faiss = [one["architecture"] for one in threadpool_info() if "faiss" in one["filepath"] and "architecture" in one]
print(*of_faiss, os.environ.get("{CORE_TYPE}"))
"""


def loaded(**environment: str) -> list[str]:
    """How the OpenBLAS of faiss takes the processor, in a process of its own, and what the environment says then."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return done.stdout.split()


def test_its_openblas_runs_what_the_processor_can_and_nobody_else_is_told() -> None:
    known = [OLD_NAMES[one["architecture"]] for one in threadpool_info() if one.get("architecture") in OLD_NAMES]
    *of_faiss, left = loaded()
    assert left == "None"
    if of_faiss and known:
        assert of_faiss == known[:1]


def test_a_processor_that_the_user_names_stays_named() -> None:
    *of_faiss, left = loaded(**{CORE_TYPE: "Nehalem"})
    assert left == "Nehalem"
    assert of_faiss in ([], ["Nehalem"])


def test_it_finds_the_nearest() -> None:
    random = np.random.default_rng(0)
    points, asked = (random.standard_normal((count, 128)).astype(np.float32) for count in (300, 70))
    index = faiss.IndexFlatIP(128)
    index.add(points)
    products, places = index.search(asked, 9)
    wanted = asked @ points.T
    np.testing.assert_array_equal(places, np.argsort(-wanted, axis=1)[:, :9])
    np.testing.assert_allclose(products, np.take_along_axis(wanted, places, axis=1), rtol=1e-4, atol=1e-4)
