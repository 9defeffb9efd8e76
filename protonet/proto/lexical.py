"""What protobuf's C++ parser, so Caffe, reads otherwise than its Python parser does.

Python's refuses a sign apart from its number, the bool ``00``, and strings whose bytes are no
UTF-8; it takes ``+2``, ``1_0``, ``0b1`` and escapes that C++ does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\#[^\n]*
    | (?P<string>"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"|'[^'\\\n]*(?:\\[^\n][^'\\\n]*)*')
    | (?P<minus>-)(?P<apart>(?:[ \t\r\n\f\v]|\#[^\n]*\n)+)(?=[0-9.A-Za-z])
    | (?P<number>\+?(?<![\w./])\.?[0-9](?:[eE][+-]|[\w.])*|\+)
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?", re.ASCII)
_SMALL = re.compile(r"0[xX]?0*[01]")
_ESCAPE = re.compile(
    r"""\\(?:(?P<simple>[abfnrtv\\'"?]) | (?P<octal>[0-7]{1,3}) | [xX](?P<hex>[0-9a-fA-F]{1,2})
    | u(?P<short>[0-9a-fA-F]{4}) | U(?P<long>00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})
    | (?P<wrong>.))""",
    re.VERBOSE | re.DOTALL,
)
_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_BAD_BYTES = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}
"""Surrogates of ``surrogateescape`` for bytes that are not UTF-8, as Latin-1 characters."""

SLASHES = "write paths with '/', on Windows too, or each backslash twice"


@dataclass
class Reading:
    """A text for Python's parser, and what C++'s refuses: (offset, message, hint)."""

    text: str
    refused: list[tuple[int, str, str]] = field(default_factory=list)


def text_of(data: bytes) -> str:
    """Decode bytes as UTF-8, and invalid bytes as Latin-1.

    A prototxt has no encoding: Caffe passes on the bytes of a string unchanged.
    """
    return data.decode("utf-8-sig", "surrogateescape").translate(_BAD_BYTES)


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def as_python_reads(text: str) -> Reading:
    """The text with everything that only C++'s parser accepts rewritten for both parsers."""
    reading = Reading("")

    def change(match: re.Match[str]) -> str:
        token = match[0]
        if match["string"] is not None:
            return _string(token, match.start(), reading) if "\\" in token else token
        if match["apart"] is not None:
            return " " + match["apart"][:-1] + "-"
        if match["number"] is None:
            return token
        if _NUMBER.fullmatch(token) is None:
            reading.refused.append((match.start(), f"'{token}' is not a number", ""))
        if len(token) > 1 and _SMALL.fullmatch(token):
            return token[-1]
        return token

    reading.text = _TOKEN.sub(change, text)
    return reading


def unescaped(literal: str) -> bytes:
    """The bytes of a quoted string; escapes unknown to C++ are kept."""
    done, parts = 0, []
    body = literal[1:-1]
    for match in _ESCAPE.finditer(body):
        parts += [body[done : match.start()].encode(), _bytes_of(match)]
        done = match.end()
    return b"".join([*parts, body[done:].encode()])


def _bytes_of(match: re.Match[str]) -> bytes:
    """The bytes of one escape."""
    if match["simple"]:
        letter = match["simple"]
        return bytes([_SIMPLE.get(letter, ord(letter))])
    if match["octal"] or match["hex"]:
        return bytes([int(match["octal"] or match["hex"], 8 if match["octal"] else 16) & 255])
    if match["short"] or match["long"]:
        return chr(int(match["short"] or match["long"], 16)).encode(errors="replace")
    return match[0].encode()


def _string(literal: str, offset: int, reading: Reading) -> str:
    """A string with its escapes rewritten for Python's parser; records what C++ refuses."""
    for match in _ESCAPE.finditer(literal):
        if match["wrong"]:
            message = f"'\\{match['wrong']}' is no escape of a string"
            reading.refused.append((offset + match.start(), message, SLASHES))
            break
    data = unescaped(literal)
    shown = data.decode("utf-8", "surrogateescape").translate(_BAD_BYTES)
    return '"' + "".join(map(_safe, shown)) + '"'


def _safe(letter: str) -> str:
    """A character of a string in a form that every protobuf parser reads."""
    if letter in '"\\':
        return "\\" + letter
    return letter if ord(letter) > 31 else f"\\{ord(letter):03o}"
