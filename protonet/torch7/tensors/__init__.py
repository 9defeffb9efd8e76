"""The operations of torch tensors that definitions use.

``base`` has their register, and what all need; ``creation``, ``draws``, ``views``, ``indexing``,
``gathering``, ``arithmetic``, ``products`` and ``reductions`` have the operations. Axes, indices
and classes count from 1, as in Lua.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protonet.errors import LayerError
from protonet.torch7.objects import Tensor
from protonet.torch7.tensors import (
    arithmetic,
    creation,
    draws,
    gathering,
    indexing,
    products,
    reductions,
    views,
)
from protonet.torch7.tensors.base import FUNCTIONS, METHODS, Torch, call, describe, function

__all__ = [
    "FUNCTIONS",
    "METHODS",
    "Torch",
    "arithmetic",
    "call",
    "creation",
    "draws",
    "gathering",
    "indexing",
    "products",
    "reductions",
    "views",
]


_CHANGING = arithmetic.CHANGING | products.CHANGING


def _as_function(name: str) -> Callable[..., Any]:
    """``torch.name(x, ...)``: a method of ``x``, or of a copy if it changes its tensor."""

    def run(torch: Torch, *arguments: Any) -> Any:
        if not arguments or not isinstance(arguments[0], Tensor):
            told = describe(arguments[0]) if arguments else "nothing"
            raise LayerError(f"the first argument must be a tensor, got {told}")
        first, *rest = arguments
        tensor = creation.clone(torch, first) if name in _CHANGING else first
        return METHODS[name](torch, tensor, *rest)

    return run


for _name in METHODS:
    if _name not in FUNCTIONS and _name not in ("new", "set", "resize", "resizeAs"):
        function(_name)(_as_function(_name))
