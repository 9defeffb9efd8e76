"""The wire format of nets: values are replaced, all else is kept."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.formats.blobs import from_array
from protonet.formats.wire import field_of, rewritten
from protonet.proto.caffe_pb2 import BlobProto, NetParameter, V1LayerParameter


def a_net() -> NetParameter:
    net = NetParameter(name="n")
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    net.layer.add(name="a", type="InnerProduct", blobs=[from_array(values)])
    net.layers.add(name="b", type=V1LayerParameter.RELU, blobs=[from_array(values[1])])
    return net


def change(data: bytes, replaced: list[tuple[int, int, int]]) -> NetParameter:
    def instead(number: int, begin: int, end: int) -> bytes | None:
        replaced.append((number, begin, end))
        return field_of(12, b"xyz") if number == 5 else None

    parts = rewritten(data, 0, len(data), NetParameter.DESCRIPTOR, instead)
    return NetParameter.FromString(b"".join(parts))


def test_fields_of_blobs_are_replaced_in_both_kinds_of_layers() -> None:
    net, replaced = a_net(), list[tuple[int, int, int]]()
    data = net.SerializeToString()
    found = change(data, replaced)
    places = [data[begin:end] for number, begin, end in replaced if number == 5]
    assert [np.frombuffer(place, "<f4").tolist() for place in places] == [
        [3, 4, 5],
        [0, 1, 2, 3, 4, 5],
    ]
    for blob in (net.layer[0].blobs[0], net.layers[0].blobs[0]):
        del blob.data[:]
        blob.raw_data = b"xyz"
    assert found == net


def test_what_is_no_message_is_refused() -> None:
    data = a_net().SerializeToString()
    for wrong in (data[:-1], b"\xff" * 12, b"\x0b"):
        with pytest.raises(ValueError, match=r"cut short|group"):
            change(wrong, [])


def test_a_field_has_tag_and_length() -> None:
    blob = BlobProto.FromString(field_of(12, bytes(300)))
    assert blob.raw_data == bytes(300)
