"""Arrays, passes, loading and state."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import LayerError
from protonet.graph.net import Net
from protonet.layers.base import Stateful
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import FAN_OUT, SEED, net_of, numeric_gradient, plan_of


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


def test_shared_memory_gives_the_same_outputs() -> None:
    deploy = FAN_OUT.replace('layer { name: "loss"', 'layer { exclude { phase: TEST } name: "loss"')
    plain = net_of(deploy, TEST, seed=5)
    shared = net_of(deploy, TEST, seed=5, packed=True, fuse=False)
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


def test_close_reaches_the_layers() -> None:
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 1 dim: 3 } } }
    layer { name: "c" type: "Input" top: "c" input_param { shape { dim: 2 dim: 1 } } }
    layer { name: "l" type: "RNN" bottom: "x" bottom: "c" top: "y"
      recurrent_param { num_output: 2 } }
    """
    closed = []
    net = net_of(text)
    assert isinstance(net.layers[2], Stateful)
    net.layers[2].close = lambda: closed.append(True)
    net.close()
    assert closed == [True]


def outputs_of(net: Net, data: np.ndarray, label: np.ndarray) -> list[np.ndarray]:
    """The loss and the gradients of parameters for these inputs."""
    net.blobs["data"].data[...], net.blobs["label"].data[...] = data, label
    net.store.diff.fill(0)
    net.forward()
    net.backward()
    return [np.array(net.loss()), net.store.diff.copy()]


def test_a_reshaped_net_is_one_that_was_made_so() -> None:
    generator = np.random.default_rng(0)
    net = net_of(SEED, seed=5)
    blob = net.blobs["data"]
    for items in (5, 1, 3):
        data, label = generator.normal(size=(items, 1, 4, 5)), generator.normal(size=(items, 2))
        net.reshape({"data": data.shape, "label": label.shape})
        assert blob is net.blobs["data"]
        fresh = net_of(SEED.replace("dim: 3", f"dim: {items}"), seed=5)
        for found, expected in zip(
            outputs_of(net, data, label), outputs_of(fresh, data, label), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


def test_reshaping_keeps_the_inputs_that_stay() -> None:
    net = net_of(FAN_OUT)
    kept = net.blobs["x"].data.copy()
    net.reshape({"t": (3, 2, 3)})
    np.testing.assert_array_equal(net.blobs["x"].data, kept)


def test_a_shape_that_does_not_fit_leaves_the_net_as_it_was() -> None:
    net = net_of(SEED)
    net.forward()
    before = net.loss()
    for name, shape, message in (
        ("label", (4, 2), 'layer "loss" (EuclideanLoss): expected as many items in both'),
        (
            "data",
            (3, 1, 4, 6),
            'layer "hidden" (InnerProduct): bottoms of shape 3x1x4x6 need a parameter of shape '
            "2x24, but 'hidden/0' is 2x20",
        ),
    ):
        with pytest.raises(LayerError) as caught:
            net.reshape({name: shape})
        assert str(caught.value).startswith(message)
        net.forward()
        assert net.loss() == before
    with pytest.raises(KeyError):
        net.reshape({"scale": (3, 1)})


def test_a_net_that_shares_memory_can_be_reshaped() -> None:
    text = FAN_OUT.replace('bottom: "join" bottom: "t" top: "loss"', 'bottom: "join" bottom: "t"')
    small = Net(plan_of(text, TEST), Device(), packed=True, fuse=False)
    whole = Net(plan_of(text, TEST), Device())
    x = np.random.default_rng(0).normal(size=(7, 4))
    for net in (small, whole):
        net.reshape({"x": (7, 4), "t": (7, 6)})
        net.blobs["x"].data[...] = x
        net.blobs["t"].data[...] = 0
        net.forward()
    assert small.loss() == whole.loss() != 0


def test_a_pass_can_be_made_step_by_step() -> None:
    net = net_of(FAN_OUT, seed=2)
    net.forward()
    net.backward()
    loss, gradient = net.loss(), net.store.diff.copy()
    net.store.diff.fill(0)
    steps = len(net.plan.steps)
    for name in ("join", "h"):
        net.blobs[name].data.fill(0)
    for index in range(steps):
        net.forward_step(index)
    for index in range(steps, -1, -1):
        net.backward_step(index)
    assert net.loss() == loss
    np.testing.assert_array_equal(net.store.diff, gradient)


def test_a_pass_can_be_walked_through() -> None:
    net, other = net_of(FAN_OUT, seed=2), net_of(FAN_OUT, seed=2)
    net.forward()
    net.backward()
    for walk in (other.walk_forward(), other.walk_backward()):
        for _, (call, arguments) in walk:
            call(*arguments)
    assert other.loss() == net.loss()
    assert other.clock.iteration == 1
    np.testing.assert_array_equal(other.store.diff, net.store.diff)


KEPT = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 5 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "c" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
"""


def test_kept_weights_are_those_of_the_last_load() -> None:
    net, again = (
        Net(
            plan_of(KEPT, TEST),
            Device(),
            gradients=False,
            packed=True,
            precision=type_of("bfloat16"),
            keep_weights=kept,
        )
        for kept in (True, False)
    )
    for factor in (1.0, -2.0):
        weights = {
            name: [factor * np.linspace(-1, 1, p.data.size).reshape(p.shape) for p in params]
            for name, params in net.params.items()
        }
        for each in (net, again):
            each.load(weights, "a test")
            each.inputs["x"].data[...] = np.linspace(0, 1, 75).reshape(1, 3, 5, 5)
            each.forward()
        np.testing.assert_array_equal(net.outputs()[0][1], again.outputs()[0][1])
        assert np.abs(net.outputs()[0][1]).max() > 1
