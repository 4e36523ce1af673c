import json
import os
import subprocess
import sys

import numpy as np

from fewscan.faiss_library import CORE_TYPE, OLD_NAMES, faiss

LOADED = f"""
import json
import os
from threadpoolctl import threadpool_info
from fewscan.faiss_library import faiss
known = [one for one in threadpool_info() if "architecture" in one]
of_faiss = [one["architecture"] for one in known if "faiss" in one["filepath"]]
others = [one["architecture"] for one in known if "faiss" not in one["filepath"]]
print(json.dumps([of_faiss, others, os.environ.get("{CORE_TYPE}")]))
"""


def loaded(**named: str) -> tuple[list[str], list[str], str | None]:
    """How the OpenBLAS of faiss and those of others take the processor, and what the environment names then.

    In a process of its own, in which no processor is named but this one: where tests run one may be.
    """
    environment = {name: value for name, value in os.environ.items() if name != CORE_TYPE} | named
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, env=environment)
    of_faiss, others, left = json.loads(done.stdout)
    return of_faiss, others, left


def test_its_openblas_runs_what_the_processor_can_and_nobody_else_is_told() -> None:
    of_faiss, others, left = loaded()
    assert left is None
    known = [OLD_NAMES[one] for one in others if one in OLD_NAMES]
    if of_faiss and known:
        assert of_faiss == known[:1]


def test_a_processor_that_the_user_names_stays_named() -> None:
    of_faiss, _, left = loaded(**{CORE_TYPE: "Nehalem"})
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
