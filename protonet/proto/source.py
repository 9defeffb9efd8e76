"""Texts and definitions that keep the positions of their fields."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protonet.errors import Mistake, UsageError
from protonet.proto import braces
from protonet.proto.caffe_pb2 import LayerParameter, NetParameter
from protonet.proto.lexical import text_of

if TYPE_CHECKING:
    from protonet.proto.tree import Place, Syntax

SIZE_LIMIT = 64 * 2**20
"""Maximum length of a text, in characters."""

Where = tuple[str | int, ...]
"""A path inside a message, such as ``("layer", 3, "bottom", 1)``."""


@dataclass(frozen=True)
class Source:
    """A text and its name in messages."""

    name: str
    text: str = field(repr=False)

    @staticmethod
    def read(path: str | Path) -> Source:
        """Read a file, or standard input for ``-``.

        Raises:
            UsageError: for a file that is missing, unreadable or not text.
        """
        if str(path) == "-":
            return Source("<stdin>", _decode(sys.stdin.buffer.read(SIZE_LIMIT + 1), "<stdin>"))
        try:
            with Path(path).open("rb") as file:
                data = file.read(SIZE_LIMIT + 1)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        return Source(str(path), _decode(data, str(path)))

    @cached_property
    def balanced(self) -> braces.Balance:
        """The text with balanced braces, and those that are wrong."""
        return braces.balance(self.text)

    @cached_property
    def syntax(self) -> Syntax:
        """The entries of the text with balanced braces, and its syntax errors."""
        from protonet.proto.tree import parse_tree  # for texts with mistakes, most of the time

        return parse_tree(self.balanced.text)

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    def position(self, path: Sequence[str | int]) -> Place | None:
        """Line and column of the longest prefix of ``path`` that is in the text.

        ``("layer", 3, "bottom", 1)`` is the second bottom of the fourth layer. None if the
        text has no part of the path.
        """
        from protonet.proto.tree import find  # as above

        return find(self.syntax.entries, path)

    def mistake(self, path: Sequence[str | int], message: str, hint: str = "") -> Mistake:
        """A mistake at the position of ``path``."""
        return self.mistake_at(self.position(path), message, hint)

    def mistake_at(self, place: Place | None, message: str, hint: str = "") -> Mistake:
        """A mistake at a line and column."""
        if place is None:
            return Mistake(message, self.name, hint=hint)
        line, column = place
        excerpt = self._lines[line - 1] if line <= len(self._lines) else ""
        return Mistake(message, self.name, line, column, excerpt.rstrip("\r"), hint)


_LATIN = re.compile(rb"[\t\n\r -~]+")
_MAGIC = (b"\x89HDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"PK\x03\x04")


def _decode(data: bytes, name: str) -> str:
    """Decode a text; refuses other files and says what they look like."""
    if len(data) > SIZE_LIMIT:
        raise UsageError(f"{name}: is longer than {SIZE_LIMIT >> 20} MiB; no prototxt is")
    encoding = _wide_encoding(data)
    if encoding is not None:
        raise UsageError(f"{name}: is a text in {encoding}; Caffe reads it as UTF-8: save it so")
    if b"\0" not in data and not data.startswith(_MAGIC):
        return text_of(data)
    looks = "a binary file"
    if data.startswith(b"\x89HDF"):
        looks = "an HDF5 file"
    elif data.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        looks = "an archive"
    elif data.startswith(_MAGIC):
        looks = "an image"
    elif name.endswith((".caffemodel", ".binaryproto", ".solverstate")):
        looks = "a binary file of Caffe"
    raise UsageError(f"{name}: is {looks}, but a prototxt text is expected")


def _wide_encoding(data: bytes) -> str | None:
    """Detect UTF-32 or UTF-16 by the byte order mark, or by the zero bytes of Latin letters."""
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    for width, encoding in ((4, "UTF-32"), (2, "UTF-16")):
        head = data[: 16 * width]
        for first in (0, width - 1):  # little or big endian
            letters = head[first::width]
            zeros = len(head) - len(letters)
            if len(letters) > 3 and head.count(0) == zeros and _LATIN.fullmatch(letters):
                return encoding
    return None


@dataclass(frozen=True)
class NetDefinition:
    """A net read from a text.

    ``origins`` has the path in ``source`` of each of ``net.layer``, so that later mistakes still
    point to their line. ``weights`` returns initial weights by layer name, for a text that brings
    its own; None: the fillers'. ``printed`` are lines that the text itself printed. ``model``
    returns the .t7 file of the model, for a text of Torch7; ``taken`` are files of weights that
    ``weights`` has already.
    """

    net: NetParameter
    source: Source
    origins: tuple[Where, ...]
    weights: Callable[[], Mapping[str, Sequence[Any]]] | None = None
    printed: tuple[str, ...] = ()
    model: Callable[[], bytes] | None = None
    taken: tuple[str, ...] = ()

    @classmethod
    def of(cls, net: NetParameter, source: Source) -> NetDefinition:
        """A net whose layers are those of its text, one after the other."""
        return cls(net, source, tuple(("layer", index) for index in range(len(net.layer))))

    def copy(self) -> NetDefinition:
        """The definition with a copy of the net."""
        net = NetParameter()
        net.CopyFrom(self.net)
        return replace(self, net=net)

    def with_layers(
        self, layers: Iterable[LayerParameter], origins: Iterable[Where]
    ) -> NetDefinition:
        """The definition with copies of these layers instead of its own."""
        net = NetParameter()
        net.CopyFrom(self.net)
        del net.layer[:]
        net.layer.extend(layers)
        return replace(self, net=net, origins=tuple(origins))
