"""Images that lie at a URL are asked for as memory-mapped ones are. The bucket is this process's memory."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewscan import progress
from fewscan.errors import FewscanError
from fewscan.images import elsewhere, stored
from fewscan.images.elsewhere import FarFile, FarImages, require_address

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 2, 3, 3), dtype=np.uint8)
URL = "memory://far/pixels.raw"


@pytest.fixture(autouse=True)
def bucket(bucket: Any) -> Any:
    bucket.pipe("/far/pixels.raw", IMAGES.tobytes())
    return bucket


def far(images: np.ndarray = IMAGES) -> FarImages:
    return FarImages(FarFile(URL, images.nbytes), images.shape)


ROWS = st.integers(-len(IMAGES), len(IMAGES) - 1)
PLACES = st.none() | st.integers(-30, 30)
ASKED = st.one_of(
    ROWS,
    st.builds(slice, PLACES, PLACES, st.sampled_from([None, 1, 2, 5, -1, -3])),
    st.lists(ROWS, max_size=40).map(lambda rows: np.array(rows, np.int64)),
    st.lists(st.booleans(), min_size=len(IMAGES), max_size=len(IMAGES)).map(np.array),
    st.lists(ROWS, min_size=4, max_size=4).map(lambda rows: np.array(rows).reshape(2, 2)),
)


@given(asked=ASKED, first=st.integers(0, 9), through=st.sampled_from([0, 40, 10**6]), span=st.sampled_from([1, 50, 10**6]))
def test_rows_are_those_that_numpy_gives(asked: Any, first: int, through: int, span: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "READ_THROUGH_BYTES", through)
        patch.setattr(stored, "SPAN_BYTES", span)
        patch.setattr(stored, "TOGETHER_BYTES", 70)
        patch.setattr(elsewhere, "SPAN_BYTES", max(7, span))
        few, same = far()[first:], IMAGES[first:]
        if isinstance(asked, np.ndarray) and asked.dtype == np.bool_:
            asked = asked[first:]
        elif not isinstance(asked, slice):
            asked = asked % len(same)
        np.testing.assert_array_equal(np.asarray(few[asked]), same[asked])
        assert np.asarray(few[asked]).dtype == np.uint8


def test_it_has_the_size_of_an_array_and_gives_one_image_after_the_other() -> None:
    images = far()
    assert (images.shape, len(images), images.nbytes) == (IMAGES.shape, len(IMAGES), IMAGES.nbytes)
    np.testing.assert_array_equal(np.stack(list(images[3:20])), IMAGES[3:20])
    np.testing.assert_array_equal(np.array(images[4]), IMAGES[4])
    np.testing.assert_array_equal(np.ascontiguousarray(images), IMAGES)


@pytest.mark.parametrize("asked", [23, -24, np.array([0, 23]), np.array([True]), np.array([0.5])])
def test_rows_that_there_are_not_are_refused_as_by_numpy(asked: Any) -> None:
    with pytest.raises(IndexError):
        far()[asked]


def test_consecutive_rows_are_not_read_until_something_of_them_is(bucket: Any) -> None:
    bucket.rm("/far/pixels.raw")
    few = far()[:20][5:]
    assert few.shape == (15, *IMAGES.shape[1:])
    bucket.pipe("/far/pixels.raw", IMAGES.tobytes())
    np.testing.assert_array_equal(few[np.array([2])], IMAGES[[7]])


def test_what_lies_close_together_is_asked_for_at_once(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[int], list[int]]] = []
    read = type(bucket).cat_ranges

    def cat_ranges(self: Any, paths: list[str], starts: list[int], ends: list[int], **options: Any) -> Any:
        asked.append((starts, ends))
        return read(self, paths, starts, ends, **options)

    monkeypatch.setattr(type(bucket), "cat_ranges", cat_ranges)
    monkeypatch.setattr(stored, "READ_THROUGH_BYTES", 2 * 18)
    assert np.array_equal(far()[np.array([20, 1, 2, 4, 1])], IMAGES[[20, 1, 2, 4, 1]])
    assert asked == [([18, 360], [90, 378])]


class Troubled:
    """What a bucket does for a while: ranges fail, come short, or nothing answers at all."""

    def __init__(self, read: Any, troubles: list[str]) -> None:
        self.read, self.troubles = read, troubles

    def __call__(self, paths: list[str], starts: list[int], ends: list[int], **options: Any) -> Any:
        found = self.read(paths, starts, ends, **options)
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble == "silent":
            raise TimeoutError
        if trouble == "gone":
            return [FileNotFoundError("pixels.raw")] * len(found)
        bad = {"fails": OSError("try again"), "short": found[0][:-1]}
        return found if trouble is None else [bad[trouble], *found[1:]]


@pytest.fixture
def troubled(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(elsewhere, "PAUSES", (0.0, 0.0, 0.0))

    def trouble(*troubles: str) -> Troubled:
        made = Troubled(bucket.cat_ranges, list(troubles))
        monkeypatch.setattr(type(bucket), "cat_ranges", lambda self, *given, **options: made(*given, **options))
        return made

    return trouble


def test_a_reading_that_fails_for_a_while_is_tried_again(troubled: Any) -> None:
    troubled("fails", "short", "silent")
    np.testing.assert_array_equal(far()[np.array([3, 9])], IMAGES[[3, 9]])


@pytest.mark.parametrize(("trouble", "said"), [("fails", "try again"), ("silent", "TimeoutError"), ("short", "bytes")])
def test_one_that_fails_on_and_on_is_one_line_with_the_url(trouble: str, said: str, troubled: Any) -> None:
    troubled(*[trouble] * 4)
    with pytest.raises(FewscanError, match=f"{URL}.*{said}") as raised:
        far()[np.array([3, 9])]
    assert "\n" not in str(raised.value)


def test_what_is_gone_is_not_waited_for(troubled: Any) -> None:
    left = troubled("gone", "never")
    with pytest.raises(FewscanError, match=URL):
        far()[np.array([3])]
    assert left.troubles == ["never"]


@pytest.mark.parametrize("content", [None, IMAGES.tobytes()[:-1], IMAGES.tobytes() + b"x"])
def test_a_file_that_is_not_there_or_of_another_length_is_refused(content: bytes | None, bucket: Any) -> None:
    bucket.rm("/far/pixels.raw")
    if content is not None:
        bucket.pipe("/far/pixels.raw", content)
    with pytest.raises(FewscanError, match=URL):
        far()[np.array([3])]


@pytest.mark.parametrize(
    "url", ["bucket/mydata", "https://ada:secret@host/x", "s3://bucket/x?X-Amz-Signature=secret", "s3://bucket/x#key"]
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused_without_repeating_that(url: str) -> None:
    with pytest.raises(FewscanError) as raised:
        require_address(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("kept_by", ["simplecache", "filecache", "blockcache"])
def test_an_address_by_way_of_a_copy_on_this_machine_is_refused(kept_by: str) -> None:
    # What is read back from there is that copy, and says nothing of what lies there.
    with pytest.raises(FewscanError, match="before '::'"):
        require_address(f"{kept_by}::s3://bucket/mydata")


def test_an_address_without_a_secret_is_taken() -> None:
    for url in ("s3://bucket/mydata", "az://box@account.host/mydata", "file:///mnt/mydata"):
        assert require_address(f"{url}/") == url


def test_before_a_url_is_read_it_is_said_which_and_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_said", set())
    images = far()
    assert images.url not in capsys.readouterr().err
    far()[np.arange(2)], images[np.arange(3)]
    assert capsys.readouterr().err.count(images.url) == 1
