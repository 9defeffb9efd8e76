"""What is wrong with a definition, where in its text, and what would work."""

from __future__ import annotations

import re

from protonet.errors import Mistake, nearest
from protonet.torch7.lua.calls import Calls, known_modules
from protonet.torch7.lua.state import LuaMistakeError
from protonet.torch7.tensors import FUNCTIONS, METHODS

_NOT_THERE = re.compile(r"attempt to (?:call|index) (\w+) '(\w+)' \(a nil value\)")
_SYSTEM = {
    "coroutine", "debug", "dofile", "getfenv", "io", "load", "loadfile", "loadstring", "module",
    "os", "package", "setfenv",
}  # fmt: skip
_ADVICE = {
    "not enough memory": "a definition may use 1 GiB of Lua; large tables belong into tensors",
    "stack overflow": "a function calls itself without an end",
}
_WORD = re.compile(r"'([\w.]+)'|\b(?:nn|cudnn|torch)\.(\w+)|^(\w+)(?=: )")


def mistake_of(error: LuaMistakeError, text: str, calls: Calls, names: list[str]) -> Mistake:
    """The mistake, without the name of its file. ``names`` are the global ones of definitions."""
    lines = text.split("\n")
    excerpt = lines[error.line - 1].rstrip("\r") if 0 < error.line <= len(lines) else ""
    message = error.message + _nearest_of(error, excerpt, calls, names)
    column = _column(error.message, excerpt) if excerpt else 0
    hint = _ADVICE.get(error.message, "")
    return Mistake(message, "", error.line if excerpt else 0, column, excerpt, hint)


def _nearest_of(error: LuaMistakeError, line: str, calls: Calls, names: list[str]) -> str:
    """``: nn has no 'Liner'; did you mean 'Linear'?`` for what is not there."""
    found = _NOT_THERE.match(error.message)
    if found is None:
        return ""
    kind, name = found.groups()
    if kind == "global" and name in _SYSTEM:
        return ": definitions have no access to the system"
    if kind == "global":
        libraries = ["cudnn", "cunn", "cutorch", "nngraph", "paths", "image"]
        if name in libraries:
            return f": write require '{name}' before"
        return nearest(name, names)
    owner = re.search(rf"\b(\w+)\s*[.:]\s*{name}\b", line)
    if owner is not None and owner[1] in ("nn", "cudnn"):
        return f": protonet has no {owner[1]}.{name}{nearest(name, known_modules())}"
    if owner is not None and owner[1] == "torch":
        return f": protonet has no torch.{name}{nearest(name, FUNCTIONS)}"
    if error.missed is None or error.missed[1] != name:
        return ""
    of = error.missed[0]
    if of in ("tensor", "storage", "traced"):
        return f": a {of} has no '{name}'{nearest(name, METHODS)}"
    if of in ("nn", "cudnn"):
        return f": protonet has no {of}.{name}{nearest(name, known_modules())}"
    return f": {of} has no '{name}'{nearest(name, calls.methods_of(of))}" if "." in of else ""


def _column(message: str, line: str) -> int:
    """Where in the line a word of the message is; else its first letter."""
    near = re.search(r" near '(.+?)'", message)
    words = [near[1]] if near else ["".join(found) for found in _WORD.findall(message)]
    for word in words:
        places = [each.start() for each in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", line)]
        if places:
            return places[-1 if near else 0] + 1
    return len(line) - len(line.lstrip()) + 1
