"""Prototxt, read so that one run tells the mistakes of fields and of layers.

Fields that the schema refuses keep a text from being a message. The layers without such a mistake
are judged all the same: their types, settings, numbers of blobs, and blobs that nothing makes.
What a damaged layer would need or make is not known, so nothing follows from it: of such a layer
only the type and the bottoms are judged, and shapes are not inferred.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from protonet.errors import DamagedTextError, Mistake, NetworkError
from protonet.graph.planning import find_apart
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.lexical import as_python_reads
from protonet.proto.source import NetDefinition, Source, Where
from protonet.proto.text import read_net
from protonet.proto.upgrade import upgrade

if TYPE_CHECKING:
    from protonet.proto.tree import Entry, Place

_USUAL = ("data", "label")
"""Blobs that a data set provides for a network without data layers."""

_LAYERS = ("layer", "layers")
_KEPT = ("name", "type", "bottom", "top", "include", "exclude")
"""What is kept of a damaged layer: its place among the others."""


def read_prototxt(source: Source, given: Collection[str] = ()) -> NetDefinition:
    """``read_net``, with the mistakes of layers beside those of fields.

    ``given`` are blobs that options provide, beside those of a data set.

    Raises:
        NetworkError: with all mistakes that can be found without data and files.
    """
    try:
        return read_net(source)
    except DamagedTextError as error:
        told = error.mistakes
        if error.count > len(told):
            raise
        found = {*told, *_Remains(source, told).mistakes({*given, *_USUAL})}
        raise NetworkError(sorted(found, key=lambda each: (each.line, each.column))) from None


class _Remains:
    """What a text with mistakes says without them: each layer stays, the damaged ones as stubs."""

    def __init__(self, source: Source, told: Sequence[Mistake]) -> None:
        self._source = source
        self._entries = source.syntax.entries
        self._told = [(each.line, each.column) for each in told]
        self._damaged = _owners(self._entries, self._told)
        self._lost: set[str] = set()
        """Words of damaged fields: blobs, perhaps."""
        balanced = source.balanced
        self._torn = bool(source.syntax.faults or balanced.unclosed or balanced.stray)
        """Whether the text has mistakes of syntax: names of blobs may be lost."""
        self._stubs: set[Where] = set()
        """The paths of damaged layers."""
        self._text = "\n".join(map(_text, self._kept()))

    def mistakes(self, given: Collection[str]) -> list[Mistake]:
        """The mistakes of layers; ``given`` are blobs that no layer needs to make."""
        from google.protobuf import text_format  # for texts with mistakes

        try:
            net = text_format.Parse(as_python_reads(self._text).text, NetParameter())
            definition = upgrade(NetDefinition.of(net, self._source))
        except NetworkError as error:
            return [each for each in error.mistakes if self._is_apart(each)]
        except (text_format.ParseError, ValueError):
            return []
        blobs = None if self._torn else {*given, *self._lost}
        return find_apart(definition, self._stubs, blobs)

    def _is_apart(self, mistake: Mistake) -> bool:
        """Whether a mistake has a place, in no damaged entry."""
        place = (mistake.line, mistake.column)
        return bool(mistake.line) and not _owners(self._entries, [place]) & self._damaged

    def _kept(self) -> list[Entry]:
        """The entries that are right, and stubs of damaged layers."""
        kept = []
        counts = dict.fromkeys(_LAYERS, 0)
        whole = all(
            each.name in _LAYERS or each.place not in self._damaged for each in self._entries
        )
        for entry in self._entries:
            if entry.name in _LAYERS:
                path = (entry.name, counts[entry.name])
                counts[entry.name] += 1
                if entry.place in self._damaged:
                    self._stubs.add(path)
                    kept.append(self._stub(entry))
                else:
                    kept.append(entry)
            elif entry.place in self._damaged or (
                entry.name.startswith("input") and not whole
            ):  # inputs without their shapes
                self._lose(entry)
            else:
                kept.append(entry)
        return kept

    def _stub(self, entry: Entry) -> Entry:
        """A damaged layer without its settings and its damaged fields."""
        from protonet.proto.tree import Entry  # for texts with mistakes only

        children = entry.children or ()
        damaged = _owners(children, self._told)
        wrong = {each.name for each in children if each.place in damaged}
        kept = []
        for each in children:
            if each.name == "layer" and each.children is not None:  # V0
                kept.append(self._stub(each))
            elif each.name in wrong:
                self._lose(each)
            elif each.name in _KEPT:
                kept.append(each)
        return Entry(entry.name, entry.place, children=tuple(kept))

    def _lose(self, entry: Entry) -> None:
        """Remember the words of a damaged field."""
        from protonet.proto.tree import is_dummy  # as above

        if entry.value is not None:
            self._torn |= is_dummy(entry.value)
            self._lost.add(entry.value.text.strip("\"'"))
        for child in entry.children or ():
            self._lose(child)


def _owners(entries: Sequence[Entry], places: Sequence[Place]) -> set[Place]:
    """The places of those entries that hold one of ``places``."""
    starts = sorted(each.place for each in entries)
    found = (bisect_right(starts, place) for place in places)
    return {starts[index - 1] for index in found if index}


def _text(entry: Entry) -> str:
    """An entry as prototxt."""
    if entry.value is not None:
        return f"{entry.name}: {entry.value.text}"
    return f"{entry.name} {{ {' '.join(map(_text, entry.children or ()))} }}"
