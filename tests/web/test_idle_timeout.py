"""Silent connections do not keep others out."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

import pytest
import uvicorn
from websockets.sync.client import connect

from protonet.web import idle_timeout
from protonet.web.idle_timeout import MOST, IdleTimeoutProtocol


async def _answer(scope: Any, _: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})


@contextmanager
def serving(app: Any) -> Iterator[int]:
    """A server of ``app``; the port that it listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    config = uvicorn.Config(
        app, port=free, http=IdleTimeoutProtocol, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield free
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with a timeout of a second."""
    monkeypatch.setattr(idle_timeout, "SECONDS", 1.0)
    with serving(_answer) as found:
        yield found


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        found = b""
        while part := connection.recv(4096):
            found += part
    return found


def test_who_asks_is_answered_while_hundreds_are_silent(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(MOST + 20):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            silent.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert b"here" in ask(port)


def test_a_silent_connection_is_closed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nHost: ")
        began = time.monotonic()
        assert silent.recv(1) == b""
        assert time.monotonic() - began > 0.5


def test_one_that_has_asked_is_kept(port: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as open_one:
        for pause in (1.5, 0):
            open_one.sendall(request)
            found = b""
            while not found.endswith(b"0\r\n\r\n"):
                found += open_one.recv(4096)
            assert b" 200 " in found
            time.sleep(pause)


def test_a_socket_of_the_page_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection goes over to another protocol, which waits as long as it likes."""
    monkeypatch.setattr(idle_timeout, "SECONDS", 0.5)

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            message = await receive()
            await send({"type": "websocket.send", "text": message["text"]})

    with serving(echo) as port, connect(f"ws://127.0.0.1:{port}/") as connection:
        time.sleep(1.0)
        connection.send("still uploaded")
        assert connection.recv() == "still uploaded"
