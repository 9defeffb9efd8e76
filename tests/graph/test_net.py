"""Arrays, passes, loading and state."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import FormatError
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import FAN_OUT, SEED, plan_of


def net_of(text: str, phase: int = 0, **options: object) -> Net:
    net = Net(plan_of(text, phase), Device("cpu"), **options)  # type: ignore[arg-type]
    generator = np.random.default_rng(3)
    for value in net.plan.inputs:
        blob = net.blobs[value.name]
        blob.data[...] = generator.normal(size=blob.shape)
    return net


def numeric_gradient(net: Net, array: np.ndarray, step: float = 1e-5) -> np.ndarray:
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        losses = []
        for sign in (1, -1):
            array[index] = kept + sign * step
            net.forward()
            losses.append(net.loss())
        array[index] = kept
        gradient[index] = (losses[0] - losses[1]) / (2 * step)
    return gradient


@pytest.mark.parametrize(
    "text",
    [
        SEED,
        FAN_OUT,
        FAN_OUT.replace('type: "TanH"', 'type: "Power" power_param { power: 2 shift: 0.3 }'),
        FAN_OUT.replace('top: "right"', 'top: "right" loss_weight: 0.7'),
        FAN_OUT.replace(
            'layer { name: "left"',
            'layer { name: "f" type: "Flatten" bottom: "h" '
            'top: "flat" } layer { name: "g" type: "Power" bottom: "flat" top: "g" '
            'loss_weight: 0.5 } layer { name: "left"',
        ),
        FAN_OUT.replace('bottom: "h" top: "join"', 'bottom: "left" top: "join"'),
        FAN_OUT.replace(
            'layer { name: "loss"',
            'layer { name: "s" type: "Split" bottom: "join" '
            'top: "s1" top: "s2" } layer { name: "half" type: "Power" bottom: "s1" '
            'top: "half" loss_weight: 2 } layer { name: "loss"',
        ).replace('bottom: "join" bottom: "t"', 'bottom: "s2" bottom: "t"'),
    ],
)
def test_the_gradient_of_a_whole_net(text: str) -> None:
    net = net_of(text, dtype=np.float64)
    for params in net.params.values():
        for param in params:
            expected = numeric_gradient(net, param.data)
            net.store.diff.fill(0)
            net.forward()
            net.backward()
            np.testing.assert_allclose(param.diff, expected, rtol=1e-6, atol=1e-8)


def test_backward_adds_to_parameter_gradients() -> None:
    net = net_of(SEED)
    net.forward()
    net.backward()
    once = net.store.diff.copy()
    net.backward()
    np.testing.assert_array_equal(net.store.diff, 2 * once)
    assert once.any()


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


def test_shared_memory_gives_the_same_outputs() -> None:
    deploy = FAN_OUT.replace('layer { name: "loss"', 'layer { exclude { phase: TEST } name: "loss"')
    plain = net_of(deploy, TEST, seed=5)
    shared = net_of(deploy, TEST, seed=5, share_memory=True)
    for net in (plain, shared):
        net.forward()
        net.forward()
    np.testing.assert_array_equal(plain.blobs["join"].data, shared.blobs["join"].data)
    assert "left" in plain.blobs
    assert "left" not in shared.blobs


def test_an_iteration_allocates_nothing() -> None:
    net = net_of(FAN_OUT.replace('type: "TanH"', 'type: "Dropout"'))
    tracemalloc.start()
    for _ in range(100):  # the interpreter's own free lists fill first
        net.forward()
        net.backward()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in range(20):
        net.forward()
        net.backward()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 512
    assert peak - before < 4096


def test_the_seed_decides_the_parameters_and_the_name_of_the_layer_too() -> None:
    one, same, other = net_of(FAN_OUT, seed=1), net_of(FAN_OUT, seed=1), net_of(FAN_OUT, seed=2)
    np.testing.assert_array_equal(one.store.data, same.store.data)
    assert (one.store.data != other.store.data).any()


def test_outputs_are_copies_with_their_loss_weight() -> None:
    net = net_of(SEED)
    net.forward()
    ((name, values, weight),) = net.outputs()
    assert (name, weight) == ("loss", 1.0)
    assert float(values) == net.loss()
    assert not np.shares_memory(values, net.blobs["loss"].data)


def test_message_and_load_go_round() -> None:
    from protonet.formats.blobs import to_array

    net, other = net_of(FAN_OUT, seed=1), net_of(FAN_OUT, seed=2)
    weights = {
        layer.name: [to_array(blob) for blob in layer.blobs] for layer in net.message().layer
    }
    report = other.load({**weights, "elsewhere": [np.ones(2)]}, "weights")
    np.testing.assert_array_equal(net.store.data, other.store.data)
    assert report.loaded == ("base",)
    assert report.unused == ("elsewhere",)


def test_weights_of_another_net_are_refused_whole() -> None:
    net = net_of(SEED)
    kept = net.store.data.copy()
    with pytest.raises(FormatError, match=r"layer 'hidden' parameter 0: expected 2x20, got 3x20"):
        net.load({"hidden": [np.ones((3, 20)), np.ones(2)]}, "other.caffemodel")
    with pytest.raises(FormatError, match=r"has 2 parameter\(s\), not 1"):
        net.load({"hidden": [np.ones((2, 20))]}, "other.caffemodel")
    np.testing.assert_array_equal(net.store.data, kept)


def test_layers_without_weights_in_the_file_are_reported() -> None:
    assert net_of(SEED).load({}, "empty").absent == ("hidden",)


def test_a_test_net_uses_the_parameters_of_the_train_net() -> None:
    train = net_of(SEED)
    test = net_of(SEED, TEST, params_of=train)
    train.store.data.fill(0.25)
    assert (test.params["hidden"][0].data == 0.25).all()
    assert test.store.data.size == 0


def test_state_restores_the_random_numbers() -> None:
    text = FAN_OUT.replace('type: "TanH"', 'type: "Dropout"')
    net = net_of(text)
    net.forward()
    state = net.state()
    net.forward()
    expected = net.blobs["join"].data.copy()
    net.forward()
    assert (net.blobs["join"].data != expected).any()
    net.restore(state)
    net.forward()
    np.testing.assert_array_equal(net.blobs["join"].data, expected)


def test_a_net_without_gradients_refuses_backward() -> None:
    with pytest.raises(ValueError, match="without gradients"):
        net_of(SEED, TEST).backward()


def test_force_backward_gives_gradients_in_phase_test() -> None:
    net = net_of("force_backward: true" + SEED, TEST, dtype=np.float64)
    net.forward()
    net.backward()
    expected = numeric_gradient(net, net.blobs["data"].data)
    net.forward()
    net.backward()
    np.testing.assert_allclose(net.blobs["data"].diff, expected, rtol=1e-5, atol=1e-9)


def test_tops_in_order_are_every_top() -> None:
    names = [name for _, name, _ in net_of(SEED).tops_in_order()]
    assert names == ["data", "label", "scale", "output", "loss"]


def test_close_reaches_the_layers() -> None:
    closed = []
    net = net_of(SEED)
    net.plan.steps[0].layer.close = lambda: closed.append(True)  # type: ignore[method-assign]
    net.close()
    assert closed == [True]
