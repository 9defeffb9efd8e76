"""LabelSpecificAdd and ChannelScale."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import TEST
from protonet.testing import LayerHarness

X = np.array([[0.1, 0.9, -0.4], [0.2, 0.3, 0.7], [-0.2, 0.0, 0.5]])
LABELS = np.array([1.0, 0.0, 2.0])


def margin(fields: str, phase: int = 0, more: str = "") -> LayerHarness:
    text = f'type: "LabelSpecificAdd" {more} label_specific_add_param {{ {fields} }}'
    return LayerHarness(text, [X, LABELS], phase=phase, dtype=float)


def test_the_right_class_gets_the_margin_where_it_is_above_it() -> None:
    harness = margin("bias: -0.35")
    expected = X.copy()
    expected[0, 1] -= 0.35
    expected[2, 2] -= 0.35  # 0.2, in between, stays
    np.testing.assert_allclose(harness.forward()[0], expected, rtol=1e-6)
    dx, dlabels = harness.backward([X])
    np.testing.assert_array_equal(dx, X)
    assert dlabels is None


def test_a_test_adds_nothing() -> None:
    harness = margin("bias: -0.35 transform_test: true", TEST, 'top: "y" top: "m"')
    y, m = harness.forward()
    np.testing.assert_array_equal(y, X)
    assert m.tolist() == [0]


def test_an_annealed_margin_counts_passes_and_is_resumed() -> None:
    fields = "bias_base: 0 bias_gamma: -0.1 bias_power: 1 bias_min: -0.25 bias_max: 0"
    harness = margin(fields, more='top: "y" top: "m"')
    found = [float(harness.forward()[1][0]) for _ in range(5)]
    np.testing.assert_allclose(found, [0, -0.1, -0.2, -0.25, -0.25], atol=1e-7)
    other = margin(fields + " iteration: 7", more='top: "y" top: "m"')
    other.layer.restore({"passes": 1})
    np.testing.assert_allclose(other.forward()[1], [-0.1], atol=1e-7)
    assert other.layer.state() == {"passes": 2}


@pytest.mark.parametrize(
    ("fields", "shapes", "message"),
    [
        ("bias_base: 1 bias_min: 2", [(3, 4), (3,)], "expected a bias_min of at most bias_max, 0"),
        ("", [(3, 4, 2), (3,)], "expected scores N x C, got 'x' 3x4x2"),
        ("", [(3, 4), (2,)], "expected one label in 'l' for each of the 3 items"),
    ],
)
def test_margins_that_cannot_be(fields: str, shapes: list[tuple[int, ...]], message: str) -> None:
    text = 'type: "LabelSpecificAdd" bottom: "x" bottom: "l" label_specific_add_param '
    with pytest.raises(LayerError, match=message):
        LayerHarness(f"{text} {{ {fields} }}", [np.zeros(shape) for shape in shapes])


def test_a_factor_for_each_place() -> None:
    generator = np.random.default_rng(2)
    x, s, dy = (generator.standard_normal(shape) for shape in ((2, 3, 5), (2, 1, 5), (2, 3, 5)))
    harness = LayerHarness('type: "ChannelScale"', [x, s], dtype=float)
    np.testing.assert_allclose(harness.forward()[0], x * s)
    dx, ds = harness.backward([dy])
    np.testing.assert_allclose(dx, dy * s)
    np.testing.assert_allclose(ds, (dy * x).sum(axis=1, keepdims=True))


def test_a_factor_may_leave_values_and_gradients_as_they_are() -> None:
    x, s, dy = np.full((2, 3), 2.0), np.full(2, 5.0), np.full((2, 3), 7.0)
    fields = "do_forward: false do_backward_feature: false do_backward_scale: false"
    harness = LayerHarness(f'type: "ChannelScale" channel_scale_param {{ {fields} }}', [x, s])
    assert (harness.forward()[0] == 2).all()
    dx, ds = harness.backward([dy])
    assert dx is not None
    assert ds is not None
    assert (dx == 7).all()
    assert not ds.any()


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("", (2, 3), "expected a factor for each position"),
        ("global_scale: true", (2,), "not supported"),
    ],
)
def test_factors_that_cannot_be(fields: str, shape: tuple[int, ...], message: str) -> None:
    text = f'type: "ChannelScale" channel_scale_param {{ {fields} }}'
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros((2, 3)), np.zeros(shape)])


def test_right_and_wrong_classes_have_factors() -> None:
    text = 'type: "LabelSpecificRescale" label_specific_rescale_param {{ {} }}'
    fields = "positive_weight: 3 negative_weight: 0.5"
    harness = LayerHarness(text.format(fields), [X, LABELS], dtype=float)
    factors = np.full((3, 3), 0.5)
    factors[[0, 1, 2], [1, 0, 2]] = 3
    np.testing.assert_allclose(harness.forward()[0], X * factors)
    dx = harness.backward([np.ones((3, 3))])[0]
    np.testing.assert_array_equal(dx, factors)
    plain = LayerHarness(text.format(fields), [X, LABELS], phase=TEST, dtype=float)
    np.testing.assert_array_equal(plain.forward()[0], X)
    np.testing.assert_array_equal(plain.backward([X])[0], X)
    tested = LayerHarness(
        text.format(fields + " rescale_test: true"), [X, LABELS], phase=TEST, dtype=float
    )
    np.testing.assert_allclose(tested.forward()[0], X * factors)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(3, 2, 2), (3,)], "expected scores N x C, got 'x0' 3x2x2"),
        ([(3, 4), (2,)], "expected one label in 'x1' for each of the 3 items"),
    ],
)
def test_scores_that_cannot_be(shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness('type: "LabelSpecificRescale"', [np.zeros(shape) for shape in shapes])
