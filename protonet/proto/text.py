"""Prototxt to messages, with every mistake at its position; messages to prototxt."""

from __future__ import annotations

import re
from typing import TypeVar

from google.protobuf.message import Message

from protonet.errors import DamagedTextError, Mistake, NetworkError
from protonet.proto import braces
from protonet.proto.caffe_pb2 import NetParameter, SolverParameter
from protonet.proto.lexical import Reading, as_python_reads, place_of
from protonet.proto.paths import path_findings
from protonet.proto.plain import parse_plain
from protonet.proto.source import SIZE_LIMIT, NetDefinition, Source, Where
from protonet.proto.upgrade import upgrade, upgrade_solver

__all__ = ["NetDefinition", "Source", "Where", "parse", "read_net", "read_solver", "write_text"]

DEPTH_LIMIT = 100
"""The deepest nesting of braces: real nets use five."""

M = TypeVar("M", bound=Message)

_DEVICES = re.compile(r"(?m)^(\s*device_id\s*:\s*)\[\s*(\d+)\s*(?:,\s*\d+\s*)*\]")
"""The GPUs of a solver of yjxiong's fork; the first one is read."""


_OTHER: dict[type[Message], type[Message]] = {
    NetParameter: SolverParameter,
    SolverParameter: NetParameter,
}
_MIXED_UP: dict[type[Message], str] = {
    NetParameter: "is a solver; expected a net, such as the one that it names",
    SolverParameter: 'is a net; expected a solver, which names its net: net: "train_val.prototxt"',
}
"""Messages for a net given as a solver, or the reverse."""
_IS_LUA = (
    "this is Lua, a network of Torch; expected a net in prototxt",
    'such as layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" ... }',
)
"""Message and hint for Lua files."""


def parse(source: Source, kind: type[M]) -> M:
    """Parse a text as a message.

    Raises:
        NetworkError: with all mistakes, in text order.
    """
    if len(source.text) > SIZE_LIMIT:
        raise NetworkError([Mistake(f"longer than {SIZE_LIMIT >> 20} MiB", source.name)])
    parsed = parse_plain(source.text, kind, DEPTH_LIMIT) or _parse_any(source, kind)
    if "\\" in source.text:
        mistakes = [source.mistake(*finding) for finding in path_findings(parsed)]
        if mistakes:
            raise DamagedTextError(mistakes)
    return parsed


def _parse_any(source: Source, kind: type[M]) -> M:
    """Protobuf's parser reads every correct text; where it refuses one, the grammar finds all
    mistakes.
    """
    from google.protobuf import text_format  # half a MiB: for texts that need it

    nested = braces.too_deep(source.text, DEPTH_LIMIT)
    if nested is not None:
        message = f"this brace is inside {DEPTH_LIMIT} others; texts nest no deeper"
        raise NetworkError([source.mistake_at(place_of(source.text, nested), message)])
    reading = as_python_reads(source.text)
    if kind is SolverParameter:
        reading.text = _DEVICES.sub(r"\1\2", reading.text)
    try:
        if reading.refused:
            raise ValueError(reading.refused[0][1])
        parsed: M = text_format.Parse(reading.text, kind())
    except (text_format.ParseError, RecursionError, ValueError) as error:
        raise _refusal(source, kind, reading, error) from None
    return parsed


def _refusal(source: Source, kind: type[M], reading: Reading, error: Exception) -> NetworkError:
    """All that is wrong with a text that is no message of a kind."""
    # For such texts only.
    from protonet.proto.diagnose import diagnose
    from protonet.proto.language import lua_position

    if _is_of(reading, _OTHER.get(kind)):
        return NetworkError([Mistake(_MIXED_UP[kind], source.name)])
    lua = lua_position(source.text)
    if lua is not None:
        return NetworkError([source.mistake_at(place_of(source.text, lua), *_IS_LUA)])
    findings = diagnose(source.text, kind.DESCRIPTOR)
    mistakes = [source.mistake_at(*finding) for finding in findings]
    return DamagedTextError(mistakes or [_as_protobuf_says(source, error)])


def _is_of(reading: Reading, kind: type[Message] | None) -> bool:
    """Whether the text is a valid message of another type."""
    if kind is None or reading.refused:
        return False
    from google.protobuf import text_format

    try:
        text_format.Parse(reading.text, kind())
    except (text_format.ParseError, RecursionError, ValueError):
        return False
    return True


def _as_protobuf_says(source: Source, error: Exception) -> Mistake:
    """Protobuf's own message, if our diagnosis finds no mistake."""
    match = re.match(r"(\d+):(\d+) : (.*)", str(error), re.DOTALL)
    if match is None:
        return Mistake(str(error), source.name)
    message = match[3].split("': ", 1)[-1] if match[3].startswith("'") else match[3]
    return source.mistake_at((int(match[1]), int(match[2])), message)


def read_net(source: Source) -> NetDefinition:
    """Read a net of any dialect and upgrade it to the current one.

    Raises:
        NetworkError: with all mistakes that can be found without data.
    """
    net = parse(source, NetParameter)
    _check(net, source)
    return upgrade(NetDefinition.of(net, source))


def _check(net: NetParameter, source: Source) -> None:
    """Check for structural mistakes that are possible in any dialect."""
    mistakes = []
    if not (net.layer or net.layers or net.input):
        raise NetworkError([Mistake(_without_layers(net, source.text), source.name)])
    if net.layer and net.layers:
        mistakes.append(
            source.mistake(
                ("layers", 0),
                "both 'layer' and the older 'layers' are used",
                "write all layers in one of the two dialects",
            )
        )
    for i, layer in enumerate(net.layer):
        if not layer.type:
            mistakes.append(
                source.mistake(("layer", i), f"this layer ('{layer.name}') has no type")
            )
    if mistakes:
        raise DamagedTextError(mistakes)


def _without_layers(net: NetParameter, text: str) -> str:
    """The message for a text without layers."""
    if not text:
        return "is empty; expected a net, with a layer { ... } or more"
    if not text.strip():
        return "holds nothing but blanks; expected a net, with a layer { ... } or more"
    fields = [field.name for field, _ in net.ListFields()]
    if not fields:
        return "holds nothing but comments; expected a net, with a layer { ... } or more"
    return f"has no layer, only {', '.join(fields)}; expected a layer {{ ... }} or more"


def read_solver(source: Source) -> SolverParameter:
    """Read a solver of any dialect and upgrade it to the current one.

    Raises:
        NetworkError: with all mistakes that can be found without data.
    """
    return upgrade_solver(parse(source, SolverParameter))


def write_text(message: Message) -> str:
    """A message as prototxt; numbers in their shortest form."""
    from google.protobuf import text_format

    text: str = text_format.MessageToString(message)
    return text
