"""InnerProduct and Dropout."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import LayerHarness

X = np.arange(2 * 3 * 5 * 7, dtype=np.float64).reshape(2, 3, 5, 7)


def product(fields: str, *rest: str) -> str:
    return " ".join((f'type: "InnerProduct" inner_product_param {{ {fields} }}', *rest))


@pytest.mark.parametrize(
    ("fields", "weight", "top"),
    [
        ("", (4, 105), (2, 4)),
        ("axis: 0", (4, 210), (4,)),
        ("axis: -1 transpose: true", (7, 4), (2, 3, 5, 4)),
    ],
)
def test_shapes(fields: str, weight: tuple[int, ...], top: tuple[int, ...]) -> None:
    harness = LayerHarness(product(f"num_output: 4 {fields}"), [X])
    assert [param.shape for param in harness.layer.params] == [weight, (4,)]
    assert [array.shape for array in harness.tops] == [top]


def test_without_fillers_the_weights_are_zero_and_with_them_they_are_not() -> None:
    plain = LayerHarness(product("num_output: 4"), [X])
    assert not plain.forward()[0].any()
    filled = LayerHarness(
        product(
            "num_output: 4 weight_filler { value: 0.5 } bias_filler { value: 2 }",
        ),
        [X],
        dtype=np.float64,
    )
    expected = 0.5 * X.reshape(2, -1).sum(axis=1, keepdims=True) + 2
    np.testing.assert_array_equal(filled.forward()[0], np.repeat(expected, 4, axis=1))


def test_a_parameter_with_lr_mult_0_gets_no_gradient() -> None:
    text = product("num_output: 4", "param { lr_mult: 0 } param { lr_mult: 2 }")
    harness = LayerHarness(text, [X], dtype=np.float64)
    harness.forward()
    harness.backward([np.ones((2, 4))])
    weight, bias = harness.param_diffs
    assert not weight.any()
    assert bias.tolist() == [2.0] * 4


def test_the_gradients_of_parameters_need_none_of_the_bottom() -> None:
    harness = LayerHarness(product("num_output: 4"), [X], dtype=np.float64)
    harness.dbottoms = [None]
    harness.forward()
    assert harness.backward([np.ones((2, 4))]) == [None]
    np.testing.assert_array_equal(
        harness.param_diffs[0], np.tile(X.reshape(2, -1).sum(axis=0), (4, 1))
    )


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "num_output is missing: expected a count of 1 or more", ("inner_product_param",)),
        (
            "num_output: 0",
            "num_output is 0: expected a count of 1 or more",
            ("inner_product_param", "num_output"),
        ),
        (
            "num_output: 2 axis: 4",
            "axis 4 is out of range for a bottom of shape 2x3x5x7",
            ("inner_product_param", "axis"),
        ),
        (
            'num_output: 2 weight_filler { type: "xaver" }',
            "unknown filler type 'xaver'; did you mean 'xavier'?",
            ("inner_product_param", "weight_filler", "type"),
        ),
        (
            'num_output: 2 bias_filler { type: "bilinear" }',
            "a bilinear filler needs 4 axes with a square kernel, got 2",
            ("inner_product_param", "bias_filler", "type"),
        ),
    ],
)
def test_mistakes(fields: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(product(fields), [X])
    assert (str(caught.value), caught.value.path) == (message, path)


def dropout(ratio: float, phase: int = TRAIN, seed: int = 0, count: int = 40_000) -> LayerHarness:
    text = f'type: "Dropout" dropout_param {{ dropout_ratio: {ratio} }}'
    return LayerHarness(text, [np.ones(count)], phase=phase, seed=seed)


def test_dropout_keeps_the_mean_and_sends_gradients_where_values_went() -> None:
    harness = dropout(0.25)
    (top,) = harness.forward()
    assert set(np.unique(top)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(top.mean() - 1) < 0.01
    (gradient,) = harness.backward([np.full(top.shape, 3.0)])
    np.testing.assert_array_equal(gradient, 3 * top)


def test_dropout_draws_by_seed_and_iteration() -> None:
    harness = dropout(0.5)
    first = harness.forward()[0]
    np.testing.assert_array_equal(harness.forward()[0], first)
    harness.clock.iteration = 1
    assert (harness.forward()[0] != first).any()
    assert (dropout(0.5, seed=1).forward()[0] != first).any()


def test_dropout_with_ratio_0_keeps_everything() -> None:
    assert dropout(0).forward()[0].tolist() == [1.0] * 40_000


def test_dropout_with_ratio_1_drops_everything_in_train() -> None:
    """Where Caffe's 0 / 0 is NaN; in TEST everything stays, as always."""
    harness = dropout(1)
    assert not harness.forward()[0].any()
    (gradient,) = harness.backward([np.ones(40_000)])
    assert gradient is not None
    assert not gradient.any()
    assert dropout(1, TEST).forward()[0].tolist() == [1.0] * 40_000


def test_dropout_may_draw_in_test_too() -> None:
    text = 'type: "Dropout" dropout_param { dropout_ratio: 0.25 sample_weights_test: true }'
    harness = LayerHarness(text, [np.ones(40_000)], phase=TEST)
    assert not harness.layer.traits.view
    np.testing.assert_array_equal(harness.forward()[0], dropout(0.25).forward()[0])


def test_dropout_shares_memory_in_test_only() -> None:
    assert dropout(0.5, TEST).layer.traits.view
    assert not dropout(0.5, TRAIN).layer.traits.view
    assert dropout(0.5, TEST).forward()[0].tolist() == [1.0] * 40_000


def test_dropout_without_a_wanted_gradient_writes_none() -> None:
    harness = dropout(0.5)
    harness.dbottoms = [None]
    harness.forward()
    assert harness.backward([np.ones(40_000)]) == [None]


@pytest.mark.parametrize("ratio", [-0.1, 1.5])
def test_dropout_refuses_a_ratio_that_is_no_probability(ratio: float) -> None:
    with pytest.raises(LayerError) as caught:
        dropout(ratio)
    assert str(caught.value) == f"expected 0 <= dropout_ratio <= 1, got {ratio:g}"
    assert caught.value.path == ("dropout_param", "dropout_ratio")


def test_dropout_of_whole_channels() -> None:
    text = 'type: "Dropout" dropout_param { dropout_ratio: 0.25 mask_axes: 2 }'
    harness = LayerHarness(text, [np.ones((40, 50, 3, 4))])
    (top,) = harness.forward()
    assert (top == top[:, :, :1, :1]).all()
    assert set(np.unique(top)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(top.mean() - 1) < 0.05
    (gradient,) = harness.backward([np.full(top.shape, 3.0)])
    np.testing.assert_array_equal(gradient, 3 * top)


def test_dropout_has_not_more_masks_than_axes() -> None:
    text = 'type: "Dropout" dropout_param { mask_axes: 3 }'
    with pytest.raises(LayerError, match="at most 2 mask_axes for a bottom of shape 2x3, got 3"):
        LayerHarness(text, [np.ones((2, 3))])
