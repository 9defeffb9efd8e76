"""The process of one definition: ``python -m protonet.torch7.lua.child``.

It reads a line of JSON and bytes from standard input, and writes the same to standard output. It
runs the text of a user: in a state of Lua without access to the system, with limits of memory
and time; SIGALRM ends it in any case, also when the process that waits for it is gone.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from protonet.errors import LayerError, Mistake
from protonet.host import limit_memory
from protonet.torch7.lua import results
from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.lua.form import Packer, Unpacker, receive, send
from protonet.torch7.lua.mistakes import mistake_of
from protonet.torch7.lua.state import LuaMistakeError, MissingLuaError, State

Json = dict[str, Any]

_GRACE = 1.0
"""Seconds until SIGALRM after the time limit, at which a loop of Lua ends with its line."""


def main() -> int:
    """Answer one request."""
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries must not print into the answer
    request, arrays = receive(sys.stdin.buffer)
    limits = Limits(**request["limits"])
    signal.setitimer(signal.ITIMER_REAL, limits.seconds + _GRACE)
    limit_memory(limits.memory + limits.tensors)
    try:
        send(told, *answer(request, arrays, limits))
    except MemoryError:
        send(told, {"mistake": {"message": "not enough memory"}}, [])
    except LayerError as error:
        send(told, {"mistake": {"message": str(error)}}, [])
    return 0


def answer(request: Json, arrays: list[Any], limits: Limits) -> tuple[Json, list[Any]]:
    """Run the definition; the answer's JSON and arrays."""
    given = dict(request["params"])
    shape = given.pop("input_shape")
    params = Params(input_shape=None if shape is None else tuple(shape), **given)
    try:
        state = State(params, limits)
    except MissingLuaError:
        return {"missing": "lupa"}, []
    try:
        return _run(state, request, arrays)
    except LuaMistakeError as error:
        found = mistake_of(error, request["text"], state.calls, state.names())
    except LayerError as error:
        found = Mistake(str(error))
    told = {"message": found.message, "line": found.line, "column": found.column}
    return {"mistake": {**told, "hint": found.hint}, "log": state.calls.log}, []


def _run(state: State, request: Json, arrays: list[Any]) -> tuple[Json, list[Any]]:
    table = results.returned(state, state.run(request["text"]))
    packer = Packer()
    if request["model"] is not None:
        unpacker = Unpacker(request["model"]["form"], arrays)
        model = results.tuned(state, table, unpacker.value(request["model"]["root"]))
        found: Json = {"model": packer.reference(model)}
    else:
        hook = results.hook_of(state, table, "labelHook")
        found = {
            "model": packer.reference(table.get("model")),
            "loss": packer.reference(results.loss_of(state, table)),
            "options": results.options_of(state, table),
            "label_hook": hook and results.hook_to_json(results.traced(state, hook)),
            "fine_tunes": results.hook_of(state, table, "fineTuneHook") is not None,
        }
    form, packed = packer.packed(state.calls.torch.random)
    return {"found": found, "form": form, "log": state.calls.log}, packed


if __name__ == "__main__":
    sys.exit(main())
