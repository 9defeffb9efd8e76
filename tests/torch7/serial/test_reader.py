"""Hostile and damaged files are refused with their offset, at once."""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.torch7 import serial
from protonet.torch7.objects import Function, Table, Tensor, TorchObject

GOLDEN = Path(__file__).parents[2] / "golden_torch7" / "trainings"


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def text(value: str) -> bytes:
    return ints(len(value)) + value.encode()


def torch(name: str, index: int = 1) -> bytes:
    return ints(4, index) + text("V 1") + text(name)


def tensor(shape: list[int], strides: list[int], offset: int, storage: bytes) -> bytes:
    longs = struct.pack(f"<{2 * len(shape) + 1}q", *shape, *strides, offset)
    return torch("torch.FloatTensor") + ints(len(shape)) + longs + storage


def storage(size: int, kind: str = "Float", values: bytes = b"") -> bytes:
    return torch(f"torch.{kind}Storage", 2) + struct.pack("<q", size) + values


FOUR = storage(4, values=bytes(16))

HOSTILE: dict[str, tuple[bytes, int, str]] = {
    "type": (ints(9), 0, "9 is not the type of a value"),
    "cut type": (ints(3)[:2], 0, "expected 4 bytes, but 2 bytes are left"),
    "cut number": (ints(1) + b"abc", 4, "expected 8 bytes, but 3 bytes are left"),
    "text": (ints(2, 2**31 - 1), 4, "a text of 2,147,483,647 bytes, but 0 bytes are left"),
    "negative text": (ints(2, -1), 4, "a text of -1 bytes"),
    "table": (ints(3, 1, 2**31 - 1), 8, "a table of 2,147,483,647 fields, but 0 bytes"),
    "negative table": (ints(3, 1, -5), 8, "a table of -5 fields"),
    "nil key": (ints(3, 1, 1, 0, 0, 0, 0), 12, "nil as a key of a table"),
    "key twice": (ints(3, 1, 2, 5, 1, 5, 1, 5, 1, 5, 1), 28, "the key True twice"),
    "storage": (storage(2**62), 37, "a torch.FloatStorage of 4,611,686,018,427,387,904 elements"),
    "negative storage": (storage(-1), 37, "a torch.FloatStorage of -1 elements"),
    "dimensions": (torch("torch.FloatTensor") + ints(2**30), 36, "1073741824 dimensions"),
    "no dimensions": (torch("torch.FloatTensor") + ints(-1), 36, "-1 dimensions"),
    "size 0": (tensor([2, 0], [1, 1], 1, FOUR), 36, r"a tensor of size \[2, 0\]"),
    "strides": (tensor([2], [-1], 2, FOUR), 36, r"with strides \[-1\]"),
    "outside": (tensor([2, 2], [2, 2], 1, FOUR), 36, "outside of its storage of 4 elements"),
    "offset": (tensor([2], [1], 0, FOUR), 36, "at 0 is outside of its storage"),
    "no storage": (tensor([2], [1], 1, ints(0)), 36, "outside of its storage of 0"),
    "repeated": (tensor([10**9] * 3, [0] * 3, 1, FOUR), 36, "shows 4 repeatedly"),
    "kind": (tensor([2], [1], 1, storage(2, "Int", bytes(8))), 36, "with a torch.IntStorage"),
    "itself": (tensor([2], [1], 1, ints(4, 1)), 36, "with a Tensor as its storage"),
    "no class": (torch("not a class"), 15, "is not the name of a class"),
    "no name": (ints(4, 1, 0), 8, "is not the name of a class"),
    "fields": (torch("nn.Linear") + ints(5, 1), 28, "the fields of a nn.Linear are a table"),
    "own form": (torch("tds.Hash") + ints(0, 0), 15, "a tds.Hash has a form of its own"),
    "tensor of tensors": (torch("torch.QuadTensor"), 15, "a torch.QuadTensor has a form"),
    "other type": (ints(3, 1, 1, 5, 1, 4, 1), 20, "refers to a Table, but has type 4"),
    "rest": (ints(5, 1) + b"more!", 8, "the value is complete, but 5 bytes follow"),
    "function": (ints(8, 1) + text("code"), 0, "a function with 4 bytes of bytecode"),
    "old function": (ints(6) + text("code"), 0, "a function with 4 bytes of bytecode"),
    "ascii type": (b"9\n", 0, "expected 4 bytes"),
    "ascii number": (b"1\nx1\n", 2, "expected a number, found 'x1'"),
    "ascii index": (b"3\n99999999999\n", 2, "99999999999 does not fit 32 bits"),
    "ascii digits": (b"3\n" + b"7" * 5000, 2, "expected a number, found '777"),
    "ascii text": (b"2\n2000000000\nab\n", 2, "a text of 2,000,000,000 bytes, but 3"),
    "ascii table": (b"3\n1\n99999999\n", 4, "a table of 99,999,999 fields"),
    "ascii end": (b"3\n1\n1\n", 4, "a table of 1 fields, but 0 bytes are left"),
    "ascii cut": (b"3\n1\n1\n2\n1\na\n", 12, "the file ends here"),
    "ascii storage": (
        b"4\n1\n3\nV 1\n18\ntorch.FloatStorage\n3\n1 2\n3\n",
        37,
        "expected 3 numbers on this line",
    ),
    "ascii range": (
        b"4\n1\n3\nV 1\n18\ntorch.ShortStorage\n2\n1 70000\n",
        34,
        "expected 2 numbers of type int16",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_its_offset(name: str) -> None:
    data, offset, message = HOSTILE[name]
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(FormatError, match=message) as refused:
        serial.read(data, name="x.t7")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(refused.value).startswith(f"x.t7: byte {offset}: ")
    assert time.process_time() - start < 1
    assert peak < 4 << 20


def test_the_path_of_the_object_is_told() -> None:
    weight = Tensor.of(np.zeros((2, 3)))
    linear = TorchObject("nn.Linear", Table(weight=weight))
    data = serial.write(TorchObject("nn.Sequential", Table(modules=Table.of([1, linear]))))
    with pytest.raises(FormatError, match=rf"byte {len(data) - 24}: modules/2/weight: expected 24"):
        serial.read(data[:-1])


@pytest.mark.parametrize("form", [{"mode": "binary"}, {"mode": "ascii"}, {"long_size": 4}])
def test_a_file_cut_anywhere_is_refused(form: dict[str, Any]) -> None:
    value = Table.of([True, "text", 0.5, Tensor.of(np.zeros(3)), TorchObject("nn.A")])
    data = serial.write(value, **form)
    for length in range(len(data) - 1):
        with pytest.raises(FormatError, match=r"byte|empty"):
            serial.read(data[:length])


def test_a_module_within_itself_is_refused_a_table_is_not() -> None:
    inner = TorchObject("nn.Sequential", Table(modules=Table()))
    outer = TorchObject("nn.Sequential", Table(modules=Table.of([inner])))
    inner.fields["modules"][1] = outer
    with pytest.raises(FormatError, match=r"modules/1/modules/1: a nn.Sequential is within itself"):
        serial.read(serial.write(outer))
    node = Table()
    node["next"] = node
    assert serial.read(serial.write(node))["next"] is not None


def test_a_function_without_bytecode_is_what_a_definition_assigned() -> None:
    read = serial.read(serial.write(Table(f=Function())))
    assert isinstance(read["f"], Function)


def test_too_deep_is_refused() -> None:
    deep = b"".join(ints(3, index, 1, 5, 1) for index in range(1, 100_010))
    with pytest.raises(FormatError, match="values are nested deeper than 100,000"):
        serial.read(deep)


def test_depth_and_references_take_no_more_time_than_their_bytes() -> None:
    begin = b"".join(
        torch("nn.A", 2 * index) + ints(3, 2 * index + 1, 1) + ints(5, 1)
        for index in range(1, 10_000)
    )
    again = b"".join(struct.pack("<id", 1, index) + ints(4, 2) for index in range(30_000))
    start = time.process_time()
    with pytest.raises(FormatError, match=r"byte \d+"):
        serial.read(begin + ints(3, 1, 30_001) + again)
    assert time.process_time() - start < 10


def test_what_is_no_file_of_torch(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is empty"):
        serial.read(b"")
    with pytest.raises(FormatError, match="byte 0: the file is big endian"):
        serial.read(b"\0\0\0\4\0\0\0\1")
    with pytest.raises(FormatError, match=r"byte 0: \d+ is not the type of a value"):
        serial.read(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UsageError, match=r"none\.t7: cannot be read: No such file"):
        serial.read(tmp_path / "none.t7")
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(UsageError, match="cannot be read: it is not a file"):
            serial.read(path)


def test_the_fields_of_a_trained_net() -> None:
    net = serial.read(GOLDEN / "digits" / "model.t7")
    conv, norm = net.fields["modules"][2], net.fields["modules"][3]
    assert conv.typename == "nn.SpatialConvolution"
    assert (conv.fields["kW"], conv.fields["padH"]) == (3, 1)
    assert conv.fields["weight"].shape == (8, 1, 3, 3)
    data = (GOLDEN / "digits" / "model.t7").read_bytes()
    assert conv.place == f"modules/2 (byte {data.index(b'nn.SpatialConvolution') - 19})"
    assert (norm.version, norm.fields["eps"], norm.fields["affine"]) == (2, 1e-5, True)
    flat = serial.read(GOLDEN / "digits" / "weights.t7").array
    np.testing.assert_array_equal(conv.fields["weight"].array, flat[:72].reshape(8, 1, 3, 3))
    assert net.fields["modules"][9].fields["weight"].storage is conv.fields["weight"].storage


def test_a_damaged_file_of_a_32_bit_machine_is_told_as_such() -> None:
    value = serial.read(GOLDEN / "digits" / "model.t7")
    data = serial.write(value, long_size=4)
    with pytest.raises(FormatError, match=r"byte \d+: train: expected 4 bytes, but 3 "):
        serial.read(data[:-1])
