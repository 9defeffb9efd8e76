"""A warm worker process that serves requests, as JSON lines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

_START = 60.0
"""Seconds for a process to start, also on a busy machine."""
_LONGEST = 256 * 2**20
"""Maximal bytes of a response: more than a drawing of the longest text has."""


class ProcessEndedError(Exception):
    """The process ended without a response; the message says how.

    ``overstayed`` says whether it exceeded its time limit.
    """

    def __init__(self, told: str, *, overstayed: bool) -> None:
        super().__init__(told)
        self.overstayed = overstayed


class Process:
    """A running ``web.checker``. End it.

    It is only connected by pipes: when the server ends in any way, its input ends, and it exits.
    Signals of a terminal do not reach it.

    Args:
        memory: limit of a request in bytes, 0 for none.
    """

    def __init__(self, memory: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "protonet.web.checker", str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._ready = False
        self._killed = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it runs; an ended process is reaped."""
        return self._process.poll() is None and not self._killed

    def request(self, request: Any, seconds: float) -> Any:
        """Send a request and return the response; kill the process after a timeout.

        Raises:
            ProcessEndedError: when it ended without a response.
        """
        if not self._ready:
            self._timed(b"", _START)
            self._ready = True
        return self._timed(json.dumps(request).encode() + b"\n", seconds)

    def kill(self) -> None:
        """Kill it; pending requests fail."""
        self._killed = True
        self._process.kill()

    def end(self) -> None:
        """Kill it and release its resources."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # unread input is discarded
                pipe.close()

    def _timed(self, line: bytes, seconds: float) -> Any:
        """Send a line, if any, and read one; kill the process after a timeout.

        The process may hang, so that reading and writing may block for ever.
        """
        overstayed = threading.Event()

        def end_it() -> None:
            overstayed.set()
            self.kill()

        timer = threading.Timer(seconds, end_it)
        timer.start()
        try:
            answer = self._exchange(line)
        finally:
            timer.cancel()
            timer.join()  # else it could kill the process during the next request
        if not answer.endswith(b"\n"):
            self.kill()
            raise ProcessEndedError(_told(self._process.wait()), overstayed=overstayed.is_set())
        return json.loads(answer)

    def _exchange(self, line: bytes) -> bytes:
        given, got = self._process.stdin, self._process.stdout
        assert given is not None
        assert got is not None
        try:
            if line:
                given.write(line)
                given.flush()
            return _line_of(got)
        except OSError:
            return b""


def _line_of(stream: IO[bytes]) -> bytes:
    return stream.readline(_LONGEST)


def _told(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
