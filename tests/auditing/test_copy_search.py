"""What makes the search for copies fast gives what the slow way gives."""

import faiss
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from fewscan.auditing.copies.describe import FEATURES, Projection, put_onto_itself
from fewscan.auditing.copies.images import SMALL_PX, blurred, to_unit
from fewscan.auditing.copies.placing import SYMMETRIES
from fewscan.auditing.copies.search import EXACT_COMPARISONS, index_of


@pytest.mark.parametrize("size_px", [16, SMALL_PX, 96])
@pytest.mark.parametrize("sigma_px", [0.8, 3.0])
def test_images_are_blurred_as_scipy_blurs_them(size_px: int, sigma_px: float) -> None:
    images = np.random.default_rng(0).uniform(0, 255, (3, size_px, size_px)).astype(np.float32)
    expected = gaussian_filter(images, (0, sigma_px, sigma_px), mode="reflect")
    np.testing.assert_allclose(blurred(images, sigma_px), expected, atol=0.1)


def test_vectors_of_all_symmetries_are_those_of_each() -> None:
    random = np.random.default_rng(0)
    directions = random.normal(size=(FEATURES, 5)).astype(np.float32)
    projection = Projection(random.random(FEATURES).astype(np.float32), directions)
    described = random.random((3, FEATURES)).astype(np.float32)
    one_by_one = [projection(put_onto_itself(described, symmetry)) for symmetry in range(len(SYMMETRIES))]
    np.testing.assert_allclose(projection.in_all_symmetries(described), np.concatenate(one_by_one), atol=1e-4)


def test_among_many_vectors_those_that_are_alike_are_found_without_asking_all() -> None:
    random = np.random.default_rng(0)
    vectors = to_unit(random.normal(size=(4_000, 32)).astype(np.float32))
    asked = to_unit(vectors[::8] + 0.08 * random.normal(size=(500, 32)).astype(np.float32))
    with threadpool_limits(1):
        index = index_of(vectors, EXACT_COMPARISONS)
        cosines, places = index.search(asked, 3)
    assert not isinstance(index, faiss.IndexFlat)
    right = places[:, 0] == np.arange(0, 4_000, 8)
    assert right.mean() >= 0.99
    # How alike they are is told exactly, whatever they were rounded to.
    np.testing.assert_allclose(cosines[:, 0], (asked * vectors[places[:, 0]]).sum(axis=1), atol=1e-5)


def test_few_vectors_are_all_asked() -> None:
    assert isinstance(index_of(np.eye(32, dtype=np.float32), 100), faiss.IndexFlat)
