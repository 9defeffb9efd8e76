"""DeepLab's names for dilation."""

from __future__ import annotations

import re

import pytest

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.text import Source, read_net


def read(param: str, old: bool = False) -> NetParameter:
    kind = "layers { type: CONVOLUTION" if old else 'layer { type: "Convolution"'
    text = f'{kind} name: "fc6" bottom: "x" top: "y" convolution_param {{ {param} }} }}'
    return read_net(Source("net.prototxt", text)).net


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("param", "dilation"),
    [("hole: 12", [12]), ("hole_h: 2 hole_w: 3", [2, 3]), ("dilation: 4", [4])],
)
def test_a_hole_is_a_dilation(param: str, dilation: list[int], old: bool) -> None:
    found = read(f"num_output: 5 kernel_size: 3 {param}", old).layer[0].convolution_param
    assert list(found.dilation) == dilation
    assert (found.num_output, list(found.kernel_size)) == (5, [3])
    assert not any(found.HasField(name) for name in ("hole", "hole_h", "hole_w"))


@pytest.mark.parametrize(
    ("param", "got"),
    [
        ("hole: 2 dilation: 2", "dilation and hole"),
        ("hole_h: 2", "hole_h"),
        ("hole: 2 hole_w: 2", "hole and hole_w"),
        ("hole: 2 hole_h: 2 hole_w: 2", "hole and hole_h and hole_w"),
    ],
)
def test_one_way_to_say_it(param: str, got: str) -> None:
    message = (
        f': layer "fc6" (Convolution): expected dilation, hole, or hole_h and hole_w, got {got}'
    )
    with pytest.raises(NetworkError, match=r"^net\.prototxt:1:(88|90)" + re.escape(message + "\n")):
        read(param)
