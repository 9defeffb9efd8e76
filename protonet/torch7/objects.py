"""The values of Torch7: storages, tensors, tables, and objects such as modules."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DTYPES: dict[str, np.dtype[Any]] = {
    "Float": np.dtype(np.float32),
    "Double": np.dtype(np.float64),
    "Half": np.dtype(np.float16),
    "Byte": np.dtype(np.uint8),
    "Char": np.dtype(np.int8),
    "Short": np.dtype(np.int16),
    "Int": np.dtype(np.int32),
    "Long": np.dtype(np.int64),
    "Cuda": np.dtype(np.float32),
    "CudaDouble": np.dtype(np.float64),
    "CudaHalf": np.dtype(np.float16),
    "CudaByte": np.dtype(np.uint8),
    "CudaChar": np.dtype(np.int8),
    "CudaShort": np.dtype(np.int16),
    "CudaInt": np.dtype(np.int32),
    "CudaLong": np.dtype(np.int64),
}
"""The element type of ``torch.<kind>Tensor`` and ``torch.<kind>Storage``."""


class Storage:
    """A vector in memory that tensors view. Its identity tells which tensors share.

    Args:
        kind: a key of ``DTYPES``.
        size: the number of elements.
        values: the elements; None for zeros, which are allocated when somebody reads them.
        settle: called before the elements are read for the first time: draws what is pending.
    """

    def __init__(
        self,
        kind: str,
        size: int,
        values: np.ndarray | None = None,
        settle: Callable[[], None] | None = None,
    ) -> None:
        self.kind = kind
        self.size = size
        self.settle = settle
        self._values = values

    def __str__(self) -> str:
        return f"a torch.{self.kind}Storage of {self.size}"

    @property
    def data(self) -> np.ndarray:
        """The elements: one axis, writable."""
        if self.settle is not None:
            self.settle()
        return self.allocated()

    @property
    def untouched(self) -> bool:
        """Whether the elements are still the zeros that were never read."""
        return self._values is None

    def allocated(self) -> np.ndarray:
        """The elements as they are now, without what is pending."""
        if self._values is None:
            self._values = np.zeros(self.size, DTYPES[self.kind])
        return self._values


@dataclass(eq=False)
class Tensor:
    """A view of a storage. ``offset`` counts from 0, ``strides`` are in elements.

    An empty tensor has no axes, and may have no storage.
    """

    kind: str
    storage: Storage | None = None
    offset: int = 0
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()

    def __str__(self) -> str:
        extents = "x".join(map(str, self.shape)) or "no elements"
        return f"a torch.{self.kind}Tensor of {extents}"

    @property
    def count(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64)) if self.shape else 0

    @property
    def array(self) -> np.ndarray:
        """The elements as a writable view of the storage."""
        if self.storage is None or not self.count:
            return np.zeros(self.shape or (0,), DTYPES[self.kind])
        data = self.storage.data[self.offset :]
        steps = tuple(stride * data.itemsize for stride in self.strides)
        view: np.ndarray = np.lib.stride_tricks.as_strided(data, self.shape, steps)
        return view

    @property
    def place(self) -> tuple[int, int, tuple[int, ...]]:
        """What two tensors have in common that share all their elements."""
        return id(self.storage), self.offset, self.shape

    @staticmethod
    def of(array: np.ndarray, kind: str = "Float") -> Tensor:
        """A tensor with a storage of its own, of the values of ``array``."""
        values = np.array(array, dtype=DTYPES[kind], order="C")
        storage = Storage(kind, values.size, values.reshape(-1))
        return Tensor(kind, storage, 0, values.shape, contiguous_strides(values.shape))


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of a contiguous tensor."""
    steps = [1]
    for extent in reversed(shape[1:]):
        steps.append(steps[-1] * extent)
    return tuple(reversed(steps)) if shape else ()


class Table(UserDict[Any, Any]):
    """A table of Lua. Whole numbers are keys of type int; ``sequence`` is its part 1..n.

    Its identity tells which fields share a table, and makes it a key of other tables.
    """

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return f"a table of {len(self)}"

    @property
    def sequence(self) -> list[Any]:
        """The values of the keys 1, 2, ... up to the first that is missing."""
        faster = getattr(self.data, "sequence", None)  # of a table that is in Lua
        return list(self._sequence()) if faster is None else faster()

    def _sequence(self) -> Iterator[Any]:
        index = 1
        while index in self:
            yield self[index]
            index += 1

    @staticmethod
    def of(values: Any) -> Table:
        """A table with these values at 1, 2, ..."""
        return Table(enumerate(values, start=1))


@dataclass(eq=False)
class TorchObject:
    """An object of a class of Torch7, such as a module: its fields as ``torch.save`` writes them.

    ``line`` is where a Lua text made it; 0 if that is unknown. ``place`` is where a file has it,
    such as "modules/3 (byte 1234)". ``version`` is that of the class,
    which its fields depend on; 0 for a file from before classes had versions.
    """

    typename: str
    fields: Table = field(default_factory=Table)
    line: int = 0
    version: int = 1
    place: str = ""

    def __str__(self) -> str:
        return f"an object of {self.typename}"

    @property
    def name(self) -> str:
        """The type without its package: ``Linear`` of ``nn.Linear``."""
        return self.typename.rpartition(".")[2]


@dataclass(eq=False)
class Function:
    """A function in a .t7 file, or assigned to a field by a definition. It is never run.

    ``code`` is its bytecode. ``form`` is its type number in a file: 8; 7 and 6 in old ones.
    """

    upvalues: Any = None
    code: bytes = b""
    form: int = 8

    def __str__(self) -> str:
        return "a function"
