"""Who may ask: hosts, tokens, other sites' pages, sizes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from protonet.web.guard import Guard, Rules, is_local
from tests.web.browser import awaited

BROUGHT = {"authorization": "Bearer sesame"}
HOSTS = frozenset({"localhost", "testserver", "[::1]"})


def app() -> FastAPI:
    made = FastAPI()

    @made.get("/")
    @made.get("/api/x")
    def show() -> dict[str, str]:
        return {"said": "hello"}

    @made.post("/api/x")
    async def take(request: Request) -> dict[str, int]:
        return {"got": len(await request.body())}

    return made


@pytest.fixture
def free() -> TestClient:
    return TestClient(Guard(app(), Rules(HOSTS, None, 20 << 20)))


@pytest.fixture
def locked() -> TestClient:
    return TestClient(Guard(app(), Rules(HOSTS, "sesame", 1000)), follow_redirects=False)


def test_answers_carry_their_headers(free: TestClient) -> None:
    headers = free.get("/").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "169.254.169.254"])
def test_other_names_are_not_answered(free: TestClient, host: str) -> None:
    answer = free.get("/", headers={"host": host})
    assert answer.status_code == 403
    assert "does not serve the host" in answer.json()["error"]


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST", "[::1]:80"])
def test_own_names_are(free: TestClient, host: str) -> None:
    assert free.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_change_nothing(free: TestClient, headers: dict[str, str]) -> None:
    assert free.post("/api/x", headers=headers).status_code == 403
    assert free.get("/api/x", headers=headers).status_code == 200


def test_own_pages_and_programs_do(free: TestClient) -> None:
    own = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
    assert free.post("/api/x", headers=own).status_code == 200
    assert free.post("/api/x").status_code == 200


def test_bodies_have_a_limit_whatever_they_claim(free: TestClient) -> None:
    assert free.post("/api/x", content=b"x" * 1000).json() == {"got": 1000}
    assert free.post("/api/x", content=bytes(17 << 20)).status_code == 413

    def growing() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(1 << 20)

    assert free.post("/api/x", content=growing()).status_code == 413
    large = {"content-type": "multipart/form-data; boundary=x"}
    assert free.post("/api/x", content=bytes(17 << 20), headers=large).status_code == 200
    wrong = free.post("/api/x", content=b"", headers={"content-length": "many"})
    assert wrong.status_code == 400


def test_a_token_is_needed(locked: TestClient) -> None:
    assert locked.get("/api/x").status_code == 401
    assert locked.get("/api/x", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert locked.get("/api/x", headers={"authorization": "Bearer sesame"}).status_code == 200
    assert locked.get("/api/x?token=sesame").status_code == 200
    assert locked.get("/api/x", headers={"cookie": "protonet_token=sesame"}).status_code == 200
    assert locked.get("/api/x", headers={"cookie": b"protonet_token=\xe9;=;"}).status_code == 401


def test_a_token_in_the_address_goes_to_a_cookie(locked: TestClient) -> None:
    answer = locked.get("/?token=sesame&a=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?a=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert (
        locked.get("http://testserver//evil.example/?token=sesame").headers["location"]
        == "/evil.example/"
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("token", ["sesame", "wrong"])
def test_what_changes_something_has_no_token_in_its_address(
    locked: TestClient, method: str, token: str
) -> None:
    """The way to bring it is told; whether it was the right one is not."""
    answer = locked.request(method, f"/api/x?token={token}", headers=BROUGHT)
    assert answer.status_code == 400
    assert "Authorization: Bearer TOKEN" in answer.json()["error"]
    assert locked.post("/api/x", headers=BROUGHT).json() == {"got": 0}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_nothing_behind_the_guard_sees_the_token(method: str) -> None:
    seen = []

    async def show(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = TestClient(Guard(show, Rules(HOSTS, "sesame")), follow_redirects=False)
    assert client.request(method, "/api/x?a=&token=sesame&b=%c3%a9").status_code == 200
    assert client.request(method, "/api/x?c=1", headers=BROUGHT).status_code == 200
    assert seen == [b"a=&b=%C3%A9", b"c=1"]


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("0.0.0.0", False),
     ("192.168.1.5", False), ("example.org", False)],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    "path", ["/%0d%0aset-cookie:a", "/a%00b", "//evil.example", "/%5cevil.example", "/%5c/e"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_token_leads_to_this_server_alone(locked: TestClient, path: str, method: str) -> None:
    answer = locked.request(method, f"http://localhost{path}?token=sesame&x=%0d%0ay")
    assert answer.status_code == 303
    target = answer.headers["location"]
    assert target.isascii()
    assert target.isprintable()
    assert target.startswith("/")
    assert target[1] not in "/\\"
    assert "sesame" not in target


@pytest.mark.parametrize("token", ["%0d%0a", "%ed%a0%80", "%ff", "%00", "a;b", "%c3%a9"])
def test_a_token_of_any_letters_is_refused(locked: TestClient, token: str) -> None:
    assert locked.get(f"/?token={token}").status_code == 401


def test_a_name_that_no_file_can_have(free: TestClient) -> None:
    answer = free.get("/api/" + "x" * 256)
    assert answer.status_code == 404
    assert "255" in answer.json()["error"]
    assert free.get("/" + "%c3%a9" * 128).status_code == 404


@pytest.mark.parametrize("length", ["\u00b2", "-1", "1" * 5000])
def test_a_length_that_is_none(free: TestClient, length: str) -> None:
    headers = {b"content-length": length.encode("latin-1")}
    assert free.post("/api/x", headers=headers).status_code == 400


def test_a_request_that_the_end_of_the_server_cancels_is_refused() -> None:
    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    answer = TestClient(Guard(cancelled, Rules(HOSTS, None, 1000))).get("/")
    assert (answer.status_code, answer.json()["error"]) == (503, "the server is shutting down")


def test_nothing_is_added_to_a_response_that_was_cancelled_in_the_middle() -> None:
    sent: list[str] = []

    async def begun(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"",
             "headers": [(b"host", b"localhost")]}  # fmt: skip
    awaited(Guard(begun, Rules(HOSTS, None, 1000))(scope, AsyncMock(), send))
    assert sent == ["http.response.start"]
