"""Checks of untrusted networks, in worker processes that can be killed.

A text can keep its reader busy for ever, or take all memory, whatever is refused beforehand. So
the server itself parses no text: two worker processes (``web.checker``) are kept warm, and one that
exceeds its time or memory or dies is replaced, with a clear message for its client. Other requests
are served meanwhile, since checks do not block threads of the server.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from protonet.errors import Mistake, NetworkError, UsageError
from protonet.jobs.checks.network_report import NetworkReport
from protonet.jobs.json_form import from_json
from protonet.sizes import byte_count
from protonet.web.checker import Values, request_of
from protonet.web.datasets import Databases
from protonet.web.datasets.augmented import AugmentedSample, AugmentForm
from protonet.web.networks import USUAL, CheckOptions
from protonet.web.worker_process import Process, ProcessEndedError
from protonet.web.workspace import Workspace

PROCESSES = 2
MOST_WAITING = 64
"""Maximal length of the queue: texts of a million characters each, and minutes for the last."""
_LOOK = 2.0
"""Seconds between checks that an idle process is alive."""
_BYTES_A_SECOND = 64 * 2**20
_MOST_FOR_DATA = 60.0
"""Opening a data set walks its pages and may read its labels: it adds a second per 64 MiB, at most
a minute, to the time limit.
"""


class CheckError(NetworkError):
    """A check that did not finish."""


class BusyError(UsageError):
    """The queue of checks is full."""


class SupersededError(UsageError):
    """The same session has submitted a newer text."""


@dataclass
class _Task:
    request: Values
    session: Hashable | None
    future: Future[Values] = field(default_factory=Future)


class Checks:
    """Checks networks for all sessions: one queue, and a pool of processes. Close it.

    Each ``session`` has at most one check in the queue: a newer text replaces an older one, which
    fails with ``SupersededError``. Running checks are not interrupted.
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
        """Start the first process, so that the first check does not wait for it."""
        with self._changed:
            self._begin_thread(workspace.limits.check_memory)

    async def inspect_network(
        self,
        text: str,
        workspace: Workspace,
        databases: Databases | None = None,
        options: CheckOptions = USUAL,
        *,
        session: Hashable | None = None,
    ) -> NetworkReport:
        """``networks.inspect_network``, elsewhere.

        Raises:
            CheckError: when it took too long or too much, or its process died.
            BusyError: when too many wait.
            SupersededError: when the same session asked again before this began.
        """
        seconds = workspace.limits.check_seconds + _seconds_for(databases, options.weights)
        asked = request_of("look", text, workspace, databases, options, seconds)
        answer = await self._ask(asked, session)
        return from_json(NetworkReport, answer["report"], "the checker's response")

    async def draw(
        self,
        text: str,
        workspace: Workspace,
        databases: Databases | None = None,
        *,
        session: Hashable | None = None,
    ) -> bytes:
        """``networks.draw``, elsewhere.

        Raises:
            NetworkError: for a text that cannot be read; otherwise as ``inspect_network``.
        """
        seconds = workspace.limits.check_seconds
        asked = request_of("draw", text, workspace, databases, USUAL, seconds)
        answer = await self._ask(asked, session)
        return str(answer["drawn"]).encode()

    async def augment(
        self,
        form: AugmentForm,
        workspace: Workspace,
        databases: Databases,
        *,
        session: Hashable | None = None,
    ) -> list[AugmentedSample]:
        """``datasets.augmented.augmented_samples``, elsewhere.

        Raises:
            NetworkError: for a text that cannot be read or has nothing to show; otherwise as
                ``inspect_network``.
        """
        seconds = workspace.limits.check_seconds + _seconds_for(databases, ())
        asked = request_of("augment", form.network, workspace, databases, USUAL, seconds)
        answer = await self._ask({**asked, "form": form.model_dump()}, session)
        return [
            from_json(AugmentedSample, e, "the checker's response") for e in answer["augmented"]
        ]

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
        answer = await asyncio.wrap_future(task.future)
        if "mistakes" in answer:
            raise NetworkError(
                [from_json(Mistake, each, "the checker's response") for each in answer["mistakes"]]
            )
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
        """Manage one process: keep it alive, and pass it the checks of the queue."""
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
                except Exception as error:  # only for the client of this request
                    task.future.set_exception(error)
        finally:
            self._drop(process)

    def _kept(self, process: Process | None, memory: int) -> Process | None:
        """The process, or a new one if it has ended; None if the system cannot start one."""
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
        """The next check of the queue; None after a timeout, or at the end."""
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._waiting or self._closed, _LOOK)
            finally:
                self._idle -= 1
            return self._waiting.popleft() if self._waiting and not self._closed else None


def _answer(process: Process | None, request: Values) -> Values:
    """The response of the process.

    Raises:
        CheckError: saying why there is none.
    """
    if process is None:
        raise CheckError("the server cannot start a process to check networks")
    limit = f"the {request['seconds']:g} s"
    begun = time.monotonic()
    try:
        answer: Values = process.request(request, request["seconds"])
    except ProcessEndedError as error:
        if error.overstayed or time.monotonic() - begun > request["seconds"]:
            raise CheckError(
                f"checking this network took longer than {limit} that this server allows, and "
                "was stopped; a smaller or simpler network takes less"
            ) from None
        raise CheckError(
            f"the process that checked this network ended ({error}), perhaps for lack of "
            "memory; nothing else is lost: try again, or a smaller network"
        ) from None
    if "short" in answer:
        process.kill()  # its state is unknown
        raise CheckError(
            "checking this network takes more memory than the "
            f"{byte_count(request['limits']['check_memory'])} that this server allows; a smaller "
            "network takes less"
        )
    if "failed" in answer:
        raise CheckError(
            f"this network could not be checked, by a bug in protonet ({answer['failed']}); "
            "the server's log has more"
        )
    return answer


def _fail(future: Future[Values], error: Exception) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(error)


def _seconds_for(databases: Databases | None, weights: Sequence[Path]) -> float:
    """Seconds allowed for opening the databases of a data set and files of weights."""
    folders = [] if databases is None else [databases.train_images, databases.train_labels,
                                            databases.val_images, databases.val_labels]  # fmt: skip
    files = sum(each.stat().st_size for each in weights if each.is_file())
    return min(_MOST_FOR_DATA, (files + sum(map(_bytes_in, folders))) / _BYTES_A_SECOND)


def _bytes_in(folder: Path | None) -> int:
    if folder is None:
        return 0
    with suppress(OSError):
        return sum(each.stat().st_blocks * 512 for each in folder.iterdir())
    return 0
