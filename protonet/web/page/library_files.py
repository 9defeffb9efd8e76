"""The files of the page's library are compressed once, not for every browser that has none yet."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEVEL = 3
"""Of compression: a quarter of the time of the default, and a seventh more bytes."""
_IN_PART = ("range", "if-range", "if-none-match", "if-modified-since")
"""Headers of requests whose answers may not be the whole file."""


class CompressedOnce(GZipMiddleware):
    """Middleware that compresses answers, and keeps those that are files of the library: 3 MB."""

    def __init__(self, app: ASGIApp) -> None:
        from nicegui import __version__

        super().__init__(app, compresslevel=_LEVEL)
        self._files = f"/_nicegui/{__version__}/"
        self._made = f"{self._files}dynamic_resources/"
        self._kept: dict[str, tuple[Message, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope["path"] if self._asks_for_a_file(scope) else ""
        if path in self._kept:
            start, body = self._kept[path]
            await send(_copy(start))
            await send({"type": "http.response.body", "body": body})
            return
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(_copy(message))
            await send(message)

        await super().__call__(scope, receive, keep if path else send)
        if sent and sent[0]["status"] == 200 and not sent[-1].get("more_body"):
            self._kept[path] = sent[0], b"".join(each["body"] for each in sent[1:])

    def _asks_for_a_file(self, scope: Scope) -> bool:
        """Whether a browser asks for a whole file of the library: it changes with its version
        alone, other than files that an application makes or adds.
        """
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return False
        if not scope["path"].startswith(self._files) or scope["path"].startswith(self._made):
            return False
        headers = Headers(scope=scope)
        whole = not any(name in headers for name in _IN_PART)
        return whole and "gzip" in headers.get("accept-encoding", "")


def _copy(message: Message) -> Message:
    """Middleware outside adds to the headers of what is sent, cookies of a user among them."""
    return {**message, "headers": [*message["headers"]]} if "headers" in message else message
