"""Definitions of networks in Lua: run in a process of their own, without access to the system.

``running`` starts the process, ``child`` is its program, ``state`` the Lua in it with
``prelude.lua``, ``bridge`` and ``calls``; ``definition`` and ``form`` are what crosses.
"""

from __future__ import annotations

from protonet.torch7.lua.definition import Definition, Limits, Options, Params
from protonet.torch7.lua.running import fine_tune, run
from protonet.torch7.lua.tracing import Hook, HookStep

__all__ = ["Definition", "Hook", "HookStep", "Limits", "Options", "Params", "fine_tune", "run"]
