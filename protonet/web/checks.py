"""Checks of strangers' texts, in processes that can be ended.

A text can be made that keeps its reader busy for ever, or takes all memory, whatever is refused
beforehand. So no text is looked at in the server: two processes (``web.checker``) are kept warm,
and one that overstays, takes too much or dies is replaced, with a plain word to who asked. All
others are answered meanwhile, since nobody waits on a thread of the server's own.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from protonet.errors import Mistake, NetworkError, UsageError
from protonet.sizes import byte_count
from protonet.web.checker import Values, looked_of, request_of
from protonet.web.datasets import Databases
from protonet.web.networks import Looked
from protonet.web.warm import Process, ProcessEndedError
from protonet.web.workspace import Workspace

PROCESSES = 2
MOST_WAITING = 64
"""How many checks may wait: texts of a million letters each, and minutes for the last."""
_LOOK = 2.0
"""Seconds between two looks at whether an idle process is still there."""
_BYTES_A_SECOND = 64 * 2**20
_MOST_FOR_DATA = 60.0
"""Opening a data set walks its pages and may read its labels: a second for each 64 MiB of it, and
at most a minute, is given beside the time of the text.
"""


class CheckError(NetworkError):
    """A check that did not come to its end."""


class BusyError(UsageError):
    """Too many checks wait already."""


class SupersededError(UsageError):
    """The same person has asked about another text since."""


@dataclass
class _Task:
    request: Values
    session: Hashable | None
    future: Future[Values] = field(default_factory=Future)


class Checks:
    """Looks at networks for everybody: one queue, and some processes. Close it.

    What comes from one ``session`` waits once at most: a newer text takes the place of an older
    one, which is told so (``SupersededError``). What has begun goes on to its end.
    """

    def __init__(self, processes: int = PROCESSES) -> None:
        self._processes = processes
        self._waiting: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._alive: set[Process] = set()
        self._closed = False

    def warm(self, workspace: Workspace) -> None:
        """Start the first process, so that the first check need not wait for it."""
        with self._changed:
            self._begin_thread(workspace.limits.check_memory)

    async def look_at(
        self,
        text: str,
        workspace: Workspace,
        databases: Databases | None = None,
        *,
        batch_size: int | None = None,
        session: Hashable | None = None,
    ) -> Looked:
        """``networks.look_at``, elsewhere.

        Raises:
            CheckError: when it took too long or too much, or its process died.
            BusyError: when too many wait.
            SupersededError: when the same session asked again before this began.
        """
        seconds = workspace.limits.check_seconds + _seconds_for(databases)
        asked = request_of("look", text, workspace, databases, batch_size, seconds)
        answer = await self._ask(asked, session)
        return looked_of(answer["looked"])

    async def draw(
        self, text: str, workspace: Workspace, *, session: Hashable | None = None
    ) -> bytes:
        """``networks.draw``, elsewhere.

        Raises:
            NetworkError: for a text that cannot be read; otherwise as ``look_at``.
        """
        asked = request_of("draw", text, workspace, None, None, workspace.limits.check_seconds)
        answer = await self._ask(asked, session)
        return str(answer["drawn"]).encode()

    def close(self) -> None:
        """End the processes, and whatever still waits."""
        with self._changed:
            self._closed = True
            waiting, alive, threads = list(self._waiting), set(self._alive), list(self._threads)
            self._waiting.clear()
            self._changed.notify_all()
        for task in waiting:
            _fail(task.future, BusyError("the server ends"))
        for process in alive:
            process.kill()
        for thread in threads:
            thread.join()

    async def _ask(self, request: Values, session: Hashable | None) -> Values:
        task = _Task(request, session)
        self._add(task, request["limits"]["check_memory"])
        try:
            answer = await asyncio.wrap_future(task.future)
        except asyncio.CancelledError:  # a server that ends does not wait for it
            raise BusyError("the server ends, and this check with it") from None
        if "mistakes" in answer:
            raise NetworkError([Mistake(**each) for each in answer["mistakes"]])
        return answer

    def _add(self, task: _Task, memory: int) -> None:
        with self._changed:
            older = [each for each in self._waiting if task.session is not None
                     and each.session == task.session]  # fmt: skip
            for each in older:
                self._waiting.remove(each)
            if self._closed:
                raise BusyError("the server ends")
            if len(self._waiting) >= MOST_WAITING:
                raise BusyError(
                    f"{MOST_WAITING} networks wait to be checked already; try again in a moment"
                )
            self._waiting.append(task)
            if self._idle < len(self._waiting) and len(self._threads) < self._processes:
                self._begin_thread(memory)
            self._changed.notify()
        for each in older:
            _fail(each.future, SupersededError("another text was given since"))

    def _begin_thread(self, memory: int) -> None:
        name = f"checks-{len(self._threads)}"
        thread = threading.Thread(target=self._work, args=(memory,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, memory: int) -> None:
        """Look after one process: keep it warm, and hand it what waits."""
        process: Process | None = None
        try:
            while not self._closed:
                process = self._kept(process, memory)
                task = self._next()
                if task is None or not task.future.set_running_or_notify_cancel():
                    continue
                process = self._kept(process, memory)
                try:
                    task.future.set_result(_answer(process, task.request))
                except Exception as error:  # whatever it is, who asked is told, and only they
                    task.future.set_exception(error)
        finally:
            self._drop(process)

    def _kept(self, process: Process | None, memory: int) -> Process | None:
        """The process, or a new one where it has ended; None where the system gives none."""
        if process is not None and process.is_alive():
            return process
        self._drop(process)
        try:
            made = Process(memory)
        except OSError:
            return None
        with self._changed:
            self._alive.add(made)
            if self._closed:
                made.kill()
        return made

    def _drop(self, process: Process | None) -> None:
        if process is not None:
            process.end()
            with self._changed:
                self._alive.discard(process)

    def _next(self) -> _Task | None:
        """What waits longest; None after a while, or at the end."""
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._waiting or self._closed, _LOOK)
            finally:
                self._idle -= 1
            return self._waiting.popleft() if self._waiting and not self._closed else None


def _answer(process: Process | None, request: Values) -> Values:
    """What the process answers.

    Raises:
        CheckError: saying why it did not.
    """
    if process is None:
        raise CheckError("the system gives this server no process to look at networks with")
    limit = f"the {request['seconds']:g} s"
    begun = time.monotonic()
    try:
        answer: Values = process.ask(request, request["seconds"])
    except ProcessEndedError as error:
        if error.overstayed or time.monotonic() - begun > request["seconds"]:
            raise CheckError(
                f"looking at this network took longer than {limit} that this server gives, and "
                "was ended; a smaller or simpler network takes less"
            ) from None
        raise CheckError(
            f"the process that looked at this network ended ({error}), perhaps for want of "
            "memory; nothing else is lost: try again, or a smaller network"
        ) from None
    if "short" in answer:
        process.kill()  # who knows what it holds still
        raise CheckError(
            "looking at this network takes more memory than the "
            f"{byte_count(request['limits']['check_memory'])} that this server gives; a smaller "
            "network takes less"
        )
    if "failed" in answer:
        raise CheckError(
            f"this network could not be looked at, by a fault of protonet ({answer['failed']}); "
            "the server's log has more"
        )
    return answer


def _fail(future: Future[Values], error: Exception) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(error)


def _seconds_for(databases: Databases | None) -> float:
    """What opening the databases of a data set may take beside the text."""
    folders = [] if databases is None else [databases.train_images, databases.train_labels,
                                            databases.val_images, databases.val_labels]  # fmt: skip
    return min(_MOST_FOR_DATA, sum(map(_bytes_in, folders)) / _BYTES_A_SECOND)


def _bytes_in(folder: Path | None) -> int:
    if folder is None:
        return 0
    with suppress(OSError):
        return sum(each.stat().st_blocks * 512 for each in folder.iterdir())
    return 0
