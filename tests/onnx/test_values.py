"""Layers of values that no golden case has, in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from tests.onnx.beside import hold, layer, values

CASES = [
    ('type: "Axpy"', [(2, 3, 1, 1), (2, 3, 4, 5), (2, 3, 4, 5)]),
    ('type: "Axpy"', [(2, 3), (2, 3, 4, 5), (2, 3, 4, 5)]),
    ('type: "BatchNorm"', [(6,)]),
    ('type: "BatchNorm" batch_norm_param { eps: 0.5 add_eps_before_sqrt: false }', [(2, 6, 3)]),
    ('type: "BatchNorm" batch_norm_param { scale_bias: true scale_filler { value: 2 } }',
     [(2, 3, 4)]),
    ('type: "BN" bn_param { slope_filler { type: "gaussian" } bias_filler { value: 2 } }',
     [(2, 3, 4, 5)]),
    ('type: "BN" bn_param { scale_filler { type: "gaussian" } bn_mode: INFERENCE }', [(2, 3, 4)]),
    ('type: "Bias" bias_param { axis: 1 num_axes: 2 filler { type: "gaussian" } }', [(2, 3, 4, 5)]),
    ('type: "Eltwise" eltwise_param { operation: SUM coeff: 2 coeff: -1 }', [(2, 3), (2, 3)]),
    ('type: "Exp" exp_param { base: 2 scale: 3 shift: -1 }', [(2, 3, 4)]),
    ('type: "MVN" mvn_param { across_channels: true }', [(2, 3, 4, 5)]),
    ('type: "MVN" mvn_param { normalize_variance: false }', [(2, 3)]),
    ('type: "Normalize"', [(2, 3, 4, 5)]),
    ('type: "Normalize" normalize_param { normalize_type: "L1" }', [(2, 3, 4, 5)]),
    ('type: "InnerProduct" inner_product_param { num_output: 4 normalize: true '
     'weight_filler { type: "gaussian" } }', [(2, 3, 5)]),
    ('type: "Scale" scale_param { max_value: 0.5 min_value: -0.5 '
     'filler { type: "gaussian" } }', [(2, 7, 3)]),
    ('type: "Normalize" norm_param { across_spatial: false channel_shared: false '
     'scale_filler { type: "gaussian" } }', [(2, 3, 4, 5)]),
    ('type: "Power" power_param { scale: 0 shift: 3 power: 2 }', [(2, 3)]),
    ('type: "Power" power_param { power: 2 shift: -1 }', [(2, 3)]),
    ('type: "ReLU6"', [(20, 30)]),
    ('type: "Scale" scale_param { axis: 0 bias_term: true bias_filler { value: 3 } }',
     [(2, 3, 4, 5), (2, 3)]),
    ('type: "Swish" swish_param { beta: 2 }', [(2, 3)]),
    ('type: "HardSwish"', [(20, 30)]),
    ('type: "SeLu" selu_param { alpha: 2 }', [(20, 30)]),
    ('type: "Add"', [(2, 3, 4, 5), (3, 1, 5)]),
    ('type: "Mul"', [(2, 3, 1), (2, 1, 3, 4)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shapes"), CASES, ids=lambda value: str(value)[:60])
def test_values(text: str, shapes: list[tuple[int, ...]]) -> None:
    net = layer(text, *shapes)
    hold(net, values(net))


def test_of_equal_values_the_last_is_the_greatest() -> None:
    net = layer('type: "ArgMax" argmax_param { top_k: 3 out_max_val: true }', (2, 5))
    x = np.array([[1, 3, 3, 0, 3], [2, 2, 1, 1, 0]], np.float32)
    hold(net, {"x0": x})


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("values_too", ["true", "false"])
def test_greatest_along_an_axis(axis: int, values_too: str) -> None:
    net = layer(
        f'type: "ArgMax" argmax_param {{ axis: {axis} top_k: 2 out_max_val: {values_too} }}',
        (2, 3, 4, 5),
    )
    hold(net, values(net))


def test_one_step_of_an_lstm() -> None:
    net = layer('type: "LSTMUnit"', (1, 3, 5), (1, 3, 20), (1, 3), tops=2)
    given = values(net)
    given["x2"] = np.array([[1, 0, 1]], np.float32)
    hold(net, given)
