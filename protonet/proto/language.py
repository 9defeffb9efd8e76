"""Whether a definition is prototxt or Lua, told by the text itself."""

from __future__ import annotations

import re

_BLANK = re.compile(r"(?:\s+|--\[\[.*?\]\]|--[^\n]*|#[^\n]*)*", re.DOTALL)
"""Space and comments of either language."""
_PROTOTXT = re.compile(r"(?!return\b)[A-Za-z_]\w*\s*(?:[{<]|:(?!\s*[A-Za-z_]\w*\s*\())")
"""A field: ``name:`` or ``layer {``, but not a call such as ``net:add(``."""
_LUA = re.compile(
    r"^[ \t]*(?:local\s+(?:function\b|\w+\s*(?:,|=|$))|require\s*[('\"]|return\s+(?:function\b|\{|"
    r"nn\.)|function\s+[\w.:]+\s*\()",
    re.MULTILINE,
)
"""A statement that a definition of Torch7 has somewhere."""


def is_lua(text: str) -> bool:
    """Whether a text is Lua. Prototxt begins with a field, Lua with a statement."""
    return lua_position(text) is not None


def lua_position(text: str) -> int | None:
    """Where the first statement of a Lua text begins; None for other texts."""
    begin = _BLANK.match(text)
    if begin is not None and _PROTOTXT.match(text, begin.end()):
        return None
    found = _LUA.search(text)
    return None if found is None else found.start()
