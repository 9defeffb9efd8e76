"""What layers cost, counted by hand."""

from __future__ import annotations

import pytest

from protonet.graph.cost import arithmetic, traffic
from tests.graph.nets import plan_of

IN = 'layer { name: "in" type: "Input" top: "x" input_param { shape { %s } } }'


@pytest.mark.parametrize(
    ("dims", "layer", "expected"),
    [
        # 4 outputs of 3 x 5 x 5 weights at 2 x 6 x 4 places, and the bias is none of them.
        (
            "dim: 2 dim: 3 dim: 10 dim: 8",
            'type: "Convolution" convolution_param { num_output: 4 kernel_size: 5 }',
            2 * 4 * 3 * 25 * 2 * 6 * 4,
        ),
        (
            "dim: 2 dim: 4 dim: 10 dim: 8",
            'type: "Convolution" convolution_param { num_output: 4 kernel_size: 1 group: 2 }',
            2 * 4 * 2 * 2 * 10 * 8,
        ),
        (
            "dim: 2 dim: 3 dim: 5 dim: 4",
            'type: "Deconvolution" convolution_param { num_output: 6 kernel_size: 2 stride: 2 }',
            2 * 3 * 6 * 4 * 2 * 5 * 4,
        ),
        (
            "dim: 7 dim: 3 dim: 5",
            'type: "InnerProduct" inner_product_param { num_output: 6 }',
            2 * 6 * 15 * 7,
        ),
        ("dim: 7 dim: 3 dim: 5", 'type: "ReLU"', 105),
        ("dim: 7 dim: 3 dim: 4", 'type: "Scale" scale_param { bias_term: true }', 84),
        (
            "dim: 2 dim: 3 dim: 8 dim: 8",
            'type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }',
            2 * 3 * 64,
        ),
    ],
)
def test_arithmetic(dims: str, layer: str, expected: int) -> None:
    text = f'{IN % dims} layer {{ name: "l" bottom: "x" top: "y" {layer} }}'
    assert arithmetic(plan_of(text).steps[1]) == expected


def test_a_recurrent_layer_uses_its_weights_at_every_step() -> None:
    text = (
        'layer { name: "in" type: "Input" top: "x" top: "cont" input_param { '
        "shape { dim: 5 dim: 2 dim: 3 } shape { dim: 5 dim: 2 } } } "
        'layer { name: "l" type: "LSTM" bottom: "x" bottom: "cont" top: "y" '
        "recurrent_param { num_output: 4 } }"
    )
    assert arithmetic(plan_of(text).steps[1]) == 2 * 5 * 2 * (16 * 3 + 16 * 4)


def test_traffic_touches_everything_once() -> None:
    layer = 'type: "InnerProduct" inner_product_param { num_output: 6 }'
    text = f'{IN % "dim: 7 dim: 15"} layer {{ name: "l" bottom: "x" top: "y" {layer} }}'
    assert traffic(plan_of(text).steps[1]) == 4 * (7 * 15 + 7 * 6 + 6 * 15 + 6)
