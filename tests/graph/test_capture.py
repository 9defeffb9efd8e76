"""What of a net can be captured; ``tests/train/test_train_step.py`` captures and replays it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.capture import ForwardPass, can_capture, run_data_layers, run_forward
from protonet.graph.net import Net
from tests.graph.nets import plan_of
from tests.kernels.cuda.emulation import QUEUE, EmulatedDevice, needs_compiler
from tests.train.test_train_step import NET


@needs_compiler
def test_data_layers_and_passes_are_forward_and_backward() -> None:
    one, other = (Net(plan_of(NET), EmulatedDevice(), seed=2) for _ in range(2))
    for _ in range(2):
        one.store.diff.fill(0)
        one.forward()
        one.backward()
        other.store.diff.fill(0)
        run_data_layers(other)
        run_forward(other)
        other.backward()
        other.clock.count()
        np.testing.assert_array_equal(one.store.diff, other.store.diff)
        assert one.loss() == other.loss()


def test_what_changes_from_pass_to_pass_is_not_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(plan_of(NET), EmulatedDevice())
    assert can_capture(net)
    layer = net.plan.steps[1].layer
    for name, value in (("dynamic", True), ("capturable", False)):
        monkeypatch.setattr(layer, "traits", replace(layer.traits, **{name: value}))
        assert not can_capture(net)
        monkeypatch.undo()
    assert not can_capture(Net(plan_of(NET), Device("cpu")))
    late = 'layer { name: "late" type: "DummyData" top: "z" dummy_data_param { shape { dim: 2 } } }'
    assert not can_capture(Net(plan_of(NET + late), EmulatedDevice()))


@needs_compiler
def test_repeated_forward_passes_are_captured() -> None:
    one, other = (Net(plan_of(NET), EmulatedDevice(), seed=2, gradients=False) for _ in range(2))
    forward_pass = ForwardPass(other)
    QUEUE.captures = QUEUE.launches = 0
    for passes in range(6):
        if passes == 4:  # as a training between two tests does
            for net in (one, other):
                net.store.data[...] = 0.5 * np.asarray(net.store.data)
        one.forward()
        forward_pass.run()
        np.testing.assert_array_equal(one.outputs()[0][1], other.outputs()[0][1])
    assert (QUEUE.captures, QUEUE.launches, forward_pass.capture_error) == (1, 4, "")
    assert one.clock.iteration == other.clock.iteration == int(other.clock.on_device[0])


def test_on_a_cpu_nothing_is_captured() -> None:
    net = Net(plan_of(NET), Device())
    forward_pass = ForwardPass(net)
    forward_pass.run()
    assert (net.clock.iteration, forward_pass.capture_error) == (1, "")


def test_arrays_that_move_have_another_version() -> None:
    text = (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" '
        "inner_product_param { num_output: 2 } }\n"
    )
    net, other = (Net(plan_of(text), Device("cpu")) for _ in range(2))
    seen = [net.version]
    net.reshape({"x": (5, 3)})
    seen.append(net.version)
    net.share_with(other)
    seen.append(net.version)
    assert len(set(seen)) == 3
