"""Only the page itself, at its own address and beyond this machine with the token, is let in; all else is refused."""

import asyncio
import gzip
import json
import re
import shutil
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient

from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.reviewing import guard
from fewscan.reviewing.app import application
from fewscan.reviewing.door import Door, is_local
from fewscan.reviewing.guard import MAX_JSON_BYTES, Guard
from fewscan.reviewing.pages import VIEWS
from fewscan.reviewing.serving import reviewed, served
from tests.reviewing.conftest import ADDRESS, CLASSES, UNREADABLE

JSON = {"content-type": "application/json"}
DECISION = {"rows": [1], "state": "unsure", "reviewer": "Ada"}


@pytest.fixture(scope="module")
def dataset(pile: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """One for all tests here: what is refused enters nothing."""
    return Dataset.open(shutil.copytree(pile, tmp_path_factory.mktemp("door") / "dataset"))


@pytest.fixture(scope="module")
def client(dataset: Dataset) -> TestClient:
    page = reviewed(dataset, classes=CLASSES, encoder=None, door=Door.at("127.0.0.1", 8765), runs=Path("runs"))
    return TestClient(application(page), base_url=ADDRESS)


@pytest.fixture
def outside(dataset: Dataset) -> tuple[TestClient, str]:
    """A page that other machines can reach, and its token."""
    door = Door.at("0.0.0.0", 8765)
    assert door.token is not None
    page = reviewed(dataset, classes=CLASSES, encoder=None, door=door, runs=Path("runs"))
    return TestClient(application(page), base_url="http://192.168.1.5:8765"), door.token


@pytest.mark.parametrize("host", ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8765@evil.example", "", "[::1"])
def test_another_host_is_refused_also_for_reading(client: TestClient, host: str) -> None:
    answer = client.get("/api/status", headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8766"},
        {"origin": "https://127.0.0.1:8765"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_is_refused(client: TestClient, dataset: Dataset, headers: dict[str, str]) -> None:
    before = dataset.labels.last
    assert client.get("/api/status", headers=headers).status_code == 403
    assert client.post("/api/decisions", json=DECISION, headers=headers).status_code == 403
    assert dataset.labels.last == before


def test_the_page_itself_is_let_in(client: TestClient) -> None:
    headers = {"origin": ADDRESS, "sec-fetch-site": "same-origin"}
    assert client.post("/api/decisions", json=DECISION, headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_what_a_form_of_another_site_could_send_is_refused(client: TestClient, kind: str) -> None:
    answer = client.post("/api/decisions", content=json.dumps(DECISION), headers={"content-type": kind})
    assert answer.status_code == 415


def test_too_much_is_refused_also_where_it_does_not_say_so(client: TestClient) -> None:
    assert client.post("/api/decisions", content=b" " * (MAX_JSON_BYTES + 1), headers=JSON).status_code == 413
    pieces = (b" " * 100_000 for _ in range(5))
    assert client.post("/api/decisions", content=pieces, headers=JSON).status_code == 413
    assert client.post("/api/decisions", content=b"{}", headers=JSON | {"content-length": "ten"}).status_code == 400


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"rows": [1], "state": "unsure", "reviewer": "\\ud800"}',
        b'{"rows": [1], "state": "unsure", "reviewer": "a\\u0000b"}',
        b'{"rows": [1], "state": "unsure", "reviewer": "a\\nb"}',
        b'{"rows": [1e3], "state": "unsure", "reviewer": "Ada"}',
        b'{"rows": [-1], "state": "unsure", "reviewer": "Ada"}',
        b'{"rows": [99999999999999999999], "state": "unsure", "reviewer": "Ada"}',
        b'{"rows": [], "state": "unsure", "reviewer": "Ada"}',
        b'{"rows": [1], "state": "label", "reviewer": "Ada"}',
        b'{"rows": [1], "state": "unsure", "label": "glioma", "reviewer": "Ada"}',
        b'{"rows": [1], "state": "unsure", "reviewer": "Ada", "who": "Grace"}',
        b'{"rows": [1], "state": NaN, "reviewer": "Ada"}',
        gzip.compress(json.dumps(DECISION).encode(), mtime=0),
        b"[" * 100_000,
    ],
)
def test_wrong_input_is_refused_with_a_reason_and_enters_nothing(client: TestClient, dataset: Dataset, content: bytes) -> None:
    before = dataset.labels.last
    answer = client.post("/api/decisions", content=content, headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
    assert dataset.labels.last == before


@pytest.mark.parametrize(
    "path",
    [
        "/api/scans/40?reviewer=Ada",
        "/api/scans/2147483648?reviewer=Ada",
        "/api/scans/-1/levels",
        "/api/scans/%2e%2e/levels",
        "/api/scans/1%00/thumbnail.png",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/....//page.css",
        "/static//etc/passwd",
        "/static/none.js",
        "/%ff%fe",
    ],
)
def test_nothing_but_scans_and_the_pages_files_can_be_read(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 422)


def test_a_scan_that_could_not_be_read_at_import_is_not_there(client: TestClient) -> None:
    assert client.get(f"/api/scans/{UNREADABLE}/thumbnail.png").status_code == 404
    assert client.post("/api/decisions", json=DECISION | {"rows": [1, UNREADABLE]}).status_code == 404


def test_every_answer_carries_a_policy_that_lets_nothing_in_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/docs", "/static/label.js", "/api/status", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert "http" not in client.get("/docs").text.replace("http-equiv", "").partition("</head>")[0]


class TestToken:
    def test_without_it_nothing_of_the_dataset_is_told(self, outside: tuple[TestClient, str]) -> None:
        client, _ = outside
        for path in ("/api/status", "/api/next?reviewer=A", "/api/scans/1/thumbnail.png", "/openapi.json", "/static/label.js"):
            assert client.get(path, follow_redirects=False).status_code in (303, 401), path
        assert client.get("/", follow_redirects=False).headers["location"] == "/login"
        assert client.post("/api/decisions", json=DECISION).status_code == 401

    def test_the_page_to_log_in_gets_all_that_it_loads(self, outside: tuple[TestClient, str]) -> None:
        client, _ = outside
        scripts = re.findall(r'<script type="module" src="(.*?)"', client.get("/login").text)
        assert scripts
        for path in scripts:
            answer = client.get(path)
            assert answer.status_code == 200, path
            scripts += [f"/static/{name}" for name in re.findall(r'from "\./(.*?)"', answer.text)]

    def test_a_browser_logs_in_with_a_cookie_that_scripts_and_sites_cannot_use(self, outside: tuple[TestClient, str]) -> None:
        client, token = outside
        for wrong in ("", "x", token[:-1], "\ud800".encode(errors="replace").decode()):
            assert client.post("/api/login", json={"token": wrong}).status_code == 409
        answer = client.post("/api/login", json={"token": token})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert token.lower() not in cookie
        assert client.get("/api/status").status_code == 200

    def test_a_program_sends_it(self, outside: tuple[TestClient, str]) -> None:
        client, token = outside
        assert client.get("/api/status", headers={"authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/api/status", headers={"authorization": f"Bearer {token}x"}).status_code == 401
        assert client.get(f"/api/status?token={token}").status_code == 401

    def test_a_page_at_another_port_has_a_session_of_its_own(self, outside: tuple[TestClient, str], dataset: Dataset) -> None:
        client, token = outside
        assert client.post("/api/login", json={"token": token}).status_code == 200
        door = Door.at("0.0.0.0", 8766)
        other = reviewed(dataset, classes=CLASSES, encoder=None, door=door, runs=Path("runs"))
        # A browser keeps what the pages of a machine gave it, whichever port they listen at.
        beside = TestClient(application(other), base_url="http://192.168.1.5:8766", cookies=client.cookies)
        assert beside.get("/api/status").status_code == 401
        assert beside.post("/api/login", json={"token": door.token}).status_code == 200
        client.cookies.update(beside.cookies)
        assert client.get("/api/status").status_code == 200

    def test_another_name_is_refused_with_it_too(self, outside: tuple[TestClient, str]) -> None:
        client, token = outside
        headers = {"authorization": f"Bearer {token}", "host": "evil.example:8765"}
        assert client.get("/api/status", headers=headers).status_code == 421


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False)]
)
def test_a_token_is_asked_for_beyond_this_machine(host: str, local: bool) -> None:
    assert is_local(host) == local
    assert (Door.at(host, 1).token is None) == local


def test_a_token_keeps_out_other_accounts_of_this_machine(pile: Path) -> None:
    page = served(pile, port=0, with_token=True)
    page.listening.close()
    token, client = page.review.door.token, TestClient(application(page.review), base_url=page.address)
    assert client.get("/api/status").status_code == 401
    assert client.post("/api/login", json={"token": token}).status_code == 200
    assert client.get("/api/status").status_code == 200
    assert any(str(token) in line for line in page.lines())
    assert not any("not encrypted" in line for line in page.lines())


@pytest.mark.parametrize("with_token", [True, False])
def test_over_ssh_the_tunnel_is_named_and_who_else_can_open_the_page(
    pile: Path, monkeypatch: pytest.MonkeyPatch, with_token: bool
) -> None:
    page = served(pile, port=0, with_token=with_token)
    page.listening.close()
    port = page.review.door.port
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert not any("ssh -L" in line for line in page.lines())
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 50000 10.0.0.8 22")
    assert any(f"ssh -L {port}:127.0.0.1:{port}" in line for line in page.lines())
    assert any("--token" in line for line in page.lines()) != with_token


@pytest.mark.parametrize("host", ["127.0.0.2", "LOCALHOST", "::1", "10.0.0.1", "Scanner.Example"])
def test_a_page_answers_at_the_address_that_it_was_given(host: str) -> None:
    door = Door.at(host, 8765)
    # A browser writes names in small letters.
    asked = f"[{host}]:8765" if ":" in host else f"{host.lower()}:8765"
    headers = {"host": asked, "origin": f"http://{asked}"}
    assert door.refusal("/login", headers) is None
    for other in ("evil.example:8765", "127.0.0.3:8765" if door.token is None else "scanner.evil:8765"):
        refused = door.refusal("/login", headers | {"host": other, "origin": f"http://{other}"})
        assert refused is not None
        assert refused.status == 421


def test_an_address_that_cannot_be_had_is_one_line(pile: Path) -> None:
    page = served(pile, port=0)
    with page.listening, pytest.raises(FewscanError, match="--port"):
        served(pile, port=page.review.door.port)


def test_the_scans_that_can_be_labeled_are_counted_and_no_others(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    usable = dataset.snapshot().usable
    dataset.labels.enter(usable[:1], [None], states=["not a scan"], origin="table.csv")
    served(dataset.folder, port=0).listening.close()
    assert f" {len(usable) - 1} images" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["nothing", "nowhere/run"])
def test_an_encoder_that_is_not_there_is_refused_before_a_page_is_open(wrong: str, dataset: Dataset) -> None:
    with pytest.raises(FewscanError, match=wrong):
        served(dataset.folder, port=0, encoder=wrong)


def test_every_view_is_there_and_leads_to_every_other(client: TestClient) -> None:
    for path in VIEWS:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert all(f'href="{other}"' in answer.text for other in VIEWS), path
    assert client.get("/login").status_code == 200


def awaited(app: Callable[..., Awaitable[None]], *given: object) -> None:
    """Wait for it on another thread: this one has the event loop of the browser, where tests have opened one."""
    with start_blocking_portal() as portal:
        portal.call(app, *given)


def test_a_body_that_does_not_come_is_not_waited_for(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.01)
    page = reviewed(dataset, classes=CLASSES, encoder=None, door=Door.at("127.0.0.1", 8765), runs=Path("runs"))
    statuses: list[int] = []

    async def never() -> dict[str, object]:
        return await asyncio.Future()

    async def sent(message: dict[str, object]) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    headers = [(b"host", b"127.0.0.1:8765"), (b"content-type", b"application/json"), (b"content-length", b"5")]
    scope = {"type": "http", "method": "POST", "path": "/api/decisions", "headers": headers, "query_string": b""}
    awaited(application(page), scope, never, sent)
    assert statuses == [408]


def test_a_websocket_is_not_let_in() -> None:
    async def nothing(*told: object) -> None:
        pytest.fail("it came through")

    awaited(Guard(nothing, Door.at("127.0.0.1", 8765)), {"type": "websocket", "path": "/"}, nothing, nothing)


def test_whoever_opens_the_page_to_others_is_told_the_token_and_the_machines_name(pile: Path) -> None:
    page = served(pile, host="0.0.0.0", port=0)
    page.listening.close()
    assert page.address.endswith(f"{socket.gethostname()}:{page.review.door.port}")
    assert page.review.door.token is not None
    assert any(page.review.door.token in line for line in page.lines())
