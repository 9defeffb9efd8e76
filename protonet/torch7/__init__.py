"""Networks of Torch7: Lua definitions, .t7 files, and their translation into nets.

``load``, ``load_criterion`` and ``read`` are for scripts that were written for Torch7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protonet.torch7.loading import load, load_criterion, read

__all__ = ["load", "load_criterion", "read"]


def __getattr__(name: str) -> Any:
    """Import the interface when it is first used: it needs all modules."""
    if name in __all__:
        from protonet.torch7 import loading

        return getattr(loading, name)
    raise AttributeError(f"module 'protonet.torch7' has no attribute '{name}'")
