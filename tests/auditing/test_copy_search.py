"""What makes the search for copies fast gives what the slow way gives."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from fewscan.auditing.copies import find_copies, index, search
from fewscan.auditing.copies.describe import FEATURES, Projection, put_onto_itself
from fewscan.auditing.copies.images import SMALL_PX, blurred, to_unit
from fewscan.auditing.copies.index import EXACT_COMPARISONS, index_of
from fewscan.auditing.copies.placing import SYMMETRIES
from fewscan.faiss_library import faiss


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
        found_by = index_of(vectors, EXACT_COMPARISONS)
        cosines, places = found_by.search(asked, 3)
    assert not isinstance(found_by, faiss.IndexFlat)
    right = places[:, 0] == np.arange(0, 4_000, 8)
    assert right.mean() >= 0.99
    # How alike they are is told exactly, whatever they were rounded to.
    np.testing.assert_allclose(cosines[:, 0], (asked * vectors[places[:, 0]]).sum(axis=1), atol=1e-5)


def test_among_very_many_vectors_a_graph_leads_to_those_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 4_000
    monkeypatch.setattr(index, "VERY_MANY", count)
    monkeypatch.setattr(index, "ADDED_AT_ONCE", count // 4 + 1)
    random = np.random.default_rng(0)
    vectors = to_unit(random.normal(size=(count, 32)).astype(np.float32)).astype(np.float16)
    asked = to_unit(vectors[::8] + 0.08 * random.normal(size=(count // 8, 32)).astype(np.float32))
    exact = asked @ vectors.astype(np.float32).T
    with threadpool_limits(1):
        assert index.way_among(count, 10 * EXACT_COMPARISONS // count) == "graph"
        cosines, places = index_of(vectors, 10 * EXACT_COMPARISONS // count).search(asked, 3)
        few_cosines, few_places = index_of(vectors, 1).search(asked, 3)
    assert (places[:, 0] == np.arange(0, count, 8)).mean() >= 0.99
    np.testing.assert_allclose(cosines[:, 0], exact[np.arange(len(asked)), places[:, 0]], atol=1e-5)
    # Of few queries all vectors are asked, however many there are.
    assert index.way_among(count, 1) == "all"
    assert np.array_equal(few_places[:, 0], exact.argmax(axis=1))
    np.testing.assert_allclose(few_cosines, np.sort(exact)[:, :-4:-1], atol=1e-5)


@pytest.mark.parametrize("images", [1, 4_096, 4_097, 999_999, 10**6, 10**8])
def test_the_more_images_the_less_is_compared_and_never_more_than_a_few_thousand_each(images: int) -> None:
    way = index.way_among(images, 64 * images)
    assert way == ("all" if images <= 4_096 else "cells" if images < 10**6 else "graph")
    assert index.WAYS.index(way) >= index.WAYS.index(index.way_among(images, 64))
    assert index.least_exact(way, "all") == way
    assert index.least_exact(way, None) is None


def test_images_that_ask_in_turns_find_what_they_find_together(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    coarse = [cv2.resize(random.random((6, 6)).astype(np.float32), (24, 24)) for _ in range(8)]
    pixels = (255 * np.stack([image**gamma for gamma in (1.0, 0.8) for image in coarse])).astype(np.uint8)[:, np.newaxis]
    together = find_copies(pixels)
    assert len(together) >= 8
    monkeypatch.setattr(search, "AT_A_TIME", 5)
    in_turns = find_copies(pixels)
    for column in ("row_a", "row_b", "similarity", "mirrored"):
        assert np.array_equal(getattr(together, column), getattr(in_turns, column))


def test_few_vectors_are_all_asked() -> None:
    assert isinstance(index_of(np.eye(32, dtype=np.float32), 100), faiss.IndexFlat)
