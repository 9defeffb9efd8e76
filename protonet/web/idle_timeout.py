"""Timeout of idle connections, so that they cannot exhaust the server.

Each connection takes a file descriptor, and uvicorn waits for its first request without limit. Here
the request must arrive within some seconds, and of more than a few hundred idle connections the
oldest are closed, so that active clients are served.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import Any, ClassVar

from uvicorn.protocols.http.auto import AutoHTTPProtocol

SECONDS = 10.0
"""Seconds until the first request of a connection must be complete."""
MOST = 256
"""Maximal number of idle connections, below the file descriptor limit of any system."""

_Base: Any = AutoHTTPProtocol


class IdleTimeoutProtocol(_Base):  # type: ignore[misc]  # uvicorn chooses it at import
    """uvicorn's protocol with a timeout of idle connections."""

    _waiting: ClassVar[OrderedDict[IdleTimeoutProtocol, asyncio.TimerHandle]] = OrderedDict()
    """The idle connections of this process, the oldest first."""

    def connection_made(self, transport: Any) -> None:
        """Start the timeout; close the oldest idle connection if there are too many."""
        super().connection_made(transport)
        self._waiting[self] = self.loop.call_later(SECONDS, self._give_up)
        if len(self._waiting) > MOST:
            next(iter(self._waiting))._give_up()

    def data_received(self, data: bytes) -> None:
        """Stop the timeout once the request has begun, or the connection is upgraded."""
        super().data_received(data)
        if self.cycle is not None or self.transport.get_protocol() is not self:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has disconnected."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self._stop_waiting()
        with suppress(RuntimeError):  # the event loop is closed
            self.transport.close()

    def _stop_waiting(self) -> None:
        timer = self._waiting.pop(self, None)
        if timer is not None:
            timer.cancel()
