"""Scans at a URL: copied once, and imported as if they lay here. The bucket is fsspec's, in this process's memory."""

from pathlib import Path
from typing import Any

import pytest

import fewscan
from fewscan.errors import FewscanError
from fewscan.images.remote import CACHE_VARIABLE, fetch
from fewscan.images.sources import parse_sources
from fewscan.phantoms import write_practice_scans

URL = "memory://bucket/scans"


@pytest.fixture
def bucket(bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return bucket


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_imported_from_a_bucket_is_what_is_imported_from_a_folder(bucket: Any, tmp_path: Path) -> None:
    write_practice_scans(tmp_path / "scans", images=8, size_px=32)
    bucket.put(str(tmp_path / "scans"), "/bucket/scans", recursive=True)
    there, here = (
        fewscan.import_scans(source, tmp_path / out, size_px=16).snapshot()
        for source, out in ((URL, "there"), (tmp_path / "scans", "here"))
    )
    assert there.store.pixels.tobytes() == here.store.pixels.tobytes()
    columns = ["path", "source", "label", "sha256"]
    assert there.manifest[columns].equals(here.manifest[columns])


def test_only_what_is_new_or_changed_is_copied_and_what_is_gone_goes(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b/c", "d"):
        bucket.pipe(f"/bucket/scans/{name}", name.encode())
    assert names(fetch(URL)) == ["a", "b/c", "d"]
    bucket.pipe("/bucket/scans/b/c", b"changed")
    bucket.pipe("/bucket/scans/e", b"new")
    bucket.rm("/bucket/scans/d")
    asked: list[str] = []
    get = type(bucket).get
    monkeypatch.setattr(type(bucket), "get", lambda self, paths, targets: (asked.extend(paths), get(self, paths, targets)))
    folder = fetch(URL)
    assert asked == ["/bucket/scans/b/c", "/bucket/scans/e"]
    assert names(folder) == ["a", "b/c", "e"]
    assert (folder / "b/c").read_bytes() == b"changed"


def test_a_copy_that_was_broken_off_goes_on(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"{number:03}" for number in range(100)]
    for name in many:
        bucket.pipe(f"/bucket/scans/{name}", name.encode())
    get, asked = type(bucket).get, list[str]()

    def break_off(self: Any, paths: list[str], targets: list[str]) -> None:
        if asked:
            raise OSError("the line is dead")
        asked.extend(paths)
        get(self, paths, targets)

    with monkeypatch.context() as broken:
        broken.setattr(type(bucket), "get", break_off)
        with pytest.raises(FewscanError, match="cannot copy its files: the line is dead"):
            fetch(URL)
    first = len(asked)
    monkeypatch.setattr(type(bucket), "get", lambda self, paths, targets: (asked.extend(paths), get(self, paths, targets)))
    folder = fetch(URL)
    assert 0 < first < 100
    assert len(asked) == len(set(asked)) == 100
    assert [(folder / name).read_text() for name in many] == many


def test_what_a_copy_that_broke_off_had_just_brought_goes_where_it_is_gone(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        bucket.pipe(f"/bucket/scans/{name}", name.encode())
    get = type(bucket).get

    def break_off(self: Any, paths: list[str], targets: list[str]) -> None:
        get(self, paths, targets)
        raise OSError("the line is dead")

    with monkeypatch.context() as broken:
        broken.setattr(type(bucket), "get", break_off)
        with pytest.raises(FewscanError, match="the line is dead"):
            fetch(URL)
    bucket.rm("/bucket/scans/b")
    assert names(fetch(URL)) == ["a"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("memory://bucket/nothing", "there are no files below it"),
        ("nosuch://bucket/scans", "cannot list it"),
        ("s3://bucket/scans", "pip install s3fs"),
        ("memory://", "has no name"),
    ],
)
def test_a_url_that_cannot_be_had_is_refused_in_one_line(source: str, said: str, bucket: Any) -> None:
    bucket.pipe("/bucket/scans/a", b"a")
    with pytest.raises(FewscanError, match=said) as refused:
        parse_sources([source])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "place", ["ada:secret@bucket/scans", "bucket/scans?Signature=secret", "a::memory://ada:secret@bucket/b"]
)
def test_a_url_that_holds_a_secret_is_refused_and_written_nowhere(
    place: str, bucket: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for source in (f"memory://{place}", f"march=memory://{place}"):
        with pytest.raises(FewscanError, match="password or a key") as raised:
            parse_sources([source])
        assert "secret" not in str(raised.value) + capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_no_file_is_copied_to_a_place_outside_of_its_folder(bucket: Any, tmp_path: Path) -> None:
    bucket.store["/bucket/scans/../../evil"] = bucket.open("/bucket/scans/a", "wb")
    with pytest.raises(FewscanError, match="outside"):
        fetch(URL)
    assert not (tmp_path / "evil").exists()
