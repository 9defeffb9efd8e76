"""A process that is kept warm and asked again and again, in JSON, a line each way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

_START = 60.0
"""Seconds for a process to begin: a machine may be very busy."""
_LONGEST = 256 * 2**20
"""Bytes of an answer: more than a drawing of the longest text has."""


class ProcessEndedError(Exception):
    """There is no answer, because the process has ended; its text says how.

    ``overstayed`` says whether it was ended for its time.
    """

    def __init__(self, told: str, *, overstayed: bool) -> None:
        super().__init__(told)
        self.overstayed = overstayed


class Process:
    """``web.checker`` at work. End it.

    Only pipes of this process's own hold it: when the server ends, in whatever way, its input ends,
    and so does it. Signals of a terminal do not reach it.

    Args:
        memory: the most bytes that one answer may take, 0 for any.
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
        """The system's number of it."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it runs; one that has ended leaves nothing behind."""
        return self._process.poll() is None and not self._killed

    def ask(self, request: Any, seconds: float) -> Any:
        """Its answer, or its end: after so many seconds it is killed.

        Raises:
            ProcessEndedError: where it ended before it answered.
        """
        if not self._ready:
            self._timed(b"", _START)
            self._ready = True
        return self._timed(json.dumps(request).encode() + b"\n", seconds)

    def kill(self) -> None:
        """End it at once; whoever waits for an answer gets none."""
        self._killed = True
        self._process.kill()

    def end(self) -> None:
        """End it, and let go of all that it has."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # what was not taken is of no use any more
                pipe.close()

    def _timed(self, line: bytes, seconds: float) -> Any:
        """Send a line, if any, and read one, with an end by force after so many seconds.

        The process may neither read nor write any more, so that both may wait for ever.
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
            timer.join()  # else it could end the process during the next answer
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
