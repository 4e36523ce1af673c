"""Sources from Kaggle: the real kagglehub against a server of ours that answers as Kaggle does, or refuses, or is not there."""

import base64
import errno
import hashlib
import io
import json
import os
import socket
import sys
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fewscan.errors import FewscanError
from fewscan.images.kaggle import KAGGLE_SETS
from fewscan.images.listing import list_scans
from fewscan.images.sources import parse_sources

kagglehub = pytest.importorskip("kagglehub", reason="kagglehub is an extra: pip install 'fewscan[kaggle]'")

# The folders of the real sets, with a few images in each.
LAYOUTS = {
    "masoudnickparvar/brain-tumor-mri-dataset": [
        f"{part}/{name}/{number}.jpg"
        for part, images in (("Training", 3), ("Testing", 2))
        for name in ("glioma", "meningioma", "notumor", "pituitary")
        for number in range(images)
    ],
    "sartajbhuvaji/brain-tumor-classification-mri": [
        f"{part}/{name}/image({number}).jpg"
        for part, images in (("Training", 2), ("Testing", 1))
        for name in ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")
        for number in range(images)
    ],
    "thomasdubail/brain-tumors-256x256": [
        f"Data/{name}/{name[0].upper()}_{number}.jpg"
        for name in ("glioma_tumor", "meningioma_tumor", "normal", "pituitary_tumor")
        for number in range(1, 5)
    ],
}
COMMANDS = {
    "nickparvar": "fewscan import nickparvar=FOLDER/Testing ...",
    "sartaj": "fewscan import sartaj=FOLDER ...",
    "dubail": "fewscan import dubail=FOLDER/Data ...",
}


def zipped(paths: list[str], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of small gray JPEGs."""
    random = np.random.default_rng(0)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", compression) as file:
        for path in paths:
            image = io.BytesIO()
            PIL.Image.fromarray(random.integers(0, 256, size=(24, 24), dtype=np.uint8)).save(image, "JPEG")
            file.writestr(path, image.getvalue())
    return archive.getvalue()


class Kaggle(ThreadingHTTPServer):
    """Kaggle's API for data sets, reached as a proxy.

    `requests` lists what it was asked for, `ranges` at which byte each download of an archive was to begin.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), KaggleRequest)
        self.requests: list[str] = []
        self.ranges: list[int] = []
        self.archives = {handle: zipped(paths) for handle, paths in LAYOUTS.items()}
        self.status = 200
        self.answer: bytes | None = None
        self.checksum: str | None = "of the archive"
        self.breaks_off = False


class KaggleRequest(BaseHTTPRequestHandler):
    server: Kaggle

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        handle = f"{asked['ownerSlug']}/{asked['datasetSlug']}"
        verb = self.path.rpartition("/")[2]
        self.server.requests.append(f"{verb} {handle}")
        if self.server.status != 200:
            body = json.dumps({"code": self.server.status, "message": "not for you"}).encode()
            self.reply(self.server.status, body, {"Content-Type": "application/json"})
        elif self.server.answer is not None:
            self.reply(200, self.server.answer, {"Content-Type": "text/html"})
        elif verb == "GetDataset":
            self.reply(200, b'{"currentVersionNumber": 3}', {"Content-Type": "application/json"})
        else:
            self.reply(302, b"", {"Location": f"http://localhost/archives/{handle}"})

    def do_GET(self) -> None:
        handle = self.path.partition("/archives/")[2]
        self.server.requests.append(f"archive {handle}")
        archive = self.server.archives[handle]
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.server.ranges.append(first)
        headers = {"Content-Type": "application/zip", "Accept-Ranges": "bytes"}
        if self.server.checksum is not None:
            correct = base64.b64encode(hashlib.md5(archive).digest()).decode()
            headers["x-goog-hash"] = f"md5={correct if self.server.checksum == 'of the archive' else self.server.checksum}"
        self.reply(206 if first else 200, archive[first:], headers, breaks_off=self.server.breaks_off)

    def reply(self, status: int, body: bytes, headers: dict[str, str], breaks_off: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # A client whose disk is full hangs up amid the body.
        with suppress(ConnectionError):
            self.wfile.write(body[: len(body) // 2] if breaks_off else body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent; `requests` keeps what was asked."""


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without credentials, with an empty cache, and with no way to the real Kaggle: the proxy's port is closed."""
    for name in list(os.environ):
        if name.upper().startswith("KAGGLE") or name.upper() in ("NO_PROXY", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    # Makes kagglehub speak http with localhost, so that the proxy is asked for everything.
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    # For its user agent kagglehub looks for three libraries in the sources of all callers, which are many under pytest.
    monkeypatch.setattr(kagglehub.clients, "search_lib_in_call_stack", lambda library: None)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")


@pytest.fixture
def kaggle(nobody: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    with Kaggle() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def refusal(*sources: str) -> str:
    with pytest.raises(FewscanError) as caught:
        parse_sources(sources)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused_fetch(name: str) -> str:
    """The reason why a source was not fetched; the way to do it by hand must follow it."""
    message = refusal(f"kaggle:{name}")
    reason, _, by_hand = message.partition("; fix that, or download ")
    assert by_hand.startswith(f"https://www.kaggle.com/datasets/{KAGGLE_SETS[name].handle} by hand")
    assert COMMANDS[name] in by_hand
    assert reason.startswith(f"cannot fetch kaggle:{name}: ")
    return reason


@pytest.mark.slow
def test_the_three_sources_are_fetched_with_the_folders_and_labels_of_the_study(kaggle, tmp_path, capsys):
    sources = parse_sources(["kaggle:nickparvar", "kaggle:sartaj"], ["kaggle:dubail"])
    assert [(source.name, source.labeled) for source in sources] == [("nickparvar", True), ("sartaj", True), ("dubail", False)]
    assert all(source.folder.is_relative_to(tmp_path / "cache") for source in sources)

    scans = list_scans(sources)
    assert Counter((scan.source, scan.label) for scan in scans) == {
        **{("nickparvar", label): 2 for label in ("glioma", "meningioma", "no_tumor", "pituitary")},
        **{("sartaj", label): 3 for label in ("glioma", "meningioma", "no_tumor", "pituitary")},
        ("dubail", None): 16,
    }
    assert all(scan.path.read_bytes()[:2] == b"\xff\xd8" for scan in scans)
    said = capsys.readouterr().err
    for name, known in KAGGLE_SETS.items():
        assert f"kaggle:{name}: fetching https://www.kaggle.com/datasets/{known.handle}" in said
    assert str(tmp_path / "cache") in said


def test_the_third_source_spells_its_classes_as_the_others(kaggle):
    counts = Counter(scan.label for scan in list_scans(parse_sources(["kaggle:dubail"])))
    assert counts == {"glioma": 4, "meningioma": 4, "no_tumor": 4, "pituitary": 4}


def test_what_was_fetched_is_not_downloaded_again(kaggle):
    assert parse_sources(["kaggle:sartaj"]) == parse_sources(["kaggle:sartaj"])
    assert kaggle.requests.count("archive sartajbhuvaji/brain-tumor-classification-mri") == 1


def test_the_command_line_keeps_standard_output_for_the_result(kaggle, fewscan, tmp_path):
    done = fewscan("import", "kaggle:sartaj", "--out", tmp_path / "mri", "--size", 16, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["classes"] == {"glioma": 3, "meningioma": 3, "no_tumor": 3, "pituitary": 3}
    assert done.stderr.startswith("kaggle:sartaj: fetching https://www.kaggle.com/")


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["kaggle:sartaj", "kaggle:sartja"], "did you mean 'sartaj'?"),
        (["kaggle:sartaj", "kaggle:"], "dubail, nickparvar, sartaj"),
        (["kaggle:sartaj", "nowhere"], "cannot open the folder"),
        (["kaggle:sartaj", "sartaj=."], "two sources are called 'sartaj' (kaggle:sartaj and "),
        (["kaggle:sartaj", "kaggle:sartaj"], "kaggle:sartaj is given twice"),
        (["kaggle:sartaj", "mine=kaggle:dubail"], "cannot open the folder"),
    ],
)
def test_nothing_is_fetched_before_all_sources_are_checked(kaggle, tmp_path, monkeypatch, sources, expected):
    monkeypatch.chdir(tmp_path)
    assert expected in refusal(*sources)
    assert kaggle.requests == []


def test_a_folder_of_that_name_goes_first(kaggle, tmp_path, monkeypatch):
    (tmp_path / "kaggle:sartaj").mkdir()
    monkeypatch.chdir(tmp_path)
    (source,) = parse_sources(["kaggle:sartaj"])
    assert source.folder == tmp_path / "kaggle:sartaj"
    assert kaggle.requests == []


def test_a_set_without_the_studys_folders_is_refused(kaggle):
    handle = KAGGLE_SETS["nickparvar"].handle
    kaggle.archives[handle] = zipped([path for path in LAYOUTS[handle] if path.startswith("Training")])
    assert "no folder 'Testing'" in refusal("kaggle:nickparvar")
    handle = KAGGLE_SETS["sartaj"].handle
    kaggle.archives[handle] = zipped([path for path in LAYOUTS[handle] if path.startswith("Testing")])
    assert "no folder 'Training'" in refusal("kaggle:sartaj")


@pytest.mark.parametrize("name", list(KAGGLE_SETS))
def test_without_the_package_the_error_says_what_to_install(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    message = refusal(f"kaggle:{name}")
    assert "needs the package kagglehub: pip install 'fewscan[kaggle]'" in message
    assert f"https://www.kaggle.com/datasets/{KAGGLE_SETS[name].handle} by hand" in message
    assert COMMANDS[name] in message


@pytest.mark.parametrize("name", list(KAGGLE_SETS))
def test_without_a_network_the_error_says_so(name):
    assert refused_fetch(name).endswith("no connection to Kaggle")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "Kaggle refused it (401)"),
        (403, "Kaggle refused it (403)"),
        (404, "404 Client Error. Resource not found"),
        (500, "not for you"),
    ],
)
def test_what_kaggle_refuses_is_passed_on(kaggle, status, expected):
    kaggle.status = status
    assert expected in refused_fetch("dubail")
    assert kaggle.requests == ["GetDataset thomasdubail/brain-tumors-256x256"]


def test_a_network_that_answers_with_pages_of_its_own_is_an_error(kaggle):
    kaggle.answer = b"<html>Please sign in to the Wi-Fi</html>"
    assert "cannot read what it found" in refused_fetch("dubail")


@pytest.mark.slow
def test_a_download_that_breaks_off_is_an_error_and_goes_on_the_next_time(kaggle):
    # A zip may stand behind other bytes; kagglehub keeps what it has of a download in pieces of 1 MiB.
    kaggle.archives[KAGGLE_SETS["dubail"].handle] = b"x" * 2**22 + kaggle.archives[KAGGLE_SETS["dubail"].handle]
    kaggle.breaks_off = True
    assert "the download failed" in refused_fetch("dubail")
    kaggle.breaks_off = False
    assert len(list_scans(parse_sources(["kaggle:dubail"]))) == 16
    assert kaggle.ranges[0] == 0
    assert kaggle.ranges[-1] > 0


def test_a_download_with_another_checksum_is_an_error(kaggle):
    kaggle.checksum = "AAAAAAAAAAAAAAAAAAAAAA=="
    assert "MD5" in refused_fetch("dubail")
    kaggle.checksum = "of the archive"
    assert len(parse_sources(["kaggle:dubail"])) == 1


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_archives_are_errors(kaggle, compression):
    archive = bytearray(zipped(LAYOUTS[KAGGLE_SETS["dubail"].handle], compression))
    archive[60:160] = bytes(100)
    kaggle.archives[KAGGLE_SETS["dubail"].handle] = bytes(archive)
    kaggle.checksum = None
    assert "cannot read what it found" in refused_fetch("dubail")


def test_a_download_that_is_no_archive_is_an_error(kaggle):
    kaggle.archives[KAGGLE_SETS["dubail"].handle] = b"not a zip" * 50
    assert "Unsupported archive type" in refused_fetch("dubail")


def test_a_broken_credentials_file_is_an_error(kaggle, tmp_path):
    (tmp_path / "home" / "kaggle.json").write_text("{")
    assert "Invalid Kaggle credentials file" in refused_fetch("dubail")


def test_a_cache_that_cannot_be_written_is_an_error(kaggle, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "file" / "cache"))
    reason = refused_fetch("dubail")
    assert os.strerror(errno.ENOTDIR) in reason
    assert "KAGGLEHUB_CACHE" in reason


def test_a_full_disk_is_an_error(kaggle, largest_file_bytes):
    kaggle.archives[KAGGLE_SETS["dubail"].handle] += bytes(200_000)
    full = pytest.raises(FewscanError, match=f"cannot fetch kaggle:dubail: {os.strerror(errno.EFBIG)}")
    with largest_file_bytes(50_000), full as refused:
        parse_sources(["kaggle:dubail"])
    assert COMMANDS["dubail"] in str(refused.value)


def test_what_a_notebook_of_kaggles_does_not_mount_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import kagglehub
    from kagglehub.exceptions import NotFoundError

    def lacking(handle: str) -> str:
        raise NotFoundError("not mounted here")

    monkeypatch.setattr(kagglehub, "dataset_download", lacking)
    assert "not mounted here" in refused_fetch("dubail")
