"""The process that looks at strangers' texts: ``python -m protonet.web.checker MEMORY``.

It reads a request a line from its input and writes an answer a line to its output, both as JSON.
It says ``{"ready": true}`` once everything is imported and its limits hold. It ends when its input
does, so with the server, and by an alarm of the system when a check overstays though nobody who
could end it is left.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from protonet.errors import Mistake, NetworkError, ProtonetError
from protonet.graph.summary import Row
from protonet.web.datasets import Databases
from protonet.web.networks import Looked, draw, look_at
from protonet.web.workspace import Limits, Workspace

Values = dict[str, Any]
"""What JSON has."""

_GRACE = 2.0
"""Seconds after which the alarm rings where the server should have ended the process."""
_SAMPLE = 'layer { name: "a" typo: "Input" top: "a" }'


def main(arguments: list[str]) -> int:
    """Answer until the input ends.

    Args:
        arguments: the most bytes that a check may take beside what the process has already, 0
            for any.
    """
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _prepare(int(arguments[0]))
    _say(told, {"ready": True})
    for line in sys.stdin.buffer:
        try:
            request = json.loads(line)
            signal.setitimer(signal.ITIMER_REAL, request["seconds"] + _GRACE)
            answer = _answer(request)
        except MemoryError:
            answer = {"short": "memory"}
        signal.setitimer(signal.ITIMER_REAL, 0)
        _say(told, answer)
    return 0


def request_of(
    task: str,
    text: str,
    workspace: Workspace,
    databases: Databases | None,
    batch_size: int | None,
    seconds: float,
) -> Values:
    """What the process is asked; ``task`` is ``look`` or ``draw``."""
    return {
        "task": task,
        "text": text,
        "folder": str(workspace.folder),
        "allowed": [str(each) for each in workspace.allowed],
        "limits": asdict(workspace.limits),
        "databases": None if databases is None else _named(databases),
        "batch_size": batch_size,
        "seconds": seconds,
    }


def looked_of(values: Values) -> Looked:
    """The other end of ``values_of``."""
    return Looked(
        mistakes=tuple(Mistake(**each) for each in values["mistakes"]),
        rows=tuple(
            Row(row["name"], row["type"], _blobs(row["bottoms"]), _blobs(row["tops"]),
                row["parameters"])
            for row in values["rows"]
        ),
        deployed=frozenset(values["deployed"]),
        ignored=tuple(values["ignored"]),
        **{key: values[key]
           for key in ("name", "parameters", "training_bytes", "inference_bytes", "images",
                       "batch_size")},
    )  # fmt: skip


def values_of(looked: Looked) -> Values:
    """What a look found, as JSON has it."""
    return {**asdict(looked), "deployed": sorted(looked.deployed)}


def _prepare(memory: int) -> None:
    """Take the limits, after everything that the first checks would import or build is there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends this process
    read = Workspace(Path("/nonexistent"))
    look_at(_SAMPLE, read)
    draw(_SAMPLE.replace("typo", "type"), read)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        # Databases are mapped whole, so it is the process's own memory that is bounded here
        # (RLIMIT_DATA), not the addresses of all that it maps (RLIMIT_AS).
        most = memory + _own_bytes()
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _own_bytes() -> int:
    """Private memory of this process, as RLIMIT_DATA counts it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


def _answer(request: Values) -> Values:
    limits = Limits(**request["limits"])
    allowed = tuple(map(Path, request["allowed"]))
    workspace = Workspace(Path(request["folder"]), allowed, limits)
    try:
        if request["task"] == "draw":
            return {"drawn": draw(request["text"], workspace).decode()}
        named = request["databases"]
        databases = None if named is None else Databases.of_names(named)
        looked = look_at(request["text"], workspace, databases, batch_size=request["batch_size"])
        return {"looked": values_of(looked)}
    except NetworkError as error:
        return {"mistakes": [asdict(each) for each in error.mistakes]}
    except ProtonetError as error:
        return {"mistakes": [asdict(Mistake(str(error)))]}
    except MemoryError:
        raise
    except Exception as error:  # a fault of the checks, which is told of and no end of the server
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"[:500]}


def _say(out: Any, values: Values) -> None:
    out.write(json.dumps(values).encode() + b"\n")
    out.flush()


def _named(databases: Databases) -> Values:
    return {key: None if path is None else str(path) for key, path in vars(databases).items()}


def _blobs(values: list[Any]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(shape)) for name, shape in values)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
