"""Batch normalization: running sums, edges and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import FormatError, LayerError
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import TEST
from protonet.testing import LayerHarness, check_gradients
from tests.graph.nets import plan_of

X = (4, 3, 5, 2)


def test_running_sums_are_caffes() -> None:
    x = np.random.default_rng(0).standard_normal(X)
    run = LayerHarness('type: "BatchNorm" batch_norm_param { moving_average_fraction: 0.5 }', [x])
    run.forward()
    run.forward()
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
    sums, variances, weight = (param.data for param in run.layer.params)
    np.testing.assert_allclose(sums, 1.5 * mean, rtol=1e-4)
    np.testing.assert_allclose(variances, 1.5 * var, rtol=1e-4)
    assert weight.item() == 1.5


def test_global_statistics_without_any_batch_are_zero() -> None:
    x = np.random.default_rng(0).standard_normal(X)
    run = LayerHarness('type: "BatchNorm" batch_norm_param { eps: 4 }', [x], phase=TEST)
    run.forward()
    np.testing.assert_allclose(run.tops[0], x / 2, rtol=1e-5)


def test_a_batch_may_use_global_statistics() -> None:
    x = np.random.default_rng(0).standard_normal(X)
    text = 'type: "BatchNorm" batch_norm_param { use_global_stats: true eps: 0 }'
    run = LayerHarness(text, [x])
    run.set_params([np.full(3, 6.0), np.full(3, 8.0), np.full(1, 2.0)])
    run.forward()
    np.testing.assert_allclose(run.tops[0], (x - 3) / 2, rtol=1e-4, atol=1e-6)


def test_the_solver_leaves_the_statistics_alone() -> None:
    plan = plan_of(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }'
        'layer { name: "norm" type: "BatchNorm" bottom: "x" top: "x" }'
    )
    assert [(p.lr_mult, p.decay_mult) for p in plan.steps[1].params] == [(0, 0)] * 3


def test_a_vector_is_one_channel() -> None:
    check_gradients('type: "BatchNorm"', [(7,)])


FIVE = 'type: "BatchNorm" batch_norm_param { scale_bias: true moving_average_fraction: 0.75 }'


def test_a_scale_and_bias_of_its_own() -> None:
    x = np.random.default_rng(0).standard_normal(X)
    plain, own = LayerHarness('type: "BatchNorm"', [x]), LayerHarness(FIVE, [x])
    assert [param.shape for param in own.layer.params] == [(3,), (3,), (1,), (3,), (3,)]
    np.testing.assert_array_equal(own.forward()[0], plain.forward()[0])
    scale, bias = np.array([2.0, 3, 4]), np.array([5.0, 6, 7])
    own.set_params([np.zeros(3), np.zeros(3), np.zeros(1), scale, bias])
    expected = plain.tops[0] * scale[:, None, None] + bias[:, None, None]
    np.testing.assert_allclose(own.forward()[0], expected, rtol=1e-6)


def test_fillers_imply_a_scale_and_bias() -> None:
    text = 'type: "BatchNorm" batch_norm_param { bias_filler { value: 3 } }'
    layer = LayerHarness(text, [np.ones(X)]).layer
    assert [param.data[0] for param in layer.params[3:]] == [1, 3]


def test_running_averages_take_the_first_batch_whole() -> None:
    first, second = np.random.default_rng(0).standard_normal((2, *X))
    run = LayerHarness(FIVE, [first])
    run.forward()
    mean, var, weight = (param.data.copy() for param in run.layer.params[:3])
    np.testing.assert_allclose(mean, first.mean(axis=(0, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(var, first.var(axis=(0, 2, 3), ddof=1), rtol=1e-4)
    assert weight == 1
    run.inputs = [second]
    run.forward()
    expected = 0.75 * mean + 0.25 * second.mean(axis=(0, 2, 3))
    np.testing.assert_allclose(run.layer.params[0].data, expected, rtol=1e-4)
    assert run.layer.params[2].data == 1


def test_three_parameters_load_into_five() -> None:
    """And give what they gave: the sums become averages."""
    x = np.random.default_rng(0).standard_normal(X)
    text = (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 5 '
        'dim: 2 } } } layer { name: "norm" type: "BatchNorm" bottom: "x" top: "y" %s}'
    )
    three = Net(plan_of(text % "", TEST), Device())
    five = Net(plan_of(text % "batch_norm_param { scale_bias: true } ", TEST), Device())
    weights = [np.array([4.0, 8, 12]), np.array([4.0, 16, 36]), np.array([4.0])]
    for net in (three, five):
        net.load({"norm": weights}, "weights")
        net.blobs["x"].data[...] = x
        net.forward()
    assert five.params["norm"][2].data == 1
    np.testing.assert_allclose(five.blobs["y"].data, three.blobs["y"].data, rtol=1e-6)
    with pytest.raises(FormatError, match=r"has 3 parameter\(s\), not 5"):
        three.load({"norm": [*weights, np.ones(3), np.ones(3)]}, "weights")


def test_five_parameters_in_the_order_of_an_older_fork() -> None:
    """Scale, bias, mean, variance, and a spare whose single value tells them."""
    layer = LayerHarness(FIVE, [np.ones(X)]).layer
    old = [np.full(3, value) for value in (1.0, 2, 3, 4)]
    found = layer.convert_weights([*old, np.zeros(1)])
    assert [float(array[0]) for array in found if array is not None] == [3, 4, 1, 1, 2]
    new = [np.ones(3), np.ones(3), np.ones(1), np.ones(3), np.ones(3)]
    assert layer.convert_weights(new) is new
    kept = layer.convert_weights([np.ones(3), np.ones(3), np.zeros(1), np.ones(3), np.ones(3)])
    assert kept[2] == 1, "a spare in the place of the weight"
    untrained = [np.zeros(3), np.zeros(3), np.zeros(1), np.ones(3), np.ones(3)]
    assert layer.convert_weights(untrained) is untrained
    one = [np.full(1, value) for value in (1.0, 2, 3, 4, 5)]
    assert LayerHarness(FIVE, [np.ones((4, 1, 5, 2))]).layer.convert_weights(one) is one


def test_a_scale_that_does_not_learn_gets_no_gradient() -> None:
    run = LayerHarness(
        f"{FIVE} param {{}} param {{}} param {{}} param {{ lr_mult: 0 }}", [np.ones(X)]
    )
    run.forward()
    run.backward([np.ones(X)])
    assert not run.param_diffs[3].any()
    assert run.param_diffs[4].all()


def test_a_scale_and_bias_with_global_statistics() -> None:
    x = np.random.default_rng(0).standard_normal(X)
    run = LayerHarness(FIVE.replace("true", "true eps: 0", 1), [x], phase=TEST)
    run.set_params([np.ones(3), np.full(3, 4.0), np.ones(1), np.full(3, 6.0), np.full(3, 5.0)])
    np.testing.assert_allclose(run.forward()[0], 3 * (x - 1) + 5, rtol=1e-5, atol=1e-5)
    (dx,) = run.backward([np.ones(X)])
    assert dx is not None
    np.testing.assert_allclose(dx, 3, rtol=1e-6)
    np.testing.assert_allclose(run.param_diffs[4], 40)


AVERAGES = "running_averages: true moving_average_fraction: 0.7 eps: 1e-3"


@pytest.mark.parametrize("text", [AVERAGES, f"{AVERAGES} scale_bias: true"])
def test_running_averages_move_by_a_fraction(text: str) -> None:
    """From mean 0 and variance 1, with the unbiased variance: as Torch7's BatchNormalization."""
    x = np.random.default_rng(0).standard_normal(X) * 2 + 1
    run = LayerHarness(f'type: "BatchNorm" batch_norm_param {{ {text} }}', [x])
    scale = [param.data for param in run.layer.params[3:]]
    run.set_params([np.zeros(3), np.ones(3), np.ones(1), *scale])
    run.forward()
    means, variances, weight = (param.data for param in run.layer.params[:3])
    np.testing.assert_allclose(means, 0.3 * x.mean(axis=(0, 2, 3)), rtol=1e-4)
    expected = 0.7 + 0.3 * x.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(variances, expected, rtol=1e-4)
    assert weight.item() == 1


def test_running_averages_take_caffes_sums() -> None:
    text = 'type: "BatchNorm" batch_norm_param { running_averages: true }'
    layer = LayerHarness(text, [np.zeros(X)]).layer
    sums = [np.array([2.0, 4, 6]), np.array([8.0, 2, 1]), np.array([4.0])]
    means, variances, weight = layer.convert_weights(sums)
    np.testing.assert_allclose(means, [0.5, 1, 1.5])
    np.testing.assert_allclose(variances, [2, 0.5, 0.25])
    np.testing.assert_allclose(weight, [1])


@pytest.mark.parametrize("text", [AVERAGES, f"{AVERAGES} scale_bias: true"])
def test_a_single_item_is_normalized_with_running_averages(text: str) -> None:
    x = np.random.default_rng(0).standard_normal((1, *X[1:]))
    run = LayerHarness(f'type: "BatchNorm" batch_norm_param {{ {text} }}', [x])
    scale = [param.data for param in run.layer.params[3:]]
    means, variances = np.array([1.0, 2, 3]), np.array([4.0, 1, 9])
    run.set_params([means, variances, np.ones(1), *scale])
    (y,) = run.forward()
    deviation = np.sqrt(variances + 1e-3).reshape(3, 1, 1)
    np.testing.assert_allclose(y, (x - means.reshape(3, 1, 1)) / deviation, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(run.layer.params[0].data, means)
    dy = np.random.default_rng(1).standard_normal(x.shape)
    np.testing.assert_allclose(run.backward([dy])[0], dy / deviation, rtol=1e-4, atol=1e-6)


def test_a_single_item_counts_if_the_text_says_so() -> None:
    text = f'type: "BatchNorm" batch_norm_param {{ {AVERAGES} use_global_stats: false }}'
    x = np.random.default_rng(0).standard_normal((1, *X[1:]))
    (y,) = LayerHarness(text, [x]).forward()
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-6)


def test_eps_beside_the_root() -> None:
    x = np.random.default_rng(0).standard_normal(X)
    text = 'type: "BatchNorm" batch_norm_param { eps: 0.5 add_eps_before_sqrt: false %s }'
    run = LayerHarness(text % "", [x], phase=TEST)
    run.set_params([np.full(3, 6.0), np.array([8.0, 0.0, 18.0]), np.full(1, 2.0)])
    run.forward()
    expected = (x - 3) / np.array([2.5, 0.5, 3.5]).reshape(3, 1, 1)
    np.testing.assert_allclose(run.tops[0], expected, rtol=1e-5)
    dy = np.random.default_rng(1).standard_normal(X)
    (dx,) = run.backward([dy])
    np.testing.assert_allclose(dx, dy / np.array([2.5, 0.5, 3.5]).reshape(3, 1, 1), rtol=1e-5)
    with pytest.raises(LayerError, match="add_eps_before_sqrt: false needs global statistics"):
        LayerHarness(text % "", [x])
    with pytest.raises(LayerError, match="needs global statistics and an eps above 0"):
        LayerHarness(text.replace("0.5", "0") % "", [x], phase=TEST)
