"""Values of .t7 files. Nothing in a file is ever run."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, NoReturn

from protonet.errors import FormatError, UsageError
from protonet.torch7.objects import Function, Storage, Table, Tensor, TorchObject
from protonet.torch7.serial import codes
from protonet.torch7.serial.source import BinarySource, Source, TextSource, UnreadableError

_DEEPEST = 100_000
"""Values within values; each takes a little memory until it is complete."""
_LONG = 60
"""Parts of a path that are shown, and in which a module is looked for within itself."""
_MOST_AXES = 32
_MOST_SHOWN = 2**26
"""Elements that a tensor may show of a smaller storage, by a stride of 0."""
_VERSION = re.compile(rb"V (\d{1,9})")
_CLASS = re.compile(rb"[\w.\-]{1,200}")
_TREE = ("modules", "criterions")
"""Fields in which a module has those that it consists of."""
_KEY = object()
"""Stands in a path for the key of a field, which is not known yet."""

Steps = Generator[Any, Any, Any]
"""A value that is being read: yields the name of each part, and is sent the part."""


def read(source: str | Path | bytes, functions: bool = False, name: str = "") -> Any:
    """The value in a .t7 file, binary or ascii, with longs of 64 or 32 bits.

    Args:
        source: a path, or the file's bytes.
        functions: whether functions may be in it. They become ``Function`` and are never run.
        name: of the file, for errors; the path by default.

    Returns:
        None, a bool, an int (for whole numbers), a float, a str (bytes that are not UTF-8 as
        surrogates), ``Table``, ``Tensor``, ``Storage``, ``TorchObject`` or ``Function``.

    Raises:
        UsageError: when the file cannot be read.
        FormatError: when it is damaged, or not a .t7 file; with the offset and the object's path.
    """
    if isinstance(source, bytes):
        data, name = source, name or "these bytes"
    else:
        data, name = _bytes(source), name or str(source)
    if not data:
        raise FormatError(f"{name}: is empty; expected a .t7 file of Torch7")
    view = memoryview(data)
    if data[0] in b"012345678":
        forms: list[Source] = [TextSource(view)]
    elif data[:3] == b"\0\0\0" and data[3:4] not in (b"", b"\0"):
        raise FormatError(f"{name}: byte 0: the file is big endian; write it as little endian")
    else:
        forms = [BinarySource(view, 8), BinarySource(view, 4)]
    refusals = []
    for form in forms:
        reader = Reader(form, functions)
        try:
            return reader.whole()
        except UnreadableError as error:
            refusals.append((reader.begun, error.position, reader.place, str(error)))
    # The form in which most values were found is the file's; the first of two.
    _, position, place, message = max(refusals, key=lambda refusal: refusal[0])
    raise FormatError(": ".join(filter(None, (name, f"byte {position}", place, message))))


def _bytes(path: str | Path) -> bytes:
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise UsageError(f"{path}: cannot be read: it is not a file")
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


class Reader:
    """Reads one value. Values within values are on a stack of its own, so depth is no danger."""

    def __init__(self, source: Source, functions: bool) -> None:
        self.source = source
        self.functions = functions
        self.known: dict[int, Any] = {}
        self.begun = 0
        self.path: list[Any] = []
        self.open: dict[int, int] = {}  # of an object that is being read: where its path ends

    @property
    def place(self) -> str:
        """The path of the value that was being read, such as modules/3/weight."""
        path = self.path
        if len(path) > _LONG:
            path = [*path[: _LONG // 2], "...", *path[-_LONG // 2 :]]
        return "/".join(str(part) for part in path if isinstance(part, (str, int, float)))

    def whole(self) -> Any:
        """The value that is the whole file.

        Raises:
            UnreadableError: at the first thing that is not as Torch writes it.
        """
        value = self._complete(self._begin())
        rest = self.source.left
        if rest:
            self._refuse(f"the value is complete, but {rest:,} bytes follow")
        return value

    def _complete(self, value: Any) -> Any:
        stack: list[Steps] = [value] if isinstance(value, Generator) else []
        sent = None
        while stack:
            try:
                part = stack[-1].send(sent)
            except StopIteration as end:
                stack.pop()
                value = sent = end.value
                if stack:
                    self.path.pop()
                continue
            self.path.append(part)
            sent = self._begin()
            if isinstance(sent, Generator):
                if len(stack) == _DEEPEST:
                    self._refuse(f"values are nested deeper than {_DEEPEST:,}")
                stack.append(sent)
                sent = None
            else:
                self.path.pop()
        return value

    def _begin(self) -> Any:
        """The next value, or the steps that read it."""
        source = self.source
        at = source.position
        code = source.integer()
        self.begun += 1
        if code == codes.NIL:
            return None
        if code == codes.NUMBER:
            return _number(source.number())
        if code == codes.STRING:
            return self._text("a text").decode("utf-8", "surrogateescape")
        if code == codes.BOOLEAN:
            return source.integer() == 1
        if code == codes.OLD_FUNCTION:
            return self._function(code, None, at)
        if code not in codes.INDEXED:
            self._refuse(f"{code} is not the type of a value (0 to 8)", at)
        index = source.integer()
        if index in self.known:
            return self._again(code, self.known[index], at)
        if code == codes.TABLE:
            return self._table(index)
        if code == codes.TORCH:
            return self._torch(index, at)
        return self._function(code, index, at)

    def _again(self, code: int, value: Any, at: int) -> Any:
        """A value that was read before."""
        if code == codes.TABLE:
            fits = isinstance(value, Table)
        elif code == codes.TORCH:
            fits = isinstance(value, (TorchObject, Tensor, Storage))
        else:
            fits = isinstance(value, Function)
        if not fits:
            self._refuse(f"refers to a {type(value).__name__}, but has type {code}", at)
        if len(self.path) - self.open.get(id(value), -_LONG) <= _LONG:
            below = [part for part in self.path[self.open[id(value)] :] if part is not None]
            if all(
                part in _TREE if even else isinstance(part, int) for even, part in _paired(below)
            ):
                self._refuse(f"a {value.typename} is within itself", at)
        return value

    def _table(self, index: int) -> Steps:
        table = self.known[index] = Table()
        at = self.source.position
        count = self.source.integer()
        self._check_size(count, count * self.source.least_field - 1, at, "a table", "fields")
        for _ in range(count):
            at = self.source.position
            key = yield _KEY
            if key is None or key != key:
                self._refuse(f"{'nil' if key is None else 'nan'} as a key of a table", at)
            if key in table:
                self._refuse(f"a table with the key {key!r} twice", at)
            value = yield key
            if value is not None:
                table[key] = value
        return table

    def _torch(self, index: int, start: int) -> Any:
        """A tensor, a storage, or an object of another class."""
        at = self.source.position
        name = self._text("a name")
        version = _VERSION.fullmatch(name)
        if version:
            at = self.source.position
            name = self._text("a name")
        if not _CLASS.fullmatch(name):
            self._refuse(f"{name[:40]!r} is not the name of a class", at)
        typename = name.decode("utf-8", "replace")
        if typename in codes.TENSORS:
            return self._tensor(index, codes.TENSORS[typename])
        if typename in codes.STORAGES:
            return self._storage(index, codes.STORAGES[typename])
        if typename.startswith(codes.FORMS_OF_THEIR_OWN):
            self._refuse(f"a {typename} has a form of its own, which is not read", at)
        return self._object(index, typename, int(version[1]) if version else 0, start)

    def _object(self, index: int, typename: str, version: int, start: int) -> Steps:
        place = f"{self.place} (byte {start})".lstrip()
        made = self.known[index] = TorchObject(typename, version=version, place=place)
        self.open[id(made)] = len(self.path)
        at = self.source.position
        fields = yield None
        if not isinstance(fields, Table):
            found = type(fields).__name__
            self._refuse(f"the fields of a {typename} are a table; found {found}", at)
        made.fields = fields
        del self.open[id(made)]
        return made

    def _storage(self, index: int, kind: str) -> Storage:
        at = self.source.position
        size = self.source.long()
        self._check_size(size, size, at, f"a torch.{kind}Storage", "elements")
        values = self.source.elements(kind, size)
        storage = self.known[index] = Storage(kind, size, values)
        return storage

    def _tensor(self, index: int, kind: str) -> Steps:
        source = self.source
        at = source.position
        tensor = self.known[index] = Tensor(kind)
        axes = source.integer()
        if not 0 <= axes <= _MOST_AXES:
            self._refuse(f"a tensor with {axes} dimensions; at most {_MOST_AXES} are read", at)
        shape, strides = source.longs(axes), source.longs(axes)
        offset = source.long() - 1
        storage = yield None
        if storage is not None and (not isinstance(storage, Storage) or storage.kind != kind):
            found = (
                f"torch.{storage.kind}Storage"
                if isinstance(storage, Storage)
                else type(storage).__name__
            )
            self._refuse(f"a torch.{kind}Tensor with a {found} as its storage", at)
        self._check_view(at, shape, strides, offset, storage.size if storage else 0)
        tensor.storage, tensor.offset = storage, offset
        tensor.shape, tensor.strides = tuple(shape), tuple(strides)
        return tensor

    def _check_view(
        self, at: int, shape: list[int], strides: list[int], offset: int, size: int
    ) -> None:
        """Refuse a tensor that shows what is not in its storage."""
        if any(extent < 1 for extent in shape) or any(stride < 0 for stride in strides):
            self._refuse(f"a tensor of size {shape} with strides {strides}", at)
        last, count = offset, 1 if shape else 0
        for extent, stride in zip(shape, strides, strict=True):
            last += (extent - 1) * stride
            count *= extent
        if offset < 0 or (shape and last >= size):
            self._refuse(
                f"a tensor of size {shape} with strides {strides} at {offset + 1} "
                f"is outside of its storage of {size:,} elements",
                at,
            )
        if count > max(size, _MOST_SHOWN):
            self._refuse(f"a tensor of {count:,} elements that shows {size:,} repeatedly", at)

    def _function(self, code: int, index: int | None, at: int) -> Steps:
        bytecode = self._text("bytecode")
        if bytecode and not self.functions:
            self._refuse(
                f"a function with {len(bytecode):,} bytes of bytecode; functions are not read", at
            )
        function = Function(code=bytecode, form=code)
        if index is not None:
            self.known[index] = function
        function.upvalues = yield "upvalues"
        return function

    def _text(self, what: str) -> bytes:
        at = self.source.position
        size = self.source.integer()
        self._check_size(size, size, at, what, "bytes")
        return self.source.text(size)

    def _check_size(self, count: int, least: int, at: int, what: str, parts: str) -> None:
        """Refuse what has more parts than can follow: they take ``least`` bytes."""
        left = self.source.left
        if count < 0 or least > left:
            self._refuse(f"{what} of {count:,} {parts}, but {left:,} bytes are left", at)

    def _refuse(self, message: str, at: int | None = None) -> NoReturn:
        raise UnreadableError(self.source.position if at is None else at, message)


def _number(value: float) -> int | float:
    """A number of Lua: an int if it is whole, and exact as a double."""
    if value.is_integer() and abs(value) < codes.SAFE_INTEGER and str(value) != "-0.0":
        return int(value)
    return value


def _paired(parts: list[Any]) -> list[tuple[bool, Any]]:
    return [(number % 2 == 0, part) for number, part in enumerate(parts)]
