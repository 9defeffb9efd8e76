"""Values between Lua and Python.

Modules and their tables are tables of Lua, which Python reads and writes in place; tensors and
storages are values of Python, for which Lua has proxies. So both sides always see the same.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.lua.tracing import Traced
from protonet.torch7.objects import Function, Storage, Table, Tensor, TorchObject


class LuaRaisedError(Exception):
    """A function of the definition failed; Lua keeps its error."""


class LuaFunction(Function):
    """A function of the definition, which Python may call while Lua runs."""

    def __init__(self, bridge: Bridge, reference: Any) -> None:
        super().__init__()
        self.bridge, self.reference = bridge, reference

    def __call__(self, *arguments: Any) -> Any:
        """Call it; the first result."""
        given = [self.bridge.to_lua(each) for each in arguments]
        found = self.bridge.lua.invoke(self.reference, *given)
        ok, *results = found if isinstance(found, tuple) else (found,)
        if not ok:
            raise LuaRaisedError
        return self.bridge.to_python(results[0]) if results else None


class Fields(MutableMapping[Any, Any]):
    """The contents of a table of Lua. Keys keep the order in which Python set them."""

    def __init__(self, bridge: Bridge, reference: Any) -> None:
        self.bridge, self.reference = bridge, reference
        self._order: dict[Any, None] = {}

    def __getitem__(self, key: Any) -> Any:
        value = self.bridge.lua.get(self.reference, self.bridge.to_lua(key))
        if value is None:
            raise KeyError(key)
        return self.bridge.to_python(value)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._order.setdefault(key)
        self.bridge.lua.set(self.reference, self.bridge.to_lua(key), self.bridge.to_lua(value))

    def __delitem__(self, key: Any) -> None:
        self._order.pop(key, None)
        self.bridge.lua.set(self.reference, self.bridge.to_lua(key), None)

    def __contains__(self, key: object) -> bool:
        return self.bridge.lua.get(self.reference, self.bridge.to_lua(key)) is not None

    def __iter__(self) -> Iterator[Any]:
        keys, count = self.bridge.lua.keys(self.reference)
        present = dict.fromkeys(self.bridge.to_python(keys[i + 1]) for i in range(count))
        known = [key for key in self._order if key in present]
        return iter(dict.fromkeys([*known, *present]))

    def __len__(self) -> int:
        return int(self.bridge.lua.keys(self.reference)[1])

    def sequence(self) -> list[Any]:
        """The values of 1, 2, ...: known modules and tables by their numbers, in one call."""
        numbers, count = self.bridge.lua.numbers(self.reference)
        found = [self.bridge.known(number) for number in numbers.values()] if count else []
        return [self[i] if each is None else each for i, each in enumerate(found, start=1)]


class Bridge:
    """Converts values; the same value always has the same partner.

    Args:
        lua: the functions of prelude.lua.
    """

    def __init__(self, lua: Any) -> None:
        self.lua = lua
        self._known: dict[int, Any] = {}
        self._functions: dict[int, Any] = {}
        self._moved: list[tuple[Fields, Any]] = []
        self._moving = False

    def known(self, number: int) -> Any:
        """The partner of a table or module of Lua, if it has one."""
        return self._known.get(number)

    # To Python.

    def to_python(self, value: Any) -> Any:
        """A value of Lua; tables are not copied."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return text_of(value)
        if isinstance(value, Tensor | Storage | Traced):
            return value
        kind, *rest = self._described(value)
        if kind == "value":
            return rest[0]
        if kind not in ("table", "object", "function"):
            raise LayerError(f"a {kind} cannot be used here")
        if rest[0] not in self._known:
            self._known[rest[0]] = self._partner(kind, value, rest)
        return self._known[rest[0]]

    def _described(self, value: Any) -> tuple[Any, ...]:
        found = self.lua.describe(value)
        return found if isinstance(found, tuple) else (found,)

    def _partner(self, kind: str, value: Any, rest: list[Any]) -> Any:
        if kind == "function":
            return LuaFunction(self, value)
        table = Table()
        table.data = Fields(self, value)  # type: ignore[assignment]  # used as a dict
        return table if kind == "table" else TorchObject(rest[1], table, int(rest[2] or 0))

    # To Lua.

    def to_lua(self, value: Any) -> Any:
        """A value of Python; tables and objects are moved into Lua."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return bytes_of(value)
        if isinstance(value, Tensor | Storage | Traced):
            kind = "tensor" if isinstance(value, Tensor) else "storage"
            kind = "traced" if isinstance(value, Traced) else kind
            return self.lua.proxy(value, id(value), kind)
        if isinstance(value, TorchObject):
            return self._object(value)
        if isinstance(value, Table):
            return self._table(value)
        if isinstance(value, LuaFunction):
            return value.reference
        if isinstance(value, Function):
            return self._functions.setdefault(id(value), self.lua.nothing())
        if isinstance(value, np.generic):
            return value.item()
        raise LayerError(f"a {type(value).__name__} cannot be used in Lua")

    def _object(self, value: TorchObject) -> Any:
        if not isinstance(value.fields.data, Fields):
            reference, number = self.lua.new_object(value.typename, value.line)
            self._known[int(number)] = value
            self._move(value.fields, reference)
        return value.fields.data.reference  # type: ignore[attr-defined]  # of Fields, by now

    def _table(self, value: Table) -> Any:
        if not isinstance(value.data, Fields):
            reference = self.lua.new_table()
            self._known[int(self._described(reference)[1])] = value
            self._move(value, reference)
        return value.data.reference  # type: ignore[attr-defined]  # of Fields, by now

    def _move(self, table: Table, reference: Any) -> None:
        """Make a table of Lua the place of a table's contents.

        What is inside waits for its turn, so that depth is no danger.
        """
        fields = Fields(self, reference)
        self._moved.append((fields, table.data))
        table.data = fields  # type: ignore[assignment]  # used as a dict
        if self._moving:
            return
        self._moving = True
        try:
            while self._moved:
                target, values = self._moved.pop()
                for key, value in values.items():
                    target[key] = value
        finally:
            self._moving = False


def text_of(text: str) -> str:
    """A text as Lua has it, a character for each byte, decoded."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def bytes_of(text: str) -> str:
    """A text with a character for each byte of its UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("latin-1")
