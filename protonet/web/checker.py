"""The process that checks untrusted networks: ``python -m protonet.web.checker MEMORY``.

It reads requests from standard input and writes responses to standard output, a JSON object per
line. It writes ``{"ready": true}`` once everything is imported and its limits are set. It exits
when its input ends, so with the server, and by SIGALRM when a check runs too long and the server
that would kill it is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from protonet.errors import Mistake, NetworkError, ProtonetError
from protonet.host import limit_memory
from protonet.jobs.json_form import from_json, to_json
from protonet.web.datasets import Databases
from protonet.web.datasets.augmented import AugmentForm, augmented_samples
from protonet.web.networks import CheckOptions, draw, inspect_network
from protonet.web.workspace import Limits, Workspace

Values = dict[str, Any]
"""A JSON object."""

_GRACE = 2.0
"""Seconds until SIGALRM after the time limit, at which the server should kill the process."""
_SAMPLE = 'layer { name: "a" typo: "Input" top: "a" }'


def main(arguments: list[str]) -> int:
    """Process requests until the input ends.

    Args:
        arguments: the memory limit of a check in bytes, in addition to the memory of the idle
        process; 0 for no limit.
    """
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries must not print into the responses
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
    options: CheckOptions,
    seconds: float,
) -> Values:
    """A request to the process; ``task`` is ``look``, ``draw``, or ``augment`` with a form."""
    return {
        "task": task,
        "text": text,
        "folder": str(workspace.folder),
        "allowed": [str(each) for each in workspace.allowed],
        "limits": to_json(workspace.limits),
        "databases": to_json(databases),
        "options": to_json(options),
        "seconds": seconds,
    }


def _prepare(memory: int) -> None:
    """Set the limits, after all imports and caches that the first checks need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server stops this process
    read = Workspace(Path("/nonexistent"))
    inspect_network(_SAMPLE, read)
    draw(_SAMPLE.replace("typo", "type"), read)
    if memory:
        limit_memory(memory)


def _answer(request: Values) -> Values:
    limits = from_json(Limits, request["limits"], "limits")
    allowed = tuple(map(Path, request["allowed"]))
    workspace = Workspace(Path(request["folder"]), allowed, limits)
    try:
        named = request["databases"]
        databases = None if named is None else from_json(Databases, named, "databases")
        if request["task"] == "augment" and databases is not None:
            form = AugmentForm.model_validate(request["form"])
            return {
                "augmented": [to_json(e) for e in augmented_samples(form, workspace, databases)]
            }
        if request["task"] == "draw":
            return {"drawn": draw(request["text"], workspace, databases).decode()}
        options = from_json(CheckOptions, request["options"], "options")
        report = inspect_network(request["text"], workspace, databases, options)
        return {"report": to_json(report)}
    except NetworkError as error:
        return {"mistakes": [to_json(each) for each in error.mistakes]}
    except ProtonetError as error:
        return {"mistakes": [to_json(Mistake(str(error)))]}
    except MemoryError:
        raise
    except Exception as error:  # a bug in the checks is reported, and must not end the process
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"[:500]}


def _say(out: Any, values: Values) -> None:
    out.write(json.dumps(values).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
