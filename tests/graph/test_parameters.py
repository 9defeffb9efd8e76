"""Parameters of nets: their values at the start, sharing."""

from __future__ import annotations

import numpy as np

from protonet.graph.parameters import rewrite_gradients
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import FAN_OUT, SEED, net_of, numeric_gradient


def test_a_test_net_uses_the_parameters_of_the_train_net() -> None:
    train = net_of(SEED)
    test = net_of(SEED, TEST, params_of=train)
    train.store.data.fill(0.25)
    assert (test.params["hidden"][0].data == 0.25).all()
    assert test.store.data.size == 0


def test_the_seed_decides_the_parameters_and_the_name_of_the_layer_too() -> None:
    one, same, other = net_of(FAN_OUT, seed=1), net_of(FAN_OUT, seed=1), net_of(FAN_OUT, seed=2)
    np.testing.assert_array_equal(one.store.data, same.store.data)
    assert (one.store.data != other.store.data).any()


def test_parameters_of_one_layer_are_random_by_themselves() -> None:
    """Weights and bias of one size and filler: one stream would make them one the other."""
    filler = 'filler { type: "gaussian" }'
    net = net_of(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 1 } } }'
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { '
        f"num_output: 30 weight_{filler} bias_{filler} }} }}"
    )
    weights, bias = (param.data.ravel() for param in net.params["ip"])
    assert weights.shape == bias.shape
    assert len({*weights.tolist(), *bias.tolist()}) == 60
    assert abs(np.corrcoef(weights, bias)[0, 1]) < 0.6


SHARED = """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
  inner_product_param { num_output: 3 bias_term: false weight_filler { type: "gaussian" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
  inner_product_param { num_output: 3 bias_term: false } }
layer { name: "c" type: "InnerProduct" bottom: "b" top: "c"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" } } }
layer { name: "d" type: "InnerProduct" bottom: "c" top: "d" param { lr_mult: 0 }
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "d" bottom: "t" }
"""


def test_gradients_are_written_where_one_layer_makes_them() -> None:
    net = net_of(SHARED)
    net.forward()
    net.backward()
    expected = net.store.diff.copy()
    added = rewrite_gradients(net.plan, net.layers, net.store)
    assert [p.rewritten for each in "abcd" for p in net.params[each]] == [
        False, False, True, False, False, False,
    ]  # fmt: skip
    assert sum(part.size for part in added) < net.store.diff.size
    net.store.diff.fill(99)
    for part in added:
        part.fill(0)
    net.backward()
    written = net.params["c"][0].diff
    np.testing.assert_array_equal(net.store.diff[net.store.diff != 99], expected[expected != 99])
    assert (written != 99).all()


def test_shared_parameters_are_one_memory_and_sum_their_gradients() -> None:
    text = """
    layer { name: "in" type: "Input" top: "x" top: "t"
      input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } } }
    layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
      inner_product_param { num_output: 3 bias_term: false weight_filler { type: "gaussian" } } }
    layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
      inner_product_param { num_output: 3 bias_term: false } }
    layer { name: "loss" type: "EuclideanLoss" bottom: "b" bottom: "t" }
    """
    net = net_of(text, dtype=np.float64)
    (first,), (second,) = net.params["a"], net.params["b"]
    assert np.shares_memory(first.data, second.data)
    expected = numeric_gradient(net, first.data)
    net.forward()
    net.backward()
    np.testing.assert_allclose(second.diff, expected, rtol=1e-6, atol=1e-9)
    assert len(net.store.params) == 1
