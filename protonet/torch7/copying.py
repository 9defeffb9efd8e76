"""Copies of trees of modules, which may share tensors with the original: Torch7's ``clone``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from protonet.torch7.objects import Storage, Table, Tensor, TorchObject
from protonet.torch7.random import Generator


def copied(
    made: TorchObject, shared: Collection[str] = (), random: Generator | None = None
) -> TorchObject:
    """A copy of an object and of all that it refers to. With the generator of pending random
    numbers, their copy is pending too.

    Tensors in the fields named in ``shared``, of the object and of the modules inside it, share
    their elements with the original; both modules then have the field ``shared``, as in Torch7.
    What shares memory within the original does so within the copy.
    """
    copy: TorchObject = _Copier(shared, random).copy(made)
    return copy


class _Copier:
    def __init__(self, shared: Collection[str], random: Generator | None) -> None:
        self._shared, self._random = frozenset(shared), random
        self._made: dict[int, Any] = {}

    def copy(self, value: Any) -> Any:
        """The copy of a value: one for all references to it."""
        if not isinstance(value, Storage | Tensor | Table | TorchObject):
            return value
        if id(value) not in self._made:
            getattr(self, f"_copy_{type(value).__name__.lower()}")(value)
        return self._made[id(value)]

    def _copy_storage(self, value: Storage) -> None:
        made = self._made[id(value)] = Storage(value.kind, value.size)
        if value.settle is None and value.untouched:
            return
        if self._random is not None:
            self._random.copy(_all_of(made), _all_of(value))
        else:
            made.allocated()[:] = value.data

    def _copy_tensor(self, value: Tensor) -> None:
        self._made[id(value)] = replace(value, storage=self.copy(value.storage))

    def _copy_table(self, value: Table) -> None:
        made = self._made[id(value)] = Table()
        for key, each in value.items():
            made[self.copy(key)] = self.copy(each)

    def _copy_torchobject(self, value: TorchObject) -> None:
        made = self._made[id(value)] = replace(value, fields=Table())
        for name, each in value.fields.items():
            if name in self._shared and isinstance(each, Tensor):
                made.fields[name] = replace(each)
            else:
                made.fields[self.copy(name)] = self.copy(each)
        if any(name in value.fields for name in self._shared):
            made.fields["shared"] = value.fields["shared"] = True


def _all_of(storage: Storage) -> Tensor:
    """A storage's elements as a vector."""
    return Tensor(storage.kind, storage, 0, (storage.size,), (1,))
