"""Parameters that are kept packed alone."""

from __future__ import annotations

import numpy as np

from protonet.device import Device
from protonet.graph.net import Net
from protonet.kernels.convolution import NativeConvolve
from protonet.kernels.pixels import NativeConvolvePixels
from protonet.layers.packed_weights import keep_packed, lacks_values, packed_growth, packs_alone
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of

TEXT = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 8 dim: 7 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 32 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "y" top: "z" }
"""


def net(*, keep: bool) -> Net:
    return Net(plan_of(TEXT, TEST), Device(), packed=True, keep_weights=keep)


def test_a_convolution_of_places_releases_its_weights_and_no_other_layer() -> None:
    plain, kept = net(keep=False), net(keep=True)
    x = np.random.default_rng(2).normal(size=(1, 8, 7, 5)).astype(np.float32)
    layer = kept.layers[1]
    assert isinstance(layer.packing, NativeConvolve | NativeConvolvePixels)
    size = layer.packing.packed_bytes
    assert size >= 4 * 8 * 32
    assert packed_growth(layer, shared=False) == size - 4 * 8 * 32
    assert packed_growth(layer, shared=True) == size
    for each in (plain.layers[1], *plain.layers[2:]):
        assert packed_growth(each, shared=False) == 0
        assert not packs_alone(each)
    param = kept.params["c"][0]
    assert packs_alone(layer)
    assert not packs_alone(layer, {id(param)})
    keep_packed(layer, param.data)
    assert [param.released for param in plain.params["c"]] == [False, False]
    assert [param.released for param in kept.params["c"]] == [True, False]
    answers = []
    for each in (plain, kept):
        each.inputs["x"].data[...] = x
        each.forward()
        answers.append(each.outputs()[0][1])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-6, atol=1e-6)
    assert np.abs(answers[0]).max() > 0.1
    assert not lacks_values(layer)
    param.packed.clear()
    assert lacks_values(layer)
    assert not lacks_values(kept.layers[2])
