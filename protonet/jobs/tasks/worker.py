"""Run one task in a worker process: ``python -m protonet.jobs.tasks.worker FOLDER MEMORY``.

FOLDER has the task in ``task.json`` and is the working directory: paths of the task are relative to
it. The worker inherits ``lock``, locked, and writes its pid into it; it logs to standard output and
standard error, and writes its exit code to ``exit.json``. SIGINT stops a training with a snapshot.
MEMORY limits the address space in bytes; 0 for no limit.
"""

from __future__ import annotations

import json
import os
import resource
import sys
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
from protonet.train.interrupts import INTERRUPTED, Interrupts

TASK = "task.json"
LOCK = "lock"
EXIT = "exit.json"
_NICE = 10
"""A job leaves the processor to the page that shows it, and otherwise has all of it."""


def main(arguments: list[str]) -> int:
    """Run the task of a folder; return the exit code."""
    folder, memory = Path(arguments[0]), int(arguments[1])
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
        code = do(read_task(path.read_text(encoding="utf-8"), str(path)), path.parent)
        sys.stdout.flush()
    except REPORTED as error:
        failure = failure_of(error)
        for message in failure.errors:
            print(f"error: {message}", file=sys.stderr)
        for remark in failure.remarks:
            print(remark, file=sys.stderr)
        return failure.code
    return code


def do(task: Task, folder: Path) -> int:
    """Run a task and log its progress, also to a file in ``folder``; return the exit code."""
    if isinstance(task, TrainNetwork | ResumeRun):
        return _train(task)
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


def _train(task: TrainNetwork | ResumeRun) -> int:
    from protonet.train.listeners import CaffeLog

    with Interrupts() as interrupts:
        outcome = task.train([CaffeLog(sys.stdout)], interrupts.watch)
    for remark in outcome.notes:
        print(f"note: {remark}")
    print(outcome.summary)
    return INTERRUPTED if outcome.result.interrupted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
