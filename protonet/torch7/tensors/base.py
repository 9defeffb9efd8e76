"""The register of operations, and what all of them need."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.objects import DTYPES, Storage, Table, Tensor, contiguous_strides
from protonet.torch7.random import Generator

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Torch:
    """What operations share: random numbers, and the type of ``torch.Tensor``."""

    random: Generator = field(default_factory=Generator)
    kind: str = "Float"


@dataclass(frozen=True)
class Operation:
    """An operation; ``shares`` says whether it needs what all share, its parameter ``torch``."""

    run: Callable[..., Any]
    shares: bool

    def __call__(self, torch: Torch, *arguments: Any) -> Any:
        """Its result for a tensor and arguments, or the arguments of a function of ``torch``."""
        return self.run(torch, *arguments) if self.shares else self.run(*arguments)

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """The parameters without ``torch``."""
        return list(inspect.signature(self.run).parameters.values())[self.shares :]


METHODS: dict[str, Operation] = {}
"""``tensor:name(...)``: the first argument is the tensor."""

FUNCTIONS: dict[str, Operation] = {}
"""``torch.name(...)``."""

_MOST = 2**40
"""Elements of a tensor: more would be a mistake."""


def method(*names: str) -> Callable[[F], F]:
    """Decorator: ``tensor:name(...)``."""
    return _entering(names, METHODS)


def function(*names: str) -> Callable[[F], F]:
    """Decorator: ``torch.name(...)``."""
    return _entering(names, FUNCTIONS)


def _entering(names: Sequence[str], register: dict[str, Operation]) -> Callable[[F], F]:
    def enter(made: F) -> F:
        shares = "torch" in inspect.signature(made).parameters
        for name in names:
            assert name not in register, name
            register[name] = Operation(made, shares)
        return made

    return enter


def call(torch: Torch, name: str, operation: Operation, *arguments: Any) -> Any:
    """Call an operation of the register; nil arguments at the end are as if they were absent.

    Raises:
        LayerError: for wrong arguments.
    """
    given = list(arguments)
    while given and given[-1] is None:
        given.pop()
    try:
        inspect.Signature(operation.parameters).bind(*given)
    except TypeError:
        takes = ", ".join(each.name for each in operation.parameters)
        raise LayerError(f"{name} takes ({takes}), got {len(given)} arguments") from None
    try:
        return operation(torch, *given)
    except LayerError as error:
        raise LayerError(f"{name}: {error}", hint=error.hint) from None


def empty(kind: str, shape: Sequence[int]) -> Tensor:
    """A new tensor of zeros, whose memory is allocated when somebody reads it."""
    count = 1 if shape else 0
    for extent in shape:
        if extent < 0:
            raise LayerError(f"a tensor cannot have the size {size_text(shape)}")
        count *= extent
    if count > _MOST:
        raise LayerError(f"a tensor of {size_text(shape)} is too large")
    if 0 in shape:
        shape = ()
    return Tensor(kind, Storage(kind, count), 0, tuple(shape), contiguous_strides(tuple(shape)))


def of_array(array: np.ndarray, kind: str) -> Tensor:
    """A new tensor with these values, which it may share."""
    values = np.ascontiguousarray(array, DTYPES[kind])
    made = Tensor(kind, Storage(kind, values.size, values.reshape(-1)))
    put_view(made, made.storage, 0, array.shape if array.size else ())
    return made


def put_view(
    tensor: Tensor,
    storage: Storage | None,
    offset: int,
    shape: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Tensor:
    """Make a tensor view another part of a storage."""
    tensor.storage, tensor.offset, tensor.shape = storage, offset, tuple(shape)
    tensor.strides = contiguous_strides(tensor.shape) if strides is None else tuple(strides)
    return tensor


def viewing(
    tensor: Tensor, offset: int, shape: Sequence[int], strides: Sequence[int] | None = None
) -> Tensor:
    """A new tensor on the storage of another."""
    return put_view(Tensor(tensor.kind), tensor.storage, offset, shape, strides)


def put(tensor: Tensor, array: np.ndarray) -> Tensor:
    """Resize a tensor to the shape of an array, and copy its values."""
    if tensor.shape != array.shape:
        fresh = empty(tensor.kind, array.shape)
        put_view(tensor, fresh.storage, 0, fresh.shape)
    if array.size:
        tensor.array[...] = as_type(array, tensor.array.dtype)
    return tensor


def as_type(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Converted as C does: reals lose what is behind the point, large ones wrap around."""
    if array.dtype.kind == "f" and dtype.kind in "iu" and dtype.itemsize < 8:
        array = array.astype(np.int64)
    return array.astype(dtype, copy=False)


def is_contiguous(tensor: Tensor) -> bool:
    """Whether the elements are next to each other in order; axes of 1 do not matter."""
    wanted = contiguous_strides(tensor.shape)
    return all(
        extent == 1 or stride == want
        for extent, stride, want in zip(tensor.shape, tensor.strides, wanted, strict=True)
    )


def axis_of(tensor: Tensor, dim: Any, what: str = "dimension") -> int:
    """An axis from 0, of one that counts from 1."""
    axis = whole(dim, what)
    if not 1 <= axis <= len(tensor.shape):
        raise LayerError(f"{what} {axis} of a tensor of size {size_text(tensor.shape)}")
    return axis - 1


def whole(number: Any, what: str) -> int:
    """A whole number."""
    if isinstance(number, bool) or not isinstance(number, int | float) or number != number // 1:
        raise LayerError(f"{what} must be a whole number, got {describe(number)}")
    return int(number)


def real(number: Any, what: str = "value") -> float:
    """A number."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise LayerError(f"{what} must be a number, got {describe(number)}")
    return float(number)


def a_tensor(value: Any, what: str = "argument") -> Tensor:
    """A tensor."""
    if not isinstance(value, Tensor):
        raise LayerError(f"{what} must be a tensor, got {describe(value)}")
    return value


def sizes_of(arguments: Sequence[Any]) -> list[int]:
    """The sizes in numbers, a LongStorage, or a table."""
    if len(arguments) == 1 and isinstance(arguments[0], Storage):
        return [int(size) for size in arguments[0].data]
    if len(arguments) == 1 and isinstance(arguments[0], Tensor) and arguments[0].kind == "Long":
        return [int(size) for size in arguments[0].array.reshape(-1)]
    if len(arguments) == 1 and isinstance(arguments[0], Table):
        arguments = arguments[0].sequence
    return [whole(size, "a size") for size in arguments]


def size_text(shape: Sequence[int]) -> str:
    """``2x3x4``; ``nothing`` for an empty tensor."""
    return "x".join(map(str, shape)) if shape else "nothing"


def element(value: Any) -> Any:
    """A number of Lua."""
    return value.item() if isinstance(value, np.generic) else value


def describe(value: Any) -> str:
    """What a value is, for messages."""
    if value is None:
        return "nil"
    if isinstance(value, Tensor):
        return f"a tensor of size {size_text(value.shape)}"
    if isinstance(value, Storage):
        return f"a {value.kind}Storage of {value.size}"
    if isinstance(value, Table):
        return "a table"
    if isinstance(value, str):
        return f"'{value[:40]}'"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return "a function" if callable(value) else f"a {getattr(value, 'typename', 'value')}"
