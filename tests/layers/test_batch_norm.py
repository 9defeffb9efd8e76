"""Batch normalization: running sums, edges and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
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


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match="scale_bias is not supported; put a Scale layer"):
        LayerHarness('type: "BatchNorm" batch_norm_param { scale_bias: true }', [np.ones(X)])
