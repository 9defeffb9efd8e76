"""How a process of a benchmark answers its requests, which ``processes.Process`` sends."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

Named = Callable[[Exception], str]


def serve(make: Callable[[], Any], named: Named | None = None) -> None:
    """Answer until standard input ends. What libraries print goes to standard error.

    Each line is a request as JSON, ``[name, arguments]``: a method of what ``make`` makes; each
    answer is a line of JSON.

    Args:
        make: the worker; called once standard output is safe.
        named: what to answer for an error, which ends the process otherwise.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = make()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = getattr(worker, name)(**arguments)
        except Exception as error:
            if named is None:
                raise
            traceback.print_exc()
            answer = {"error": f"{name}: {named(error)}"}
        answers.write(json.dumps(answer) + "\n")
