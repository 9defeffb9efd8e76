"""Files of the page's library are compressed once; what belongs to a request is not kept."""

from __future__ import annotations

import gzip
import re
import urllib.request
from typing import Any

from nicegui import __version__

from protonet.web.page.library_files import CompressedOnce
from tests.web.browser import awaited
from tests.web.conftest import Served

TEXT = b"export const answer = 42;\n" * 1000
FILE = f"/_nicegui/{__version__}/static/x.js"


class Files:
    """An application that sends TEXT in two parts, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.half = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        headers = [(b"content-type", b"text/javascript")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": TEXT[:9], "more_body": True})
        if not self.half:
            await send({"type": "http.response.body", "body": TEXT[9:]})


def fetched(app: Any, path: str = FILE, **more: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body; what comes through is marked as by middleware outside."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        if "headers" in message:
            message["headers"].append((b"set-cookie", str(more.get("user", "")).encode()))
        sent.append(message)

    headers = more.get("headers", [(b"accept-encoding", b"gzip, br")])
    scope = {
        "type": "http",
        "method": more.get("method", "GET"),
        "path": path,
        "query_string": more.get("query", b""),
        "headers": headers,
    }
    awaited(app(scope, None, send))
    body = b"".join(each.get("body", b"") for each in sent[1:])
    cookies = [value for name, value in sent[0]["headers"] if name == b"set-cookie"]
    assert cookies == [str(more.get("user", "")).encode()]
    return sent[0]["status"], dict(sent[0]["headers"]), body


def test_a_file_is_asked_for_once_and_cookies_are_of_who_asks() -> None:
    files = Files()
    app = CompressedOnce(files)
    answers = [fetched(app, user=user) for user in ("ann", "ben", "cat")]
    assert files.asked == 1
    for status, headers, body in answers:
        assert status == 200
        assert headers[b"content-encoding"] == b"gzip"
        assert gzip.decompress(body) == TEXT
    assert answers[1][1][b"set-cookie"] == b"ben"


def test_other_answers_are_not_kept() -> None:
    files = Files()
    app = CompressedOnce(files)
    others: list[dict[str, Any]] = [
        {"path": "/jobs"},
        {"path": "/_nicegui/auto/static/x.js"},  # a file that a page adds, perhaps for one request
        {"path": f"/_nicegui/{__version__}/dynamic_resources/x.css"},
        {"method": "POST"},
        {"query": b"v=1"},
        {"headers": [(b"accept-encoding", b"gzip"), (b"range", b"bytes=0-3")]},
        {"headers": [(b"accept-encoding", b"gzip"), (b"if-none-match", b'"x"')]},
        {"headers": []},
    ]
    for other in (*others, *others):
        _, headers, body = fetched(app, **other)
        text = gzip.decompress(body) if b"content-encoding" in headers else body
        assert text == TEXT
    assert files.asked == 2 * len(others)


def test_a_failure_is_not_kept() -> None:
    files = Files()
    app = CompressedOnce(files)
    files.status = 404
    assert fetched(app)[0] == 404
    files.status, files.half = 200, True
    fetched(app)
    files.half = False
    assert gzip.decompress(fetched(app)[2]) == TEXT
    assert files.asked == 3


def test_two_browsers_get_the_same_files_and_sessions_of_their_own(server: Served) -> None:
    with urllib.request.urlopen(server.address + "/") as page:
        paths = sorted(set(re.findall(r'"(/_nicegui/[^"?]+\.m?js)"', page.read().decode())))
    assert len(paths) > 5
    for path in paths[:5]:
        request = urllib.request.Request(server.address + path, headers={"Accept-Encoding": "gzip"})
        found = []
        for _ in range(2):
            with urllib.request.urlopen(request) as answer:
                assert len(answer.headers.get_all("Set-Cookie", [])) == 1
                found.append((answer.read(), answer.headers["Set-Cookie"]))
        with urllib.request.urlopen(server.address + path) as plain:
            assert plain.headers["Content-Encoding"] is None
            text = plain.read()
        (first, ours), (second, theirs) = found
        assert first == second
        assert ours != theirs
        assert text == (gzip.decompress(first) if first.startswith(b"\x1f\x8b") else first)
