"""The filler of a BatchNorm of Intel's fork."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.text import Source, read_net

NORM = """layer { name: "n" type: "BatchNorm" bottom: "x" top: "y"
  batch_norm_param { eps: 0.5 filler { value: 0 } } }
"""


def read(text: str) -> NetParameter:
    data = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 3] } } }\n'
    return read_net(Source("net.prototxt", data + text)).net


def test_it_is_the_filler_of_the_scale_that_follows() -> None:
    net = read(
        NORM + 'layer { name: "s" type: "Scale" bottom: "y" top: "y" }'
        'layer { name: "t" type: "Scale" bottom: "y" top: "z" }'
    )
    assert not net.layer[1].batch_norm_param.HasField("filler")
    assert net.layer[1].batch_norm_param.eps == 0.5
    assert net.layer[2].scale_param.filler.HasField("value")
    assert net.layer[2].scale_param.filler.value == 0
    assert not net.layer[3].scale_param.HasField("filler")


def test_a_scale_keeps_a_filler_of_its_own() -> None:
    scale = (
        'layer { name: "s" type: "Scale" bottom: "y" top: "y" scale_param { filler { value: 3 } } }'
    )
    net = read(NORM + scale)
    assert net.layer[2].scale_param.filler.value == 3


@pytest.mark.parametrize(
    "after",
    [
        "",
        'layer { name: "r" type: "ReLU" bottom: "y" top: "y" }'
        'layer { name: "s" type: "Scale" bottom: "y" top: "y" }',
        'layer { name: "s" type: "Scale" bottom: "y" bottom: "x" top: "z" }',
    ],
)
def test_without_such_a_layer_it_is_refused(after: str) -> None:
    with pytest.raises(NetworkError) as caught:
        read(NORM + after)
    (mistake,) = caught.value.mistakes
    assert mistake.message == (
        'layer "n" (BatchNorm): filler is that of the Scale layer of one bottom that follows; '
        "none does"
    )
    assert (mistake.line, mistake.column) == (3, 31)
