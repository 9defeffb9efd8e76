"""Fields of modules that a file may have damaged: tables and lists of whole numbers, checked."""

from __future__ import annotations

from protonet.errors import LayerError
from protonet.torch7.modules.base import Module
from protonet.torch7.objects import Storage, Table, Tensor


def table_field(module: Module, name: str) -> Table:
    """A field that must be a table.

    Raises:
        LayerError: when it is missing or something else.
    """
    value = module.get(name)
    if not isinstance(value, Table):
        raise LayerError(f"{module.object.typename}: {name} must be a table, got {value}")
    return value


def whole_numbers(module: Module, name: str) -> list[int]:
    """A field that must be a LongStorage, or a tensor of one axis.

    Raises:
        LayerError: when it is missing or something else.
    """
    value = module.get(name)
    if isinstance(value, Tensor) and len(value.shape) <= 1:
        return [int(each) for each in value.array]
    if not isinstance(value, Storage):
        raise LayerError(f"{module.object.typename}: {name} must be a LongStorage, got {value}")
    return [int(each) for each in value.data]


def first_child(module: Module) -> Module:
    """The first module inside another.

    Raises:
        LayerError: when there is none.
    """
    children = module.children
    if not children:
        raise LayerError("expected a module inside, got none")
    return children[0]
