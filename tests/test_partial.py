"""What grows beside its place is told from what somebody else keeps under such a name."""

from pathlib import Path

import pytest

from fewscan.errors import FewscanError
from fewscan.locks import LOCK_FILE
from fewscan.partial import growing, is_partial, partial_folder, refuse_finished


@pytest.fixture(params=["folder", "dataset", "file"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Something of somebody's at the place where `data` would grow; a dataset has a lock, too."""
    place = partial_folder(tmp_path / "data")
    if request.param == "file":
        place.write_text("mine")
        return place
    (place / "images").mkdir(parents=True)
    (place / "images" / "0.png").write_text("mine")
    if request.param == "dataset":
        (place / LOCK_FILE).touch()
    return place


def content(place: Path) -> dict[str, str]:
    return {path.relative_to(place.parent).as_posix(): path.read_text() for path in place.parent.rglob("*") if path.is_file()}


def test_nothing_grows_in_what_is_not_its_own(foreign: Path) -> None:
    before = content(foreign)
    with pytest.raises(FewscanError, match="move it, or choose another --out"), growing(foreign.with_name("data"), "import"):
        pytest.fail("it grows")
    assert content(foreign) == before


def test_what_is_not_its_own_stays_beside_what_is_finished(foreign: Path) -> None:
    foreign.with_name("data").touch()
    before = content(foreign)
    with pytest.raises(FewscanError, match="exists"):
        refuse_finished(foreign.with_name("data"), "import")
    assert content(foreign) == before
    assert not is_partial(foreign)


@pytest.mark.parametrize("locked", [False, True])
def test_what_a_kill_left_before_anything_was_in_it_is_gone_on_with(locked: bool, tmp_path: Path) -> None:
    place = partial_folder(tmp_path / "data")
    place.mkdir()
    if locked:
        (place / LOCK_FILE).touch()
    with growing(tmp_path / "data", "import") as folder:
        assert is_partial(folder)
        (folder / "kept").touch()
    assert is_partial(place)
    with growing(tmp_path / "data", "import"):
        (place / "kept").unlink()
    assert not place.exists()
