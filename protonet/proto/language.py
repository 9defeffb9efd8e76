"""Whether a definition is prototxt or Lua, told by the text itself."""

from __future__ import annotations

import re

_BLANK = re.compile(
    r"\ufeff?(?:\s+|--\[(?P<level>=*)\[.*?\](?P=level)\]|--[^\n]*|#[^\n]*)*", re.DOTALL
)
"""Space and comments of either language."""
_PROTOTXT = re.compile(r"(?!return\b)[A-Za-z_]\w*\s*(?:[{<]|:(?!\s*[A-Za-z_]\w*\s*\())")
"""A field: ``name:`` or ``layer {``, but not a call such as ``net:add(``."""
_STATEMENT = (
    r"(?:local\s+(?:function\b|\w+\s*(?:,|=|;|$))|require\s*[('\"]|return\b(?!\s*:)|"
    r"function\s+[\w.:]+\s*\(|\w[\w.]*\s*=\s*nn\.)"
)
"""What a definition of Torch7 has somewhere."""
_LUA = re.compile(r"^[ \t]*" + _STATEMENT, re.MULTILINE)
_FIRST = re.compile(
    _STATEMENT + r"|for\s+\w+\s*(?:=|,|in\b)|(?:while|if|do|repeat)\b|[A-Za-z_][\w.:]*\s*\(",
    re.MULTILINE,
)
"""What a Lua text may begin with, and prototxt never does."""


def is_lua(text: str) -> bool:
    """Whether a text is Lua. Prototxt begins with a field, Lua with a statement."""
    return lua_position(text) is not None


def lua_position(text: str) -> int | None:
    """Where the first statement of a Lua text begins; None for other texts."""
    begin = _BLANK.match(text)
    start = 0 if begin is None else begin.end()
    if _PROTOTXT.match(text, start):
        return None
    found = _FIRST.match(text, start) or _LUA.search(text)
    return None if found is None else found.start()
