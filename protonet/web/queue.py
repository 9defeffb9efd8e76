"""The job scheduler: starts jobs in order and records how they end. All state is on disk."""

from __future__ import annotations

import logging
import signal
import sqlite3
import threading
import time
from collections.abc import Callable

from protonet.errors import ProtonetError
from protonet.train.interrupts import INTERRUPTED
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
"""Seconds to wait after a turn that failed."""
_GRACE = 30.0
"""Seconds from a request to stop until the process is killed."""
_OLD = (
    "the task was written by another version of protonet, and this one cannot "
    "read it; submit it again"
)
_MOST_GPUS = 100
"""As many as the names of devices have numbers."""
_SPARE_ADDRESSES = 8 * GIB
"""Address space for threads, libraries and mapped files, in addition to arrays."""


class Queue:
    """Runs one training per device and one creation of a data set at a time, in order.

    The processes have their own sessions: they continue when the server ends, and the next server
    finds them.
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
        """Run the scheduler on a thread until ``close``."""
        self._thread = threading.Thread(target=self._look_after, name="queue", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the scheduler; running jobs continue."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def turn(self) -> None:
        """Record ended jobs, stop jobs that should stop, start jobs that can start."""
        with self._lock:
            for job in self.store.all(status=[RUN]):
                self._try(job, self._attend)
            busy = set().union(*map(_slots, self.store.all(status=[RUN])))
            for job in sorted(self.store.all(status=[WAIT]), key=lambda each: each.place):
                if not _slots(job) & busy and self._try(job, self._begin_if_ready):
                    busy |= _slots(job)

    def abort(self, job: Job) -> Job:
        """Stop a job: a training takes a snapshot first. A waiting job leaves the queue."""
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
            except Exception:  # the scheduler must survive a failed turn, such as on a full disk
                _LOG.exception("the job scheduler failed; it tries again")
                self._ending.wait(_REST)

    def _try(self, job: Job, act: Callable[[Job], bool]) -> bool:
        """The result of ``act``; if it raises, the job ends with that error, and only that job."""
        try:
            return act(job)
        except (sqlite3.Error, MemoryError):
            raise  # no fault of this job: the next turn tries again
        except Exception as error:  # whatever it is, the other jobs go on
            if self._alive_somehow(job):
                return True  # it runs: its end will be recorded at a later turn
            if not isinstance(error, (OSError, ValueError, LookupError, ProtonetError)):
                _LOG.exception("a bug in protonet ended the job '%s'", job.name)
            why = f"the server could not manage it: {error or type(error).__name__}"
            self.store.update(job.id, status=ERROR, error=why, ended=time.time())
            return False

    def _alive_somehow(self, job: Job) -> bool:
        """Whether the job's process is alive; False if unknown."""
        try:
            return self._alive(job)
        except Exception:  # it is the error that is being handled, or another of this job's files
            return False

    def _attend(self, job: Job) -> bool:
        """Record how a job has ended, or signal it again to stop; return whether it is alive."""
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
        """Whether all jobs that it needs are ready; fail the job if they never will be."""
        for needed in map(self.store.get, job.needs):
            # A stopped training has snapshots for fine-tuning; a data set must be complete.
            good = needed.status == DONE or (needed.kind == TRAINING and needed.status == ABORT)
            if good:
                continue
            if needed.status in ENDED:
                why = f"it needs '{needed.name}', which did not succeed"
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
        """Send a signal; a process that is just starting gets it at the next turn."""
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
            error = "the process was killed" if code is None else f"it exited with code {code}"
            error += "; it may have taken too much memory" if code is None else ""
        self.store.update(job.id, status=status, error=error, ended=time.time())


def _slots(job: Job) -> set[str]:
    """The resources that a running job uses exclusively: its devices, or that of data sets."""
    if job.kind == DATASET:
        return {DATASET}
    kind, _, numbers = str(job.settings.get("device", "cpu")).partition(":")
    if numbers == "all":
        return {f"{kind}:{number}" for number in range(_MOST_GPUS)}
    return {f"{kind}:{number}" for number in numbers.split(",")}
