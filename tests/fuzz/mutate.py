"""Inputs that were changed at a few places: a function of the seed alone."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"3",
    b"127",
    b"65536",
    b"1000003",
    b"400000000",
    b"2147483647",
    b"4294967295",
    b"9223372036854775807",
    b"1e30",
    b"nan",
    b"inf",
    b"0.5",
)
_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])")
_WORD = re.compile(rb"\w+")
_PIECE = re.compile(rb'"[^"\n]*"|[\w.+-]+|[^\s\w]')


def mutant(seeds: Sequence[bytes], number: int, *, text: bool) -> bytes:
    """One of the seeds, with one to four changes."""
    chance = random.Random(number)
    data = seeds[chance.randrange(len(seeds))]
    if text and chance.random() < 0.5:  # what most often still is a net
        for _ in range(chance.choice((1, 1, 2))):
            data = _number(data, chance, seeds)
        return data
    for _ in range(chance.choice((1, 1, 1, 2, 2, 4))):
        changes = _TEXT if text and chance.random() < 0.8 else _BYTES
        data = chance.choice(changes)(data, chance, seeds)
    return data


def _flip(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x00"
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _set(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    value = chance.choice((0x00, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return data[:at] + bytes([value]) * chance.choice((1, 1, 2, 8)) + data[at + 1 :]


def _cut(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _drop(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice((1, 2, 8, 64)) :]


def _double(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    part = data[at : at + chance.choice((1, 4, 32, 256))]
    return data[:at] + part * chance.choice((2, 2, 3, 20)) + data[at + len(part) :]


def _splice(data: bytes, chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    other = chance.choice(seeds)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _replace(
    pattern: re.Pattern[bytes], data: bytes, chance: random.Random, new: Sequence[bytes]
) -> bytes:
    found = list(pattern.finditer(data))
    if not found or not new:
        return data
    match = chance.choice(found)
    return data[: match.start()] + chance.choice(new) + data[match.end() :]


def _number(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return _replace(_NUMBER, data, chance, NUMBERS)


def _word(data: bytes, chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One word becomes another, of this text or of any."""
    return _replace(_WORD, data, chance, _WORD.findall(chance.choice((data, chance.choice(seeds)))))


def _piece(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return _replace(_PIECE, data, chance, (b"", b"{", b"}", b":", b'"', b"#", b"\\", b"\xff"))


def _line(data: bytes, chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A line goes, comes twice, or comes from another text."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    other = chance.choice(seeds).split(b"\n")
    lines[at : at + 1] = chance.choice(([], [lines[at]] * 2, [lines[at], chance.choice(other)]))
    return b"\n".join(lines)


_BYTES = (_flip, _flip, _set, _cut, _drop, _double, _splice)
_TEXT = (_number, _number, _number, _word, _word, _piece, _line)
