"""Values of Torch7 between processes: a JSON object and arrays.

Unlike a .t7 file it keeps the lines of modules, and what was not computed: zeros that nobody read
cross as their size, and pending random numbers as their queue, so that the other process draws
them when somebody reads. So the net of a large definition crosses in a few kilobytes.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np

from protonet.errors import LayerError
from protonet.formats.json_text import parse_json
from protonet.torch7.objects import Function, Storage, Table, Tensor, TorchObject
from protonet.torch7.random import Generator, Numbers, Pending

Json = dict[str, Any]

_MOST = 64 * 2**20
"""Characters of a message's JSON; a definition's own tables and texts are part of it."""


class Packer:
    """Numbers values, each of them once.

    Args:
        settled: draw what is pending, instead of sending the queue.
    """

    def __init__(self, *, settled: bool = False) -> None:
        self._settled = settled
        self.nodes: list[Any] = []
        self.arrays: list[np.ndarray] = []
        self._indices: dict[int, int] = {}
        self._kept: list[Any] = []

    def reference(self, value: Any) -> Any:
        """A value in JSON; larger ones are ``[number]``."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if id(value) not in self._indices:
            self._indices[id(value)] = len(self._kept)
            self._kept.append(value)
        return [self._indices[id(value)]]

    def _node(self, value: Any) -> list[Any]:
        if isinstance(value, TorchObject):
            return ["object", value.typename, value.line, value.version, self._pairs(value.fields)]
        if isinstance(value, Table):
            return ["table", self._pairs(value)]
        if isinstance(value, Tensor):
            storage = self.reference(value.storage)
            return ["tensor", value.kind, storage, value.offset, value.shape, value.strides]
        if isinstance(value, Storage):
            return ["storage", value.kind, value.size, self._array(value)]
        return ["function"]

    def _pairs(self, table: Table) -> list[list[Any]]:
        return [[self.reference(key), self.reference(each)] for key, each in table.items()]

    def _array(self, storage: Storage) -> int | None:
        if self._settled and storage.settle is not None:
            storage.settle()
        if storage.untouched or not storage.size:
            return None
        self.arrays.append(storage.allocated())
        return len(self.arrays) - 1

    def packed(self, generator: Generator) -> tuple[Json, list[np.ndarray]]:
        """All values that were referred to, with what is pending.

        Each value refers to others, which are appended: depth is no danger.
        """
        pending = [
            [self.reference(each.tensor), each.kind, each.a, each.b, self.reference(each.source)]
            for each in generator.pending
        ]
        self.nodes.extend(self._node(value) for value in self._kept)
        numbers = generator.numbers
        stream = [numbers.seed, numbers.drawn, numbers.spare]
        return {"nodes": self.nodes, "pending": pending, "numbers": stream}, self.arrays


class Unpacker:
    """Makes the values of a ``Packer`` again, and the generator of their pending numbers."""

    def __init__(self, form: Json, arrays: list[np.ndarray]) -> None:
        self._nodes, self._arrays = form["nodes"], arrays
        self._made: list[Any] = [_EMPTY[node[0]](node) for node in self._nodes]
        for made, node in zip(self._made, self._nodes, strict=True):
            self._fill(made, node)
        self.generator = self._generator(form)

    def value(self, reference: Any) -> Any:
        """The value of a reference."""
        return self._made[reference[0]] if isinstance(reference, list) else reference

    def _fill(self, made: Any, node: list[Any]) -> None:
        if isinstance(made, TorchObject | Table):
            table = made.fields if isinstance(made, TorchObject) else made
            for key, value in node[-1]:
                table[self.value(key)] = self.value(value)
        elif isinstance(made, Tensor):
            made.storage = self.value(node[2])
        elif isinstance(made, Storage) and node[3] is not None:
            made.allocated()[:] = self._arrays[node[3]]

    def _generator(self, form: Json) -> Generator:
        seed, drawn, spare = form["numbers"]
        generator = Generator(seed)
        if form["pending"]:
            generator.numbers = _later(seed, drawn, spare)
        for tensor, kind, a, b, source in form["pending"]:
            generator.enqueue(Pending(self.value(tensor), kind, a, b, self.value(source)))
        return generator


def _later(seed: int, drawn: int, spare: list[float] | None) -> Numbers:
    numbers = Numbers(seed)
    numbers.skip(drawn)
    numbers.spare = None if spare is None else (spare[0], spare[1])
    return numbers


_EMPTY: dict[str, Any] = {
    "object": lambda node: TorchObject(node[1], Table(), node[2], node[3]),
    "table": lambda _: Table(),
    "tensor": lambda node: Tensor(node[1], None, node[3], tuple(node[4]), tuple(node[5])),
    "storage": lambda node: Storage(node[1], node[2]),
    "function": lambda _: Function(),
}


def to_bytes(arrays: list[np.ndarray]) -> tuple[list[list[Any]], list[bytes]]:
    """The types and sizes of arrays, and their bytes."""
    told = [[array.dtype.name, array.size] for array in arrays]
    return told, [np.ascontiguousarray(array).tobytes() for array in arrays]


def from_bytes(told: list[list[Any]], data: memoryview) -> list[np.ndarray]:
    """The arrays of ``to_bytes``."""
    arrays, start = [], 0
    for name, size in told:
        dtype = np.dtype(name)
        arrays.append(np.frombuffer(data, dtype, size, start))
        start += size * dtype.itemsize
    return arrays


def send(out: BinaryIO, header: Json, arrays: list[Any]) -> None:
    """Write a message.

    Raises:
        LayerError: for more than 64 MiB beside the arrays.
    """
    told, parts = to_bytes(arrays)
    text = json.dumps({**header, "arrays": told})
    if len(text) > _MOST:
        raise LayerError(f"the fields of its modules have more than {_MOST >> 20} MiB of text")
    out.write(text.encode() + b"\n")
    for part in parts:
        out.write(part)
    out.flush()


def receive(stream: BinaryIO) -> tuple[Json, list[Any]]:
    """Read a message."""
    header = parse_json(stream.readline())
    return header, from_bytes(header["arrays"], memoryview(stream.read()))
