"""Products of vectors and matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.objects import Tensor
from protonet.torch7.tensors.base import (
    a_tensor,
    describe,
    function,
    method,
    of_array,
    put,
    real,
    size_text,
)


def product(one: Tensor, two: Tensor) -> Any:
    """``one * two``: of matrices and vectors; a number of two vectors."""
    dims = (len(one.shape), len(two.shape))
    if dims not in ((1, 1), (2, 1), (2, 2)) or one.shape[-1] != two.shape[0]:
        raise LayerError(f"tensors of sizes {size_text(one.shape)} and {size_text(two.shape)}")
    made = one.array @ two.array
    return made.item() if dims == (1, 1) else of_array(made, one.kind)


def _mm(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    made: np.ndarray = one @ two
    return made


_PRODUCTS: dict[str, tuple[Callable[..., np.ndarray], tuple[int, int]]] = {
    "mm": (_mm, (2, 2)),
    "mv": (_mm, (2, 1)),
    "bmm": (_mm, (3, 3)),
    "ger": (np.outer, (1, 1)),
}
_ADDED = {"addmm": "mm", "addmv": "mv", "addbmm": "bmm", "baddbmm": "bmm", "addr": "ger"}

CHANGING = set(_ADDED)
"""Methods that change their tensor: as functions of ``torch`` they give a new one."""


def _computed(name: str, one: Any, two: Any) -> np.ndarray:
    compute, dims = _PRODUCTS[name]
    first, second = a_tensor(one), a_tensor(two)
    if (len(first.shape), len(second.shape)) != dims:
        raise LayerError(f"{describe(first)} and {describe(second)}")
    inner = second.shape[-2] if dims[1] > 1 else second.shape[0]
    batches = name != "bmm" or first.shape[0] == second.shape[0]
    if not batches or (name != "ger" and first.shape[-1] != inner):
        raise LayerError(f"{describe(first)} and {describe(second)}")
    return compute(first.array, second.array)


def _into(name: str) -> Callable[..., Tensor]:
    """``result:mm(a, b)``."""

    def multiply(tensor: Tensor, one: Any, two: Any) -> Tensor:
        return put(tensor, _computed(name, one, two))

    return multiply


def _fresh(name: str) -> Callable[..., Tensor]:
    """``torch.mm(a, b)`` and ``torch.mm(result, a, b)``."""

    def multiply(*tensors: Any) -> Tensor:
        if len(tensors) not in (2, 3):
            raise LayerError("takes two tensors, and before them the result")
        made = _computed(name, *tensors[-2:])
        first = a_tensor(tensors[0])
        return put(first, made) if len(tensors) == 3 else of_array(made, first.kind)

    return multiply


def _adding(name: str) -> Callable[..., Tensor]:
    """``t:addmm([v1,] [m,] [v2,] a, b)``: v1 m + v2 a b, where m is the tensor itself."""

    def add(tensor: Tensor, *arguments: Any) -> Tensor:
        if len(arguments) < 2:
            raise LayerError("takes two tensors")
        *rest, one, two = arguments
        base, factors = _terms(tensor, rest)
        made = _computed(_ADDED[name], one, two)
        if name == "addbmm":
            made = made.sum(0)
        if made.shape != base.shape:
            raise LayerError(f"{size_text(made.shape)} to {size_text(base.shape)}")
        return put(tensor, factors[0] * base.array + factors[1] * made)

    return add


def _terms(tensor: Tensor, rest: Sequence[Any]) -> tuple[Tensor, list[float]]:
    """The tensor that is added to, and the factors of it and of the product."""
    place = next((i for i, each in enumerate(rest) if isinstance(each, Tensor)), None)
    if place is None:
        before, after = rest[:-1], rest[-1:]
    else:
        before, after = rest[:place], rest[place + 1 :]
    base = tensor if place is None else rest[place]
    return base, [real(part[0]) if part else 1.0 for part in (before, after)]


for _name in _PRODUCTS:
    method(_name)(_into(_name))
    function(_name)(_fresh(_name))
for _name in _ADDED:
    method(_name)(_adding(_name))


@method("dot")
def _dot(tensor: Tensor, other: Any) -> Any:
    two = a_tensor(other)
    if tensor.count != two.count:
        raise LayerError(f"tensors of sizes {size_text(tensor.shape)} and {size_text(two.shape)}")
    return float((tensor.array.astype(np.float64).reshape(-1) * two.array.reshape(-1)).sum())
