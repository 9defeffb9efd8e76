"""What layers cost, counted by hand."""

from __future__ import annotations

import pytest

from protonet.graph.cost import arithmetic, backward_arithmetic, backward_traffic, traffic
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


def test_backward_is_one_pass_more_for_each_kind_of_gradient() -> None:
    plan = plan_of(
        IN % "dim: 7 dim: 4"
        + """
        layer { name: "a" type: "InnerProduct" bottom: "x" top: "a"
          inner_product_param { num_output: 5 } }
        layer { name: "r" type: "ReLU" bottom: "a" top: "r" }
        layer { name: "b" type: "InnerProduct" bottom: "r" top: "b"
          inner_product_param { num_output: 3 } }
        layer { name: "c" type: "InnerProduct" bottom: "b" top: "c" param { lr_mult: 0 }
          param { lr_mult: 0 } inner_product_param { num_output: 2 } }
        layer { name: "s" type: "Reduction" bottom: "c" top: "s" loss_weight: 1 }
        """
    )
    steps = {step.name: step for step in plan.steps}
    assert backward_arithmetic(steps["in"]) == backward_traffic(steps["in"]) == 0
    assert backward_arithmetic(steps["a"]) == arithmetic(steps["a"]) == 2 * 7 * 4 * 5
    assert backward_arithmetic(steps["b"]) == 2 * arithmetic(steps["b"])
    assert backward_arithmetic(steps["c"]) == arithmetic(steps["c"])
    assert backward_arithmetic(steps["r"]) == 35
    assert backward_traffic(steps["a"]) == 4 * (7 * 5 + 7 * 4 + 2 * (4 * 5 + 5))
    assert backward_traffic(steps["b"]) == 4 * (7 * 3 + 2 * 7 * 5 + 2 * (5 * 3 + 3))
    assert backward_traffic(steps["c"]) == 4 * (7 * 2 + 2 * 7 * 3 + (3 * 2 + 2))
