"""Connections that ask nothing: a server must not run out of them while it waits.

Each connection takes a file of the process, and uvicorn waits for its first request as long as the
other side likes. Here a request has to be there within some seconds, and of more connections than
a few hundred that wait for one, the oldest are closed: who asks is answered whoever else is silent.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import Any, ClassVar

from uvicorn.protocols.http.auto import AutoHTTPProtocol

SECONDS = 10.0
"""How long a connection may wait before its first request is whole."""
MOST = 256
"""How many may wait at once: below what any system gives a process."""

_Base: Any = AutoHTTPProtocol


class Patient(_Base):  # type: ignore[misc]  # uvicorn chooses the class when it is imported
    """uvicorn's protocol, with an end to its patience."""

    _waiting: ClassVar[OrderedDict[Patient, asyncio.TimerHandle]] = OrderedDict()
    """Of this process: connections without a request, the oldest first."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait; close the one that waits longest where too many do."""
        super().connection_made(transport)
        self._waiting[self] = self.loop.call_later(SECONDS, self._give_up)
        if len(self._waiting) > MOST:
            next(iter(self._waiting))._give_up()

    def data_received(self, data: bytes) -> None:
        """Once a request has begun the application has it, or, of a socket of the page, another
        protocol.
        """
        super().data_received(data)
        if self.cycle is not None or self.transport.get_protocol() is not self:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side went first."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self._stop_waiting()
        with suppress(RuntimeError):  # the loop is gone
            self.transport.close()

    def _stop_waiting(self) -> None:
        timer = self._waiting.pop(self, None)
        if timer is not None:
            timer.cancel()
