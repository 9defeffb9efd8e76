"""Numbers and texts of the two forms."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.torch7.serial import source as module
from protonet.torch7.serial.source import BinarySource, TextSource, UnreadableError


def test_binary_numbers_are_little_endian() -> None:
    source = BinarySource(memoryview(b"\1\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff\2\0\0\0"), 8)
    assert (source.integer(), source.long()) == (1, -2)
    assert source.left == 4
    with pytest.raises(UnreadableError):
        source.number()


def test_longs_of_32_bits_become_64() -> None:
    values = BinarySource(memoryview(b"\1\0\0\0\xff\xff\xff\xff"), 4).elements("Long", 2)
    assert values.dtype == np.int64
    assert values.tolist() == [1, -1]


def test_a_long_line_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 10)
    numbers = [float(value) for value in range(100)]
    line = " ".join(f"{value:g}" for value in numbers)
    source = TextSource(memoryview(f"{line}\n7\n".encode()))
    assert source.elements("Float", 100).tolist() == numbers
    assert source.integer() == 7


def test_texts_may_have_any_bytes() -> None:
    source = TextSource(memoryview(b"a\n b\n3\n"))
    assert source.text(4) == b"a\n b"
    assert source.integer() == 3
