"""Starts jobs when their turn comes, and sees how they end. Nothing is kept in memory alone."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable

from protonet.errors import ProtonetError
from protonet.jobs.training.interrupts import INTERRUPTED
from protonet.web.process import (
    Detached,
    is_alive,
    last_complaint,
    launch,
    read_exit,
    send_signal,
)
from protonet.web.store import (
    ABORT,
    DATASET,
    DONE,
    ENDED,
    ERROR,
    RUN,
    TRAINING,
    WAIT,
    Job,
    Store,
)
from protonet.web.workspace import GIB, Workspace

_LOG = logging.getLogger(__name__)
_PAUSE = 0.1
_REST = 1.0
"""Seconds after a turn that failed as a whole."""
_GRACE = 30.0
"""Seconds from the wish to stop to the end by force."""
_OLD = (
    "another version of protonet wrote down what is to be done, in a way that this one cannot "
    "read; make it once more"
)
_SPARE_ADDRESSES = 8 * GIB
"""What threads, libraries and files mapped take of a process's addresses beside its arrays."""


class Queue:
    """One training for each device at a time, and one making of a data set, in their order.

    The processes are sessions of their own: they live on when the server ends, and another
    server takes them up again.
    """

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self.workspace = workspace
        self.store = store
        self._children: dict[str, Detached] = {}
        self._unheard: set[str] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look after the jobs on a thread until ``close``."""
        self._thread = threading.Thread(target=self._look_after, name="queue", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no longer; what runs goes on running."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def turn(self) -> None:
        """See what has ended, stop what should stop, start what may start."""
        with self._lock:
            for job in self.store.all(status=[RUN]):
                self._try(job, self._attend)
            busy = {_slot(job) for job in self.store.all(status=[RUN])}
            for job in sorted(self.store.all(status=[WAIT]), key=lambda each: each.place):
                if _slot(job) not in busy and self._try(job, self._begin_if_ready):
                    busy.add(_slot(job))

    def abort(self, job: Job) -> Job:
        """Stop a job: a training takes a snapshot first. One that waits is taken out."""
        with self._lock:
            job = self.store.get(job.id)
            if job.status == WAIT:
                return self.store.update(job.id, status=ABORT, ended=time.time())
            if job.status != RUN:
                return job
            if job.aborted is None:
                job = self.store.update(job.id, aborted=time.time())
            self._signal(job, signal.SIGINT)
            return job

    def _look_after(self) -> None:
        while not self._ending.wait(_PAUSE):
            try:
                self.turn()
            except Exception:  # a turn that fails, on a full disk say, must not be the last one
                _LOG.exception("the queue could not look after its jobs; it tries again")
                self._ending.wait(_REST)

    def _try(self, job: Job, act: Callable[[Job], bool]) -> bool:
        """What ``act`` answers; a job that it fails for ends with that error, and only that job."""
        try:
            return act(job)
        except (OSError, ValueError, LookupError, ProtonetError) as error:
            if self._alive_somehow(job):
                return True  # it runs: its end will be recorded at another turn
            why = f"the server could not look after it: {error}"
            self.store.update(job.id, status=ERROR, error=why, ended=time.time())
            return False

    def _alive_somehow(self, job: Job) -> bool:
        """Whether the job's process lives, where that can be found out."""
        try:
            return self._alive(job)
        except (OSError, ValueError, ProtonetError):
            return False

    def _attend(self, job: Job) -> bool:
        """Record how a job has ended, or remind it of the wish to stop; whether it lives."""
        if not self._alive(job):
            self._settle(job)
            return False
        if job.aborted is not None:
            late = time.time() - job.aborted > _GRACE
            if late or job.id in self._unheard:
                self._signal(job, signal.SIGKILL if late else signal.SIGINT)
        return True

    def _begin_if_ready(self, job: Job) -> bool:
        if not self._ready(job):
            return False
        if not job.task:
            self.store.update(job.id, status=ERROR, error=_OLD, ended=time.time())
            return False
        self._begin(job)
        return True

    def _ready(self, job: Job) -> bool:
        """Whether all that the job needs is there; it fails where that will never be."""
        for needed in map(self.store.get, job.needs):
            # A training that was stopped has snapshots to begin with; a data set must be whole.
            good = needed.status == DONE or (needed.kind == TRAINING and needed.status == ABORT)
            if good:
                continue
            if needed.status in ENDED:
                why = f"it needs '{needed.name}', which has not come to a good end"
                self.store.update(job.id, status=ERROR, error=why, ended=time.time())
            return False
        return True

    def _begin(self, job: Job) -> None:
        self.store.update(
            job.id, status=RUN, started=time.time(), ended=None, aborted=None, error=""
        )
        memory = self.workspace.limits.memory + _SPARE_ADDRESSES
        self._children[job.id] = launch(self.workspace.job(job.id), job.task, memory)

    def _alive(self, job: Job) -> bool:
        child = self._children.get(job.id)
        if child is not None:
            if child.poll() is None:
                return True
            del self._children[job.id]
        return is_alive(self.workspace.job(job.id))

    def _signal(self, job: Job, number: int) -> None:
        """Send a signal; a process that only begins is told at the next turn."""
        self._unheard.discard(job.id)
        if not send_signal(self.workspace.job(job.id), number):
            self._unheard.add(job.id)

    def _settle(self, job: Job) -> None:
        """Record how a process has ended."""
        folder = self.workspace.job(job.id)
        code = read_exit(folder)
        status, error = ERROR, last_complaint(folder)
        if code == 0:
            status, error = DONE, ""
        elif job.aborted is not None or code == INTERRUPTED:
            status, error = ABORT, ""
        elif not error:
            error = "the process was killed" if code is None else f"it ended with code {code}"
            error += "; it may have taken too much memory" if code is None else ""
        self.store.update(job.id, status=status, error=error, ended=time.time())


def _slot(job: Job) -> str:
    """What a job keeps to itself while it runs."""
    return DATASET if job.kind == DATASET else str(job.settings.get("device", "cpu"))
