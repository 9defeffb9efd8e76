"""Operations element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.objects import Tensor
from protonet.torch7.tensors.base import (
    METHODS,
    Torch,
    a_tensor,
    as_type,
    describe,
    empty,
    method,
    of_array,
    put,
    real,
    size_text,
)
from protonet.torch7.tensors.products import product

Array = np.ndarray


def _same_count(one: Tensor, two: Tensor) -> Array:
    """The elements of ``two`` in the shape of ``one``."""
    if one.count != two.count:
        raise LayerError(f"tensors of sizes {size_text(one.shape)} and {size_text(two.shape)}")
    return two.array.reshape(one.shape)


def _number(tensor: Tensor, value: Any) -> Any:
    """A number in the tensor's type, as Torch7 converts arguments."""
    return as_type(np.asarray(real(value)), np.dtype(tensor.array.dtype))


@method("fill")
def _fill(torch: Torch, tensor: Tensor, value: Any) -> Tensor:
    torch.random.write(tensor, "fill", real(value))
    return tensor


@method("zero")
def _zero(torch: Torch, tensor: Tensor) -> Tensor:
    torch.random.write(tensor, "fill", 0)
    return tensor


def _scaled(sign: float) -> Callable[..., Tensor]:
    """``add`` and ``csub``: (v), (x), (v, x), (x, v), (x, y) and (x, v, y)."""

    def add(torch: Torch, tensor: Tensor, *arguments: Any) -> Tensor:
        source, rest = tensor, list(arguments)
        if len(rest) > 1 and isinstance(rest[0], Tensor):
            source = rest.pop(0)
        other = rest.pop() if rest and isinstance(rest[-1], Tensor) else None
        if len(rest) > 1 or (other is None and not rest):
            raise LayerError("takes a number, a tensor, or a number and a tensor")
        if other is None:
            if source is tensor:
                torch.random.write(tensor, "add", sign * real(rest[0]))
                return tensor
            return put(tensor, source.array + _number(source, sign * real(rest[0])))
        factor = sign * (real(rest[0]) if rest else 1.0)
        addend = _same_count(source, other)
        if factor != 1:
            addend = addend * _number(source, factor)
        return put(tensor, source.array + addend)

    return add


method("add")(_scaled(1.0))
method("csub")(_scaled(-1.0))


def _by_number(kind: str) -> Callable[..., Tensor]:
    """``mul`` and ``div``: (v) and (x, v)."""

    def change(torch: Torch, tensor: Tensor, first: Any, second: Any = None) -> Tensor:
        if second is not None:
            put(tensor, a_tensor(first).array)
            first = second
        if isinstance(first, Tensor):
            raise LayerError(f"takes a number; of two tensors it is c{kind}")
        if kind == "div" and real(first) == 0 and tensor.array.dtype.kind != "f":
            raise LayerError("by zero")
        torch.random.write(tensor, kind, real(first))
        return tensor

    return change


method("mul")(_by_number("mul"))
method("div")(_by_number("div"))


def _binary(compute: Callable[[Array, Array], Array]) -> Callable[..., Tensor]:
    """``cmul`` and the like: (x) and (x, y); numbers too where ``x`` may be one."""

    def change(tensor: Tensor, first: Any, second: Any = None) -> Tensor:
        source, other = (tensor, first) if second is None else (a_tensor(first), second)
        values = _same_count(source, other) if isinstance(other, Tensor) else _number(source, other)
        with np.errstate(all="ignore"):
            return put(tensor, np.asarray(compute(source.array, values)))

    return change


_BINARY: dict[str, Callable[..., Any]] = {
    "cmul": np.multiply,
    "cdiv": lambda x, y: np.divide(x, y) if x.dtype.kind == "f" else as_type(x / y, x.dtype),
    "cpow": np.power,
    "pow": np.power,
    "cmax": np.maximum,
    "cmin": np.minimum,
    "fmod": np.fmod,
    "remainder": np.mod,
    "atan2": np.arctan2,
}
_UNARY: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "neg": np.negative,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cinv": lambda x: 1 / x,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
    "trunc": np.trunc,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
_COMPARED: dict[str, Callable[..., Any]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def _unary(compute: Callable[[Array], Array]) -> Callable[..., Tensor]:
    """``sqrt`` and the like: () and (x)."""

    def change(tensor: Tensor, source: Any = None) -> Tensor:
        of = tensor if source is None else a_tensor(source)
        with np.errstate(all="ignore"):
            return put(tensor, np.asarray(compute(of.array)))

    return change


def _compared(compute: Callable[..., Array]) -> Callable[..., Tensor]:
    def compare(tensor: Tensor, other: Any) -> Tensor:
        values = _same_count(tensor, other) if isinstance(other, Tensor) else real(other)
        kind = "Cuda" if tensor.kind.startswith("Cuda") else "Byte"
        return of_array(compute(a_tensor(tensor).array, values), kind)

    return compare


for _name, _compute in _BINARY.items():
    method(_name)(_binary(_compute))
for _name, _compute in _UNARY.items():
    method(_name)(_unary(_compute))
for _name, _compute in _COMPARED.items():
    method(_name)(_compared(_compute))


@method("clamp")
def _clamp(tensor: Tensor, *arguments: Any) -> Tensor:
    """(low, high) and (x, low, high)."""
    source = a_tensor(arguments[0]) if len(arguments) == 3 else tensor
    if len(arguments) not in (2, 3):
        raise LayerError("takes the smallest and the largest value")
    low, high = (_number(source, each) for each in arguments[-2:])
    return put(tensor, np.clip(source.array, low, high))


@method("apply")
def _apply(tensor: Tensor, change: Any) -> Tensor:
    """Call a function for each element; a number that it returns is the new one."""
    return _map(tensor, None, change)


@method("map")
def _map(tensor: Tensor, other: Any, change: Any) -> Tensor:
    """As ``apply``, with the elements of another tensor as second arguments."""
    if not callable(change):
        raise LayerError(f"expected a function, got {describe(change)}")
    array = tensor.array
    values = array.reshape(-1).tolist()
    others = (
        [()] * len(values)
        if other is None
        else [(each,) for each in _same_count(tensor, a_tensor(other)).reshape(-1).tolist()]
    )
    new = [change(*pair) for pair in zip(values, *zip(*others, strict=True), strict=True)]
    changed = [old if each is None else real(each) for old, each in zip(values, new, strict=True)]
    if changed != values:
        array[...] = as_type(np.asarray(changed, np.float64), array.dtype).reshape(array.shape)
    return tensor


CHANGING = {"add", "csub", "mul", "div", "clamp", *_BINARY, *_UNARY}
"""Methods that change their tensor: as functions of ``torch`` they give a new one."""

_SWAPPED = {"+": "add", "-": "csub", "*": "mul", "/": "div"}


def operate(torch: Torch, sign: str, one: Any, two: Any) -> Any:
    """The operators of Lua: ``+ - * /`` of tensors and numbers, and the unary ``-`` (two nil)."""
    if sign == "neg":
        return _fresh(torch, a_tensor(one), "neg")
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        if sign == "*":
            return product(one, two)
        return _fresh(torch, one, "cdiv" if sign == "/" else _SWAPPED[sign], two)
    if isinstance(one, Tensor):
        return _fresh(torch, one, _SWAPPED[sign], real(two, "the other side"))
    number, tensor = real(one, "the other side"), a_tensor(two)
    if sign in "+*":
        return _fresh(torch, tensor, _SWAPPED[sign], number)
    if sign == "/":
        return _fresh(torch, _fresh(torch, tensor, "cinv"), "mul", number)
    return _fresh(torch, _fresh(torch, tensor, "neg"), "add", number)


def _fresh(torch: Torch, tensor: Tensor, name: str, *arguments: Any) -> Tensor:
    """A method on a copy."""
    copy = empty(tensor.kind, tensor.shape)
    torch.random.copy(copy, tensor)
    made: Tensor = METHODS[name](torch, copy, *arguments)
    return made
