"""Run one task in a worker process: ``python -m protonet.jobs.tasks.worker FOLDER MEMORY``.

FOLDER has the task in ``task.json`` and is the working directory: paths of the task are relative to
it. The worker inherits ``lock``, locked, and writes its pid into it; it logs to standard output and
standard error, and writes its exit code to ``exit.json``. SIGINT stops a training with a snapshot.
MEMORY limits the address space in bytes; 0 for no limit. A training on several ranks is done by
processes that this one starts, each with a third argument, ``rank``; signals are passed on to them.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from protonet.errors import ProtonetError
from protonet.formats.atomic import write_atomic
from protonet.jobs.tasks.datasets import ConvertDetection
from protonet.jobs.tasks.failures import REPORTED, failure_of
from protonet.jobs.tasks.predictions import PredictImages
from protonet.jobs.tasks.progress_log import (
    PROGRESS,
    Stages,
    Watch,
    both,
    file_progress,
    log_progress,
)
from protonet.jobs.tasks.segmentation_datasets import ConvertSegmentation
from protonet.jobs.tasks.task import Task, read_task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork
from protonet.ranks.communicator import ALONE, Communicator
from protonet.train.interrupts import INTERRUPTED, Interrupts

TASK = "task.json"
LOCK = "lock"
EXIT = "exit.json"
_RANK = "rank"
_WORKER = "protonet.jobs.tasks.worker"
_NICE = 10
"""A job leaves the processor to the page that shows it, and otherwise has all of it."""


def main(arguments: list[str]) -> int:
    """Run the task of a folder; return the exit code."""
    folder, memory = Path(arguments[0]), int(arguments[1])
    if arguments[2:] == [_RANK]:
        return _as_rank(folder / TASK)
    (folder / LOCK).write_text(str(os.getpid()))
    os.nice(_NICE)
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    code = ProtonetError.exit_code  # of a mistake of ours, which leaves its traceback
    try:
        code = _told(folder / TASK)
    finally:
        write_atomic(folder / EXIT, json.dumps({"code": code}).encode())
    return code


def _told(path: Path) -> int:
    """Run the task of a file and report errors."""
    try:
        code = do(_task(path), path.parent)
        sys.stdout.flush()
    except REPORTED as error:
        return _report(error)
    return code


def _task(path: Path) -> Task:
    return read_task(path.read_text(encoding="utf-8"), str(path))


def _report(error: BaseException, where: str = "") -> int:
    """Report an error; return the exit code."""
    if not isinstance(error, REPORTED):
        traceback.print_exception(error)
        return ProtonetError.exit_code
    failure = failure_of(error)
    for message in failure.errors:
        print(f"error: {where}{message}", file=sys.stderr)
    for remark in failure.remarks:
        print(remark, file=sys.stderr)
    return failure.code


def do(task: Task, folder: Path) -> int:
    """Run a task and log its progress, also to a file in ``folder``; return the exit code."""
    if isinstance(task, TrainNetwork | ResumeRun):
        count = task.wanted_ranks()
        return _train(task) if count == 1 else _launch(count, folder)
    (folder / PROGRESS).unlink(missing_ok=True)
    watch = Stages("images", lambda what: _watch(folder, what))
    if isinstance(task, PredictImages):
        print(f"predicted: {task.predict(folder, watch).count} images")
        return 0
    parts: Mapping[str, int]
    told: Mapping[str, int]
    if isinstance(task, ConvertDetection | ConvertSegmentation):
        made = task.make(watch, watch.stage("images checked"))
        parts, told = made.parts, made.counts
    else:
        parts, told = task.make(watch), {}
    for part, count in parts.items():
        print(f"{part}: {count} images")
    for what, count in told.items():
        print(f"{what}: {count}")
    return 0


def _watch(folder: Path, what: str) -> Watch:
    return both(log_progress(what), file_progress(folder / PROGRESS, what))


def _launch(count: int, folder: Path) -> int:
    """Train on several ranks: the same task in a process for each."""
    from protonet.ranks.launch import launch

    sys.stdout.flush()
    ended = launch(count, ["-m", _WORKER, str(folder.resolve()), "0", _RANK])
    if ended.message:
        print(f"error: {ended.message}", file=sys.stderr)
    return ended.code


def _as_rank(path: Path) -> int:
    """Train as one of several ranks: rank 0 does the task, and the others take part."""
    from protonet.jobs.training.join import ending_together, take_part, watch
    from protonet.ranks.launch import leave_sign
    from protonet.ranks.mpi import communicator

    ranks = communicator()
    leave_sign(ranks.rank)
    watch(ranks, _report)
    if ranks.rank:
        return take_part(ranks, _report)
    with ending_together(ranks, _report):
        task = _task(path)
        assert isinstance(task, TrainNetwork | ResumeRun)
        code = _train(task, ranks)
        ranks.broadcast(None)  # the others are done
    return code


def _train(task: TrainNetwork | ResumeRun, ranks: Communicator = ALONE) -> int:
    from protonet.train.listeners import CaffeLog

    with Interrupts() as interrupts:
        outcome = task.train([CaffeLog(sys.stdout)], interrupts.watch, ranks)
    for remark in outcome.notes:
        print(f"note: {remark}")
    print(outcome.summary)
    return INTERRUPTED if outcome.result.interrupted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
