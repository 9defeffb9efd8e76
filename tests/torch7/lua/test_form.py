"""Values between processes."""

from __future__ import annotations

import io
import json

import numpy as np

from protonet.torch7.lua.form import Packer, Unpacker, from_bytes, receive, send, to_bytes
from protonet.torch7.objects import Function, Storage, Table, Tensor, TorchObject
from protonet.torch7.random import Generator


def crossed(value: object, random: Generator | None = None) -> tuple[object, Unpacker]:
    packer = Packer()
    root = packer.reference(value)
    form, arrays = packer.packed(random or Generator(1))
    told, parts = to_bytes(arrays)
    text = json.dumps([root, form, told])
    root, form, told = json.loads(text)
    unpacker = Unpacker(form, from_bytes(told, memoryview(b"".join(parts))))
    return unpacker.value(root), unpacker


def test_objects_cross_with_their_lines_and_what_they_share() -> None:
    shared = Tensor.of(np.arange(6.0).reshape(2, 3))
    view = Tensor("Float", shared.storage, 1, (2,), (3,))
    fields = Table({"weight": shared, "view": view, "n": 2, "x": 0.5, "on": True, "f": Function()})
    fields["self"] = fields["modules"] = Table.of([1, "two"])
    found, _ = crossed(TorchObject("nn.Linear", fields, 7, 2))
    assert isinstance(found, TorchObject)
    assert (found.typename, found.line, found.version) == ("nn.Linear", 7, 2)
    assert list(found.fields) == list(fields)
    assert found.fields["view"].array.tolist() == [1, 4]
    found.fields["weight"].array[...] = 9
    assert found.fields["view"].array.tolist() == [9, 9]
    assert found.fields["self"] is found.fields["modules"]
    assert isinstance(found.fields["f"], Function)
    assert (found.fields["n"], found.fields["x"], found.fields["on"]) == (2, 0.5, True)


def test_cycles_cross() -> None:
    table = Table()
    table["self"] = table
    found, _ = crossed(table)
    assert isinstance(found, Table)
    assert found["self"] is found


def test_zeros_that_nobody_read_cross_as_their_size() -> None:
    packer = Packer()
    storage = Storage("Float", 10**9)
    packer.reference(Tensor("Float", storage, 0, (10**9,), (1,)))
    form, arrays = packer.packed(Generator())
    assert arrays == []
    assert len(json.dumps(form)) < 300


def test_pending_numbers_are_drawn_on_the_other_side() -> None:
    def pair() -> tuple[Generator, Tensor, Tensor]:
        random = Generator(5)
        first, second = (Tensor("Float", Storage("Float", 3), 0, (3,), (1,)) for _ in range(2))
        random.scalar("normal", 0, 1)
        random.draw(first, "normal", 0, 1)
        random.copy(second, first)
        random.write(first, "mul", 2)
        return random, first, second

    _, first, second = pair()
    random, *values = pair()
    found, unpacker = crossed(Table.of(values), random)
    assert isinstance(found, Table)
    assert found[1].storage.settle is not None
    assert unpacker.generator.numbers.drawn == 2
    np.testing.assert_array_equal(found[2].array, second.array)
    np.testing.assert_array_equal(found[1].array, first.array)


def test_messages() -> None:
    stream = io.BytesIO()
    send(stream, {"a": 1}, [np.arange(3, dtype=np.float32), np.zeros(2, np.int64)])
    stream.seek(0)
    header, arrays = receive(stream)
    assert header["a"] == 1
    assert [each.tolist() for each in arrays] == [[0, 1, 2], [0, 0]]
