"""The page's model keeps up with the labels beside the page, sees as it is told to, and says where it cannot."""

import time
from collections.abc import Callable, Iterator

import pytest

from fewscan.errors import FewscanError
from fewscan.reviewing import seeing
from fewscan.reviewing.app import Review
from fewscan.reviewing.tutor import Tutor
from tests.reviewing.conftest import CLASSES, IMAGES

Decide = Callable[..., dict]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pretrained encoder is there."""

    def lacking() -> None:
        raise FewscanError("pip install 'fewscan[pretrained]'")

    monkeypatch.setattr(seeing, "usual_encoder", lacking)


@pytest.fixture
def tutor(review: Review) -> Iterator[Tutor]:
    yield review.tutor
    review.tutor.stop()


def soon(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_it_learns_from_every_label_beside_the_page_and_by_what_it_is_told_to_see_with(
    tutor: Tutor, decide: Decide, nothing_installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tutor.learn() is None
    tutor.start()
    soon(lambda: tutor.progress.phase == "learning")
    assert tutor.seen is not None
    assert tutor.seen.encoder is None
    assert "fewscan[pretrained]" in capsys.readouterr().err
    for row in range(8):
        decide(row, CLASSES[row % 2])
    soon(lambda: tutor.opinion is not None and tutor.opinion.labels == 8)
    tutor.change("resnet_small")
    soon(lambda: tutor.seen is not None and tutor.seen.encoder is not None)
    assert tutor.seen.features.shape[0] == IMAGES
    assert not tutor.seen.taught


def test_an_encoder_that_cannot_be_had_is_told_and_labels_are_given_all_the_same(review: Review, decide: Decide) -> None:
    tutor = Tutor(review.desk, "nothing")
    tutor.start()
    soon(lambda: tutor.progress.phase == "failed")
    assert "nothing" in tutor.progress.words
    decide(1, "glioma")


def test_a_page_that_ends_while_it_looks_at_scans_is_no_failure(review: Review) -> None:
    tutor = Tutor(review.desk, "resnet_small")
    tutor.stop()
    with pytest.raises(FewscanError):
        tutor.look()
    tutor._work()
    assert tutor.progress.phase == "looking"
    assert tutor.seen is None


def test_a_fault_is_told_on_the_page_and_not_hidden(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Tutor) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Tutor, "look", broken)
    tutor = Tutor(review.desk, None)
    with pytest.raises(ZeroDivisionError):
        tutor._work()
    assert tutor.progress.phase == "failed"
    assert tutor.progress.words
