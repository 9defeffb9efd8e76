"""Calls as Lua makes them."""

from __future__ import annotations

from typing import Any

from protonet.torch7.objects import Table, Tensor
from protonet.torch7.tensors import FUNCTIONS, METHODS, Torch, call, indexing

TORCH = Torch()


def m(tensor: Tensor, name: str, *arguments: Any) -> Any:
    """``tensor:name(...)``."""
    return call(TORCH, name, METHODS[name], tensor, *arguments)


def f(name: str, *arguments: Any) -> Any:
    """``torch.name(...)``."""
    return call(TORCH, name, FUNCTIONS[name], *arguments)


def counted(*sizes: int) -> Tensor:
    """1, 2, ... in this shape."""
    count = 1
    for size in sizes:
        count *= size
    made: Tensor = m(f("range", 1, count), "view", *sizes)
    return made


def table(*values: Any) -> Table:
    """A table of Lua, nested like the lists."""
    return Table.of(table(*each) if isinstance(each, list) else each for each in values)


def get(tensor: Tensor, key: Any) -> Any:
    """``tensor[key]``."""
    return indexing.get_item(tensor, key)


def put(tensor: Tensor, key: Any, value: Any) -> None:
    """``tensor[key] = value``."""
    indexing.set_item(TORCH, tensor, key, value)
