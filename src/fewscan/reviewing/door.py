"""Who may ask the page for what: by the address asked for, the site that asks, and, beyond this machine or if asked, a token.

A browser can be made to send requests anywhere by any page that is open in it. So what does not come from the page itself is
refused, also on this machine: by `Host`, which a name that was rebound to 127.0.0.1 betrays, and by `Origin` and
`Sec-Fetch-Site`, which browsers set and pages cannot.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

# What a page needs before it knows the token: nothing of the dataset.
OPEN_PATHS = ("/login", "/api/login", "/static/page.css", "/static/login.js", "/static/asking.js")
READING = ("GET", "HEAD")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Refusal(NamedTuple):
    """Why a request is refused: the HTTP status, and the reason in words."""

    status: int
    reason: str


@dataclass
class Door:
    """What `host`, an address to listen on, lets in. token: None where all that this machine lets ask may."""

    host: str
    port: int
    token: str | None
    sessions: set[str] = field(default_factory=set)

    @classmethod
    def at(cls, host: str, port: int, *, with_token: bool = False) -> "Door":
        """Return the door of an address: with a token, made anew, if asked, and unless only this machine can reach it."""
        return cls(host, port, secrets.token_urlsafe(24) if with_token or not is_local(host) else None)

    @property
    def cookie(self) -> str:
        """What the cookie of a session is called: a browser keeps those of all ports of a machine together."""
        return f"fewscan_session_{self.port}"

    def refusal(self, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a request is refused, None where it is let in; headers: by their names in lower case."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return Refusal(421, "this page has another address: use the one that 'fewscan review' printed")
        if not _is_same_site(host, headers):
            return Refusal(403, "another site sent this request; only the page itself may: type its address yourself")
        if self.token is not None and path not in OPEN_PATHS and not self._knows_token(headers):
            return Refusal(401, "log in with the token that 'fewscan review' printed")
        return None

    def log_in(self, token: str) -> str | None:
        """Return the content of a new session's cookie, None for a wrong token."""
        if self.token is None or not hmac.compare_digest(token.encode(errors="replace"), self.token.encode()):
            return None
        session = secrets.token_urlsafe(24)
        self.sessions.add(session)
        return session

    def _is_ours(self, host: str) -> bool:
        try:
            asked = urlsplit(f"//{host}")
            name, port = asked.hostname or "", asked.port
        except ValueError:
            return False
        if (80 if port is None else port) != self.port:
            return False
        if name in (*_LOCAL_NAMES, self.host.lower()):
            return True
        # An address in numbers cannot be rebound; names can, so only this machine's own.
        own = (socket.gethostname(), socket.getfqdn())
        return self.token is not None and (_is_address(name) or name in [each.lower() for each in own])

    def _knows_token(self, headers: Mapping[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if self.token is not None and scheme.lower() == "bearer":
            return hmac.compare_digest(given.encode(errors="replace"), self.token.encode())
        return _cookie(headers.get("cookie", ""), self.cookie) in self.sessions


def is_local(host: str) -> bool:
    """Return whether an address to listen on can be reached from this machine alone."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_same_site(host: str, headers: Mapping[str, str]) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin == f"http://{host}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookie(header: str, name: str) -> str | None:
    for part in header.split(";"):
        called, _, content = part.strip().partition("=")
        if called == name:
            return content
    return None
