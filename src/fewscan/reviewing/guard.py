"""What every request passes before the page sees it, and what every answer carries: the door, bounds, security headers."""

import asyncio
import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fewscan.reviewing.door import READING, Door, Refusal

MAX_JSON_BYTES = 256 * 1024
MAX_UPLOAD_BYTES = 64 * 1024 * 1024
UPLOAD_PATH = "/api/predict"
BODY_SECONDS = 120.0
JSON_TYPE, BYTES_TYPE = "application/json", "application/octet-stream"

# No script, style, picture or request but the page's own; levels of a scan are painted, not loaded.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on with a bounded body."""
        if scope["type"] != "http":
            return  # no websockets

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_headers(scope["path"], message["headers"])
            await send(message)

        headers = _headers(scope)
        refused = self.door.refusal(scope["path"], headers) or _refused_body(scope, headers)
        if refused is None:
            await self.app(scope, _bounded(receive, _most_bytes(scope["path"])), guarded_send)
        elif refused.status == 401 and scope["method"] in READING and not scope["path"].startswith("/api/"):
            await _answer(guarded_send, Refusal(303, refused.reason), [(b"location", b"/login")])
        else:
            await _answer(guarded_send, refused)


def _headers(scope: Scope) -> dict[str, str]:
    """Return headers by name; one that is given twice, as no browser does, holds both, and so is no right one."""
    found: dict[str, str] = {}
    for name, content in scope["headers"]:
        key, text = name.decode("latin-1").lower(), content.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _refused_body(scope: Scope, headers: dict[str, str]) -> Refusal | None:
    if scope["method"] in READING:
        return None
    # Of these two types no form of another site is, so a browser asks before it sends one.
    wanted = BYTES_TYPE if scope["path"] == UPLOAD_PATH else JSON_TYPE
    if headers.get("content-type", "").partition(";")[0].strip().lower() != wanted:
        return Refusal(415, f"send this as {wanted}")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        return Refusal(400, "content-length is not a number")
    if len(length) > 15 or int(length) > _most_bytes(scope["path"]):
        return _too_large(_most_bytes(scope["path"]))
    return None


def _most_bytes(path: str) -> int:
    return MAX_UPLOAD_BYTES if path == UPLOAD_PATH else MAX_JSON_BYTES


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"too large: at most {most:,} bytes")


def _bounded(receive: Receive, most: int) -> Receive:
    """Return `receive`, which refuses a body that is too large, or too slow, whatever its headers said."""
    taken, deadline = 0, asyncio.get_running_loop().time() + BODY_SECONDS
    more = True

    async def bounded() -> Message:
        nonlocal taken, more
        if not more:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), deadline - asyncio.get_running_loop().time())
        except TimeoutError:
            raise HTTPException(408, f"not sent within {BODY_SECONDS:.0f} seconds") from None
        taken += len(message.get("body", b""))
        more = bool(message.get("more_body", False))
        if taken > most:
            raise HTTPException(*_too_large(most))
        return message

    return bounded


def _with_headers(path: str, headers: Any) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in headers}
    extra = HEADERS if path.startswith("/static/") else HEADERS | {"cache-control": "no-store"}
    return [*headers, *((name.encode(), text.encode()) for name, text in extra.items() if name.encode() not in given)]


async def _answer(send: Send, refused: Refusal, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps({"detail": refused.reason}).encode()
    start = [(b"content-type", JSON_TYPE.encode()), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": refused.status, "headers": start})
    await send({"type": "http.response.body", "body": body})
