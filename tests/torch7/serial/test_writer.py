"""What is written is what torch.save writes."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.torch7 import serial
from protonet.torch7.objects import DTYPES, Function, Storage, Table, Tensor, TorchObject
from protonet.torch7.serial.writer import Mode

GOLDEN = Path(__file__).parents[2] / "golden_torch7" / "trainings"


@pytest.mark.parametrize("training", ["digits", "regression"])
@pytest.mark.parametrize(
    ("file", "mode"),
    [("model.t7", "binary"), ("model.ascii.t7", "ascii"), ("weights.t7", "binary")],
)
def test_torchs_own_files_are_the_same_again(training: str, file: str, mode: Mode) -> None:
    path = GOLDEN / training / file
    assert serial.write(serial.read(path), mode) == path.read_bytes()


@pytest.mark.parametrize("training", ["digits", "regression"])
def test_one_form_becomes_the_other(training: str) -> None:
    binary, text = (GOLDEN / training / name for name in ("model.t7", "model.ascii.t7"))
    assert serial.write(serial.read(text)) == binary.read_bytes()
    assert serial.write(serial.read(binary), "ascii") == text.read_bytes()
    small = serial.write(serial.read(binary), long_size=4)
    assert serial.write(serial.read(small)) == binary.read_bytes()


def test_a_value_of_each_type() -> None:
    def number(value: float) -> bytes:
        return struct.pack("<id", 1, value)

    for value, expected in [
        (None, struct.pack("<i", 0)),
        (True, struct.pack("<ii", 5, 1)),
        (7, number(7)),
        (np.float32(0.5), number(0.5)),
        ("äb", struct.pack("<ii3s", 2, 3, "äb".encode())),
        (b"\xff\0", struct.pack("<ii2s", 2, 2, b"\xff\0")),
        ([1.5], struct.pack("<iii", 3, 1, 1) + number(1) + number(1.5)),
        ({"a": None}, struct.pack("<iii", 3, 1, 0)),
    ]:
        assert serial.write(value) == expected


def test_numbers_of_the_ascii_form_are_those_of_c() -> None:
    values = [0.1, 1e-5, 1e17, -0.0, math.inf, -math.inf, math.nan, -math.nan, 123456789]
    lines = serial.write(values, "ascii").decode().split("\n")[3:-1]
    assert lines[3::4] == [
        "0.10000000000000001",
        "1.0000000000000001e-05",
        "1e+17",
        "-0",
        "inf",
        "-inf",
        "nan",
        "-nan",
        "123456789",
    ]
    floats = Tensor.of(np.array([0.1, 1e-5, math.nan, -math.nan, 3]), "Float")
    assert b"\n0.100000001 9.99999975e-06 nan -nan 3\n" in serial.write(floats, "ascii")
    bytes_ = Tensor.of(np.array([65, 66, 10]), "Byte")
    assert serial.write(bytes_, "ascii").endswith(b"torch.ByteStorage\n3\nAB\n\n")


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("form", ["ascii", 4, 8])
def test_tensors_of_every_kind_come_back(kind: str, form: Any) -> None:
    values = np.arange(1, 7).reshape(2, 3)
    shared = Storage(kind, 6, values.reshape(-1).astype(DTYPES[kind]))
    table = Table.of([Tensor(kind, shared, 0, (2, 3), (3, 1)), Tensor(kind, shared, 1, (2,), (3,))])
    mode = {"mode": "ascii"} if form == "ascii" else {"long_size": form}
    read = serial.read(serial.write(table, **mode))
    np.testing.assert_array_equal(read[1].array, values)
    np.testing.assert_array_equal(read[2].array, [2, 5])
    assert read[1].array.dtype == DTYPES[kind]
    assert read[1].storage is read[2].storage
    read[2].array[0] = 9  # storages are writable
    assert read[1].array[0, 1] == 9


@pytest.mark.parametrize("mode", ["binary", "ascii"])
def test_what_is_one_object_stays_one(mode: Mode) -> None:
    inner = Table(a=1)
    thing = TorchObject("nn.Thing", Table(inner=inner, version=2), version=3)
    table = Table.of([inner, thing, inner])
    table[inner] = "a table is a key"
    table["self"] = table
    read = serial.read(serial.write(table, mode))
    assert read[1] is read[3] is read[2].fields["inner"]
    assert read["self"] is read
    assert read[read[1]] == "a table is a key"
    assert (read[2].typename, read[2].version) == ("nn.Thing", 3)


def test_an_object_from_before_versions_has_none() -> None:
    data = serial.write(TorchObject("nn.Old", version=0))
    assert data == struct.pack("<iii6siii", 4, 1, 6, b"nn.Old", 3, 2, 0)
    assert serial.read(data).version == 0


def test_an_empty_tensor_has_no_dimensions_and_no_storage() -> None:
    assert serial.write(Tensor("Float"), "ascii").endswith(b"FloatTensor\n0\n1\n0\n")
    emptied = Tensor.of(np.zeros((0, 3)))
    assert serial.read(serial.write(emptied)).shape == ()


@pytest.mark.parametrize("form", [6, 7, 8])
def test_functions_come_back_with_their_upvalues(form: int) -> None:
    function = Function(Table.of([3]), b"\x1bLJ", form)
    read = serial.read(serial.write([function, function]), functions=True)
    assert (read[1].code, read[1].form, read[1].upvalues[1]) == (b"\x1bLJ", form, 3)
    assert (read[1] is read[2]) == (form != 6)


def test_depth_is_no_danger() -> None:
    value: Any = Table()
    for _ in range(20_000):
        value = Table(a=value)
    depth, read = 0, serial.read(serial.write(value))
    while "a" in read:
        depth, read = depth + 1, read["a"]
    assert depth == 20_000


def test_what_torch_has_no_form_for_is_refused() -> None:
    with pytest.raises(FormatError, match=r"a object cannot be written to a \.t7 file"):
        serial.write([object()])


def test_a_file_is_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.t7"
    serial.save(path, Table(a=1), "ascii")
    assert path.read_bytes() == b"3\n1\n1\n2\n1\na\n1\n1\n"
    with pytest.raises(FormatError):
        serial.save(path, object())
    assert serial.read(path)["a"] == 1
    with pytest.raises(UsageError, match="cannot be written"):
        serial.save(tmp_path / "none" / "a.t7", 1)
