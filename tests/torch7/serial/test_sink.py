"""The bytes of numbers in the two forms."""

from __future__ import annotations

import numpy as np

from protonet.torch7.serial.sink import BinarySink, TextSink


def test_binary_longs_have_the_size_of_the_machine() -> None:
    for size in (4, 8):
        sink = BinarySink(size)
        sink.longs(1, -1)
        sink.elements("Long", np.array([2]))
        expected = [value.to_bytes(size, "little", signed=True) for value in (1, -1, 2)]
        assert b"".join(sink.pieces) == b"".join(expected)


def test_nothing_leaves_no_line_in_the_ascii_form() -> None:
    sink = TextSink()
    sink.longs()
    sink.text(b"")
    sink.elements("Float", np.zeros(0, np.float32))
    assert sink.pieces == []
    sink.longs(3, 4)
    sink.elements("Double", np.array([0.1]))
    assert sink.pieces == [b"3 4\n", b"0.10000000000000001\n"]
