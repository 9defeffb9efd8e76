"""Layers in 8-bit integers."""

from __future__ import annotations

import pytest

from protonet.graph.int8 import integer_layers
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of

LAYERS = {
    'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }': True,
    'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 axis: 2 }': False,
    'type: "Convolution" convolution_param { num_output: 1 kernel_size: 160 pad: 80 }': False,
    'type: "Convolution" convolution_param { num_output: 3 kernel_size: 3 group: 3 }': True,
    'type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 group: 3 }': False,
    'type: "InnerProduct" inner_product_param { num_output: 4 }': True,
    'type: "InnerProduct" inner_product_param { num_output: 4 axis: 2 }': False,
    'type: "InnerProduct" inner_product_param { num_output: 4 transpose: true }': False,
    'type: "Pooling" pooling_param { kernel_size: 2 }': True,
    'type: "Pooling" pooling_param { kernel_size: 2 pool: AVE }': True,
    'type: "Pooling" pooling_param { kernel_size: 2 pool: STOCHASTIC }': False,
    'type: "Concat"': True,
    'type: "Concat" concat_param { axis: 2 }': False,
    'type: "Eltwise" bottom: "y"': True,
    'type: "Eltwise" bottom: "y" eltwise_param { operation: MAX }': False,
    'type: "TanH"': False,
}


@pytest.mark.parametrize("text", LAYERS)
def test_layers_that_can_compute_in_8_bits(text: str) -> None:
    shape = "shape { dim: 1 dim: 3 dim: 8 dim: 8 }"
    plan = plan_of(
        f'layer {{ name: "in" type: "Input" top: "x" top: "y" input_param {{ {shape} {shape} }} }}'
        f'layer {{ name: "a" bottom: "x" top: "a" {text} }}',
        TEST,
    )
    assert integer_layers(plan) == (("a",) if LAYERS[text] else ())
