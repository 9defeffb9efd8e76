"""Padding side by side and relu6, of Synopsys' fork."""

from __future__ import annotations

import re

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, NetParameter
from protonet.proto.text import Source, read_net

DATA = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 3, 5, 7] } } }\n'


def read(fields: str, kind: str = "Convolution", more: str = "") -> NetParameter:
    text = f"""{DATA}layer {{ name: "y" type: "{kind}" bottom: "x" top: "y" {more}
        convolution_param {{ num_output: 4 kernel_size: 3 {fields} }} }}"""
    return read_net(Source("net.prototxt", text)).net


def test_equal_sides_are_a_pad() -> None:
    net = read("pad_l: 2 pad_r: 2 pad_t: 1 pad_b: 1")
    param = net.layer[1].convolution_param
    assert len(net.layer) == 2
    assert (param.pad_h, param.pad_w) == (1, 2)
    assert not any(param.HasField(side) for side in ("pad_l", "pad_r", "pad_t", "pad_b"))


def test_sides_of_0_are_none() -> None:
    param = read("pad: 1 pad_l: 0 pad_r: 0 pad_t: 0 pad_b: 0").layer[1].convolution_param
    assert list(param.pad) == [1]
    assert not param.HasField("pad_l")


def test_uneven_sides_are_put_around_the_bottom() -> None:
    """The numbers are those of a convolution over the padded image."""
    text = f"""{DATA}layer {{ name: "y" type: "Convolution" bottom: "x" top: "y"
        convolution_param {{ num_output: 4 kernel_size: 3 stride: 2 pad_r: 1 pad_b: 2
        weight_filler {{ type: "gaussian" }} }} }}"""
    net = Net(plan_net(read_net(Source("net.prototxt", text)), phase=TEST), Device())
    x = np.random.default_rng(3).standard_normal((2, 3, 5, 7)).astype(np.float32)
    net.blobs["x"].data[...] = x
    net.forward()
    wide = np.pad(x, [(0, 0), (0, 0), (0, 2), (0, 1)])
    weight = net.params["y"][0].data
    expected = np.empty((2, 4, 3, 3))
    for i in range(3):
        for j in range(3):
            window = wide[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            expected[:, :, i, j] = np.einsum("nchw,ochw->no", window, weight)
    np.testing.assert_allclose(net.blobs["y"].data, expected, atol=1e-4)
    net.close()


def test_what_is_added_keeps_phase_and_finds_a_name() -> None:
    text = f"""{DATA}layer {{ name: "y_pad" type: "ReLU" bottom: "x" top: "y_pad" }}
        layer {{ name: "y" type: "Convolution" bottom: "y_pad" top: "y" include {{ phase: TEST }}
        convolution_param {{ num_output: 4 kernel_size: 3 pad_r: 1 }} }}"""
    net = read_net(Source("net.prototxt", text)).net
    assert [layer.name for layer in net.layer] == ["x", "y_pad", "y_pad_", "y"]
    assert list(net.layer[2].bottom) == ["y_pad"]
    assert list(net.layer[3].bottom) == ["y_pad_"]
    assert [rule.phase for rule in net.layer[2].include] == [TEST]


def test_a_relu_of_relu6_is_a_relu6() -> None:
    text = 'layer { name: "y" type: "ReLU" bottom: "x" top: "x" relu_param { relu6: true } }'
    assert read_net(Source("net.prototxt", DATA + text)).net.layer[1].type == "ReLU6"
    plain = text.replace("true", "false")
    assert read_net(Source("net.prototxt", DATA + plain)).net.layer[1].type == "ReLU"


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ("pad: 1 pad_l: 1", "Convolution", "pad and pad_l are both given"),
        ("pad_h: 1 pad_w: 1 pad_t: 1", "Convolution", "pad and pad_t are both given"),
        ("pad_l: 1", "Deconvolution", "expected pad_l as pad_r, and pad_t as pad_b"),
        ("pad_l: 1 axis: 2", "Convolution", "others are for a Convolution of one bottom"),
    ],
)
def test_sides_that_cannot_be(fields: str, kind: str, message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)) as caught:
        read(fields, kind)
    assert "net.prototxt:3" in str(caught.value)


def test_a_leaning_relu6_is_refused() -> None:
    fields = "relu_param { relu6: true negative_slope: 0.1 }"
    text = f'{DATA}layer {{ name: "y" type: "ReLU" bottom: "x" top: "x" {fields} }}'
    with pytest.raises(NetworkError, match="relu6 and a negative_slope cannot go together"):
        read_net(Source("net.prototxt", text))


def test_upsample_darknet_is_an_upsample() -> None:
    text = DATA + 'layer { name: "y" type: "UpsampleDarknet" bottom: "x" top: "y" %s }'
    net = read_net(Source("net", text % "upsample_darknet_param { stride: 2 }")).net
    assert net.layer[1].type == "Upsample"
    assert net.layer[1].upsample_param.scale == 2
    assert not net.layer[1].HasField("upsample_darknet_param")
    assert read_net(Source("net", text % "")).net.layer[1].upsample_param.scale == 1
    with pytest.raises(NetworkError, match="expected a stride of 1 or more, got 0"):
        read_net(Source("net", text % "upsample_darknet_param { stride: 0 }"))
