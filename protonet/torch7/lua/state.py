"""A state of Lua 5.1 that runs one definition, without access to the system."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from protonet.torch7.lua import tracing
from protonet.torch7.lua.bridge import Bridge, LuaFunction, bytes_of, text_of
from protonet.torch7.lua.calls import MAKERS, Calls
from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.objects import Table, Tensor
from protonet.torch7.tensors import FUNCTIONS, METHODS
from protonet.torch7.tensors.base import describe

_STORAGE_METHODS = ["size", "fill", "copy", "totable", "apply"]
_TORCH = [
    "type", "typename", "isTensor", "isStorage", "isTypeOf", "setdefaulttensortype",
    "getdefaulttensortype",
]  # fmt: skip
"""Functions of ``torch`` that ``Calls`` has."""

_LONGEST = 2000
"""Characters of a message."""

CHUNK = "definition"
"""The name of the text in Lua's messages."""


class MissingLuaError(Exception):
    """The package lupa is not installed."""


@dataclass(eq=False)
class LuaMistakeError(Exception):
    """An error of a definition: what Lua says, and its line; 0 if that is unknown.

    ``missed`` is the type and the name of the field that Lua looked up last in vain.
    """

    message: str
    line: int = 0
    missed: tuple[str, str] | None = None


class State:
    """Lua with the environment of definitions.

    Args:
        params: the argument of the definition's function.
        limits: of time and memory.
    """

    def __init__(self, params: Params, limits: Limits) -> None:
        try:
            from lupa import lua51
        except ImportError as error:
            raise MissingLuaError from error
        self._memory_error, self._lua_error = lua51.LuaMemoryError, lua51.LuaError
        runtime = lua51.LuaRuntime(
            encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_refuse,
            max_memory=limits.memory,
        )
        self.params = params
        self._lines: list[str] = []
        self._fallback = 0
        self.calls = Calls(params.seed)
        load = runtime.eval("function(text) return loadstring(text, '=prelude') end")
        prelude = load((Path(__file__).parent / "prelude.lua").read_text(encoding="ascii"))
        self._table = prelude(self.calls, _table_of(runtime, _settings(params, limits)))
        self._lua = SimpleNamespace(**dict(self._table.items()))
        self.bridge = self.calls.bridge = Bridge(self._lua)
        self.calls.fallback = lambda: self._fallback

    def run(self, text: str) -> Any:
        """What a text returns; if that is a function, what it returns for the params.

        Raises:
            LuaMistakeError: for what is wrong with it.
        """
        if text.startswith("\x1b"):
            raise LuaMistakeError("this is compiled Lua; expected its text")
        loaded = self._lua.load(bytes_of(text.removeprefix("\ufeff")))
        if not loaded[0]:
            raise self.mistake(loaded[1])
        self._lines = text.split("\n")
        self._fallback = self._last_return(1, len(self._lines))
        found = self._called(loaded[1])
        if isinstance(found, LuaFunction):
            self._fallback = self.first_line(found)
            found = self._called(found.reference, self.bridge.to_lua(self._argument()))
        return found

    def first_line(self, function: LuaFunction) -> int:
        """The line of a function that errors without a line may be in: of its last ``return``."""
        first, last = self._lua.lines_of(function.reference)
        return self._last_return(int(first), int(last))

    def begin_of(self, function: LuaFunction) -> int:
        """The line where a function begins."""
        return int(self._lua.lines_of(function.reference)[0])

    def _last_return(self, first: int, last: int) -> int:
        """The last line of a range with ``return``. A call there leaves no trace of its line."""
        for line in range(min(last, len(self._lines)), first, -1):
            if re.match(r"\s*return\b|.*\breturn\b.*\bend\s*$", self._lines[line - 1]):
                return line
        return first

    def names(self) -> list[str]:
        """The global names that definitions have."""
        return [str(name) for name in self._lua.globals().values()]

    def call(self, function: Any, *arguments: Any) -> Any:
        """Call a function that the definition returned, such as a hook."""
        return self._called(function.reference, *map(self.bridge.to_lua, arguments))

    def _called(self, function: Any, *arguments: Any) -> Any:
        try:
            found = self._lua.run(function, *arguments)
        except self._memory_error:
            raise self.mistake("not enough memory") from None
        except self._lua_error as error:
            raise self.mistake(str(error)) from None
        ok, *results = found if isinstance(found, tuple) else (found,)
        if not ok:
            raise self.mistake(results[0] if results else None)
        return self.bridge.to_python(results[0]) if results else None

    def _argument(self) -> Table:
        params = Table({"ngpus": self.params.gpus})
        if self.params.classes is not None:
            params["nclasses"] = self.params.classes
        if self.params.input_shape is not None:
            shape: Any = list(self.params.input_shape)
            params["inputShape"] = Tensor.of(shape, "Long")
        return params

    def mistake(self, told: Any) -> LuaMistakeError:
        """An error of Lua, whose message begins with the line."""
        if not isinstance(told, str):
            line = int(self._table["error_line"] or 0)
            what = describe(self.bridge.to_python(told))
            return LuaMistakeError(f"error with {what} instead of a message", line)
        found = re.match(rf"{CHUNK}:(\d+): (.*)", text_of(told), re.DOTALL)
        line, message = (int(found[1]), found[2]) if found else (0, text_of(told))
        kind, name = self._table["missed_kind"], self._table["missed"]
        missed = (str(kind), str(name)) if name else None
        message = message.partition("\nstack traceback:")[0]
        message = " ".join(message[:_LONGEST].split("\n"))
        return LuaMistakeError(
            message, line or int(self._lua.last_line()) or self._fallback, missed
        )


def _refuse(_: Any, name: Any, setting: bool) -> None:
    """No attribute of any Python object can be reached from Lua."""
    raise AttributeError(f"no access to {name}" if not setting else f"cannot set {name}")


def _settings(params: Params, limits: Limits) -> dict[str, Any]:
    return {
        "chunk": CHUNK,
        "clock": time.monotonic,
        "seconds": limits.seconds,
        "memory": limits.memory,
        "ngpus": params.gpus,
        "functions": sorted([*FUNCTIONS, *_TORCH]),
        "makers": MAKERS,
        "methods": {
            "tensor": sorted(METHODS),
            "storage": _STORAGE_METHODS,
            "traced": sorted({*METHODS, *tracing.METHODS}),
        },
    }


def _table_of(runtime: Any, value: Any) -> Any:
    """Settings as tables of Lua."""
    if isinstance(value, dict):
        return runtime.table_from({k: _table_of(runtime, each) for k, each in value.items()})
    if isinstance(value, list):
        return runtime.table_from([_table_of(runtime, each) for each in value])
    return value
