"""Hooks as array operations: a hook is called once with tensors that only record what is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from protonet.errors import LayerError
from protonet.torch7.objects import Storage, Table, Tensor
from protonet.torch7.tensors.base import describe, real, sizes_of, whole

INPUT, LABEL = 0, 1
"""The numbers of the hook's two arguments."""

_MOST = 1000
"""Operations of a hook: each becomes a layer."""

Result = int | tuple["Result", ...]


@dataclass(frozen=True)
class HookStep:
    """One operation: the values that it reads, by their numbers, and its constants.

    Dimensions and indices count from 1, and dimension 1 is that of the batch. The operations:
    ``select`` (dimension, index), ``narrow`` (dimension, index, size), ``view`` (sizes, one may be
    -1); ``eq``, ``ne``, ``lt``, ``le``, ``gt``, ``ge``, ``add``, ``sub``, ``mul``, ``div`` of two
    values or of one and a constant; ``pow`` (exponent), ``abs``, ``sqrt``, ``exp``, ``log``,
    ``clamp`` (low, high), ``fill`` (constant); ``where`` of a mask and a value: the constant where
    the mask is not 0.
    """

    operation: str
    inputs: tuple[int, ...]
    constants: tuple[float, ...] = ()


@dataclass(frozen=True)
class Hook:
    """A traced hook. Value 0 is the input and 1 the label; step ``i`` makes value ``i + 2``.

    ``result`` is the number of what it returns, or a tuple of them for a table.
    """

    steps: tuple[HookStep, ...]
    result: Result

    @property
    def is_label(self) -> bool:
        """Whether it returns the label as it is."""
        return self.result == LABEL


class Trace:
    """What a hook did so far."""

    def __init__(self) -> None:
        self.steps: list[HookStep] = []

    def step(self, operation: str, inputs: Sequence[int], *constants: float) -> int:
        """Record an operation; the number of its value."""
        if len(self.steps) == _MOST:
            raise LayerError(f"labelHook does more than {_MOST:,} operations")
        self.steps.append(HookStep(operation, tuple(inputs), tuple(constants)))
        return len(self.steps) + 1


class Traced:
    """A tensor that a hook computes with, without values.

    Args:
        base: the tensor that this one is a view of.
    """

    def __init__(self, trace: Trace, number: int, base: Traced | None = None) -> None:
        self.trace, self._number = trace, number
        self._base, self._views = base, [self]
        if base is not None:
            self._views = base._views
            self._views.append(self)
        self._stale = False

    @property
    def number(self) -> int:
        """The number of its present value.

        Raises:
            LayerError: when it changed through another view of it.
        """
        if self._stale:
            raise LayerError(
                "this hook changes a view of a tensor and uses the tensor again; use :clone()"
            )
        return self._number

    def change(self, number: int) -> Traced:
        """Give it another value; other views of the same elements are then unknown."""
        self._number = number
        for each in self._views:
            if each is not self:
                each._stale = True
        return self


_COMPARED = ("eq", "ne", "lt", "le", "gt", "ge")
_BINARY = {"add": "add", "csub": "sub", "mul": "mul", "cmul": "mul", "div": "div", "cdiv": "div"}
_SIGNS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
_UNARY = ("abs", "sqrt", "exp", "log")
_SAME = (
    "float", "double", "cuda", "long", "int", "byte", "half", "type", "typeAs", "contiguous",
    "clone",
)  # fmt: skip
TRACED = (*_COMPARED, *_BINARY, *_UNARY, *_SAME, "pow", "clamp", "select", "narrow", "view")
"""Functions of ``torch`` that a hook may call."""


def trace_function(name: str, *given: Any) -> Any:
    """A function of ``torch``: as the method on a copy.

    Raises:
        LayerError: as ``trace``.
    """
    if name not in (*_BINARY, *_UNARY, "pow", "clamp") or not isinstance(given[0], Traced):
        return trace(name, *given)
    return trace(name, Traced(given[0].trace, given[0].number), *given[1:])


def trace(name: str, *given: Any) -> Any:
    """An operation on tensors of which one is traced: its traced result.

    Raises:
        LayerError: for an operation that needs values or sizes.
    """
    found = next(each for each in given if isinstance(each, Traced))
    function = _OPERATIONS.get(name)
    if function is None:
        raise LayerError(
            f"labelHook cannot use {name}: the hook becomes part of the net, and has no values "
            "or sizes",
            hint=f"it may use {', '.join(sorted(n for n in TRACED if n not in _SAME))}",
        )
    return function(found.trace, *given)


def _operand(value: Any) -> tuple[list[int], list[float]]:
    """A value's number, or a constant."""
    if isinstance(value, Traced):
        return [value.number], []
    if isinstance(value, Tensor | Storage):
        raise LayerError("labelHook can compute with its arguments and numbers only")
    return [], [real(value)]


def _two(trace: Trace, operation: str, one: Any, two: Any) -> int:
    """An operation of two operands, of which the first may be a number."""
    if isinstance(one, Traced):
        inputs, constants = _operand(two)
        return trace.step(operation, [one.number, *inputs], *constants)
    number, value = real(one), two.number
    if operation == "sub":
        return trace.step("add", [trace.step("mul", [value], -1.0)], number)
    if operation == "div":
        return trace.step("mul", [trace.step("pow", [value], -1.0)], number)
    return trace.step(operation, [value], number)


def _sign(operation: str) -> Callable[..., Traced]:
    return lambda trace, one, two: Traced(trace, _two(trace, operation, one, two))


def _scaled(operation: str) -> Callable[..., Traced]:
    """``t:add(v)``, ``t:add(x)`` and ``t:add(v, x)``, which change ``t``."""

    def change(trace: Trace, tensor: Traced, first: Any, second: Any = None) -> Traced:
        if second is None:
            return tensor.change(_two(trace, operation, tensor, first))
        if isinstance(first, Traced):
            return tensor.change(_two(trace, operation, first, second))
        scaled = Traced(trace, _two(trace, "mul", second, real(first)))
        return tensor.change(_two(trace, operation, tensor, scaled))

    return change


def _unary(operation: str) -> Callable[..., Traced]:
    def change(trace: Trace, tensor: Traced, *constants: Any) -> Traced:
        numbers = [real(each) for each in constants]
        return tensor.change(trace.step(operation, [tensor.number], *numbers))

    return change


def _fill(trace: Trace, tensor: Traced, value: Any = 0) -> Traced:
    return tensor.change(trace.step("fill", [tensor.number], real(value)))


def _neg(trace: Trace, one: Traced, _: Any = None) -> Traced:
    return Traced(trace, trace.step("mul", [one.number], -1.0))


def _select(trace: Trace, tensor: Traced, dim: Any, index: Any) -> Traced:
    axis = _inside(dim)
    return Traced(trace, trace.step("select", [tensor.number], axis, whole(index, "index")), tensor)


def _narrow(trace: Trace, tensor: Traced, dim: Any, index: Any, size: Any) -> Traced:
    constants = [_inside(dim), whole(index, "index"), whole(size, "size")]
    return Traced(trace, trace.step("narrow", [tensor.number], *constants), tensor)


def _inside(dim: Any) -> int:
    axis = whole(dim, "dimension")
    if axis < 2:
        raise LayerError("labelHook cannot take single items of a batch; dimensions 2 and on")
    return axis


def _view(trace: Trace, tensor: Traced, *sizes: Any) -> Traced:
    return Traced(trace, trace.step("view", [tensor.number], *sizes_of(sizes)), tensor)


def _copy_of(trace: Trace, tensor: Traced, *_: Any) -> Traced:
    return Traced(trace, tensor.number)


def _index(trace: Trace, tensor: Traced, key: Any) -> Traced:
    """``t[{...}]``: the batch whole, and of other axes an index, a range or all."""
    if not isinstance(key, Table):
        raise LayerError("labelHook cannot take single items of a batch, as t[i] does")
    part, axis = tensor, 1
    for each in key.sequence:
        if not isinstance(each, Table):
            part = _select(trace, part, axis, each)
            continue
        bounds = [whole(bound, "index") for bound in each.sequence]
        if bounds:
            part = _narrow(trace, part, axis, bounds[0], bounds[-1] - bounds[0] + 1)
        axis += 1
    return part


def _assign(trace: Trace, tensor: Any, key: Any, value: Any) -> None:
    """``t[mask] = number``."""
    if not isinstance(tensor, Traced) or not isinstance(key, Traced):
        raise LayerError("labelHook can assign by masks only: label[torch.eq(label, 0)] = -1")
    if isinstance(value, Traced | Tensor):
        raise LayerError(f"labelHook can assign numbers to masks, not {_told(value)}")
    tensor.change(trace.step("where", [key.number, tensor.number], real(value)))


def _masked_fill(trace: Trace, tensor: Any, mask: Any, value: Any) -> Any:
    _assign(trace, tensor, mask, value)
    return tensor


def _told(value: Any) -> str:
    return "a tensor" if isinstance(value, Traced) else describe(value)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "assign": _assign,
    "fill": _fill,
    "index": _index,
    "maskedFill": _masked_fill,
    "narrow": _narrow,
    "neg": _neg,
    "select": _select,
    "view": _view,
    "zero": _fill,
    **{name: _sign(name) for name in _COMPARED},
    **{name: _scaled(operation) for name, operation in _BINARY.items()},
    **{sign: _sign(operation) for sign, operation in _SIGNS.items()},
    **{name: _unary(name) for name in (*_UNARY, "pow", "clamp")},
    **dict.fromkeys(_SAME, _copy_of),
}

METHODS = sorted({name for name in _OPERATIONS if name.isalpha()} - {"assign", "index"})
"""The methods of traced tensors; others are refused with the reason."""


def result_of(value: Any) -> Result:
    """What a hook returned.

    Raises:
        LayerError: for other things than its arguments and what it made of them.
    """
    if isinstance(value, Traced):
        return value.number
    if isinstance(value, Table) and value.sequence:
        return tuple(result_of(each) for each in value.sequence)
    raise LayerError(
        f"labelHook must return the label, or a tensor or table made of its arguments; "
        f"it returned {describe(value)}"
    )
