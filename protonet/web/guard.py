"""Middleware that checks host, token, origin and size of requests.

Requests must have a Host of the server (against DNS rebinding), the token if one is needed, and, if
they change something, no Origin or the server's own (against CSRF). Bodies are limited, whatever
their Content-Length.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "protonet_token"
_SAFE = ("GET", "HEAD", "OPTIONS")
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # The page's library compiles templates in the browser and uses inline styles.
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; "
        "style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
}
_LONGEST = 255
"""Maximal bytes of a path segment, as of a file's name."""
_STORED_BODY = 16 << 20
"""Maximal bytes of a request without upload."""


@dataclass(frozen=True)
class Rules:
    """The rules of the guard.

    ``hosts`` are names without ports. ``token`` is None if only this machine can reach the server.
    ``upload`` is the maximal size of a request in bytes.
    """

    hosts: frozenset[str]
    token: str | None = None
    upload: int = 512 * 2**20


def is_local(host: str) -> bool:
    """Whether a host is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """ASGI middleware that refuses requests with a 4xx status and a message, as JSON."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it; a server that shuts down refuses those under way."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._answer(scope, receive, watched)
        except asyncio.CancelledError:
            if scope["type"] == "http" and not started:
                await _refuse(scope, send, 503, "the server is shutting down")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {
            key.decode("latin-1").lower(): value.decode("latin-1")
            for key, value in scope["headers"]
        }
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, send, *refusal)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        if self._brings_token(scope):
            await _keep_token(scope, send, self.rules.token or "")
            return
        if self.rules.token is not None:  # keep the token out of access logs
            scope = {**scope, "query_string": _without_token(scope).encode()}
        await self._pass(scope, headers, receive, send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Status and reason of a refusal, or None."""
        if any(
            len(piece.encode("utf-8", "replace")) > _LONGEST for piece in scope["path"].split("/")
        ):
            return 404, f"a name has at most {_LONGEST} characters"
        host = _host(headers.get("host", ""))
        if host not in self.rules.hosts:
            return 403, f"this server does not serve the host '{host[:80]}'"
        if scope["type"] == "http" and scope["method"] not in (*_SAFE, *_CHANGING):
            return 405, f"unsupported method {scope['method'][:20]}"
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if changes and not _same_site(headers):
            return 403, "this request comes from another site's page"
        if self.rules.token is not None and changes and _query_token(scope):
            return 400, (
                "a token in a URL only opens pages; requests that change something must send it in "
                "the "
                "header 'Authorization: Bearer TOKEN' or in the cookie of the page, because "
                "URLs are logged"
            )
        if self.rules.token is not None and not self._has_token(scope, headers):
            return 401, "this server requires its token: open the URL that it printed"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            return 400, "content-length is not a number"
        if int(length) > self._most(headers):
            return 413, f"more than the {self._most(headers) >> 20} MiB that this server accepts"
        return None

    def _has_token(self, scope: Scope, headers: dict[str, str]) -> bool:
        given = [_query_token(scope)]
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            given.append(value.strip())
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        if COOKIE in cookies:
            given.append(cookies[COOKIE].value)
        token = (self.rules.token or "").encode()
        return any(
            hmac.compare_digest(each.encode("utf-8", "replace"), token) for each in given if each
        )

    def _brings_token(self, scope: Scope) -> bool:
        """Whether a browser opened the URL with the token, which is then stored in a cookie."""
        return bool(self.rules.token is not None and scope["method"] in ("GET", "HEAD")
                    and _query_token(scope) and not scope["path"].startswith("/api/"))  # fmt: skip

    def _most(self, headers: dict[str, str]) -> int:
        upload = headers.get("content-type", "").startswith("multipart/form-data")
        return self.rules.upload if upload else min(self.rules.upload, _STORED_BODY)

    async def _pass(
        self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send
    ) -> None:
        """Count the bytes of the body, and add the headers to the response."""
        most, got, begun = self._most(headers), 0, False
        # Once a body is too large, the application gets a disconnect, and its further output is
        # dropped.

        async def bounded() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            return message if got <= most else {"type": "http.disconnect"}

        async def sealed(message: Message) -> None:
            nonlocal begun
            if got > most and not begun:
                return
            if message["type"] == "http.response.start":
                begun = True
                given = {key.lower() for key, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((k.encode(), v.encode()) for k, v in _HEADERS.items()
                      if k.encode() not in given),
                ]  # fmt: skip
            await send(message)

        try:
            await self.app(scope, bounded, sealed)
        except Exception:
            if got <= most:
                raise
        if got > most and not begun:
            await _refuse(
                scope, send, 413, f"more than the {most >> 20} MiB that this server accepts"
            )


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0].lower()


def _same_site(headers: dict[str, str]) -> bool:
    """Whether a request comes from the server's own pages, or not from a browser page."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False


def _query_token(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return parse_qs(query).get("token", [""])[0] if "token=" in query else ""


def _without_token(scope: Scope) -> str:
    """The query string without the token."""
    query = str(scope.get("query_string", b"").decode("latin-1"))
    if not _query_token(scope):
        return query
    left = parse_qs(query, keep_blank_values=True)
    left.pop("token", None)
    return urlencode(left, doseq=True)


async def _keep_token(scope: Scope, send: Send, token: str) -> None:
    """Redirect to the same page with the token in a cookie instead of the URL."""
    query = _without_token(scope)
    # Quoted, after one slash: browsers take //name, or a backslash, as another site's URL.
    path = "/" + quote(scope["path"].lstrip("/\\"), safe="/~", errors="replace")
    target = path + (f"?{query}" if query else "")
    cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
    headers = [(b"location", target.encode("ascii", "ignore")), (b"set-cookie", cookie.encode())]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    body = json.dumps({"error": reason, "mistakes": []}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)),
               (b"connection", b"close")]  # fmt: skip
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
