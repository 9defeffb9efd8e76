"""What of a net may be recorded; ``tests/train/test_stepping.py`` records and replays it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.repeating import Asking, compute, feed, repeats
from tests.graph.nets import plan_of
from tests.kernels.cuda.emulation import QUEUE, EmulatedDevice, needs_compiler
from tests.train.test_stepping import NET


@needs_compiler
def test_feed_and_compute_are_forward_and_backward() -> None:
    one, other = (Net(plan_of(NET), EmulatedDevice(), seed=2) for _ in range(2))
    for _ in range(2):
        one.store.diff.fill(0)
        one.forward()
        one.backward()
        other.store.diff.fill(0)
        feed(other)
        compute(other)
        other.clock.count()
        np.testing.assert_array_equal(one.store.diff, other.store.diff)
        assert one.loss() == other.loss()


def test_what_a_gpu_cannot_repeat_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(plan_of(NET), EmulatedDevice())
    assert repeats(net)
    layer = net.plan.steps[1].layer
    for name, value in (("dynamic", True), ("replays", False)):
        monkeypatch.setattr(layer, "traits", replace(layer.traits, **{name: value}))
        assert not repeats(net)
        monkeypatch.undo()
    assert not repeats(Net(plan_of(NET), Device("cpu")))
    late = 'layer { name: "late" type: "DummyData" top: "z" dummy_data_param { shape { dim: 2 } } }'
    assert not repeats(Net(plan_of(NET + late), EmulatedDevice()))


@needs_compiler
def test_a_net_that_is_asked_again_and_again_is_recorded() -> None:
    one, other = (Net(plan_of(NET), EmulatedDevice(), seed=2, gradients=False) for _ in range(2))
    asking = Asking(other)
    QUEUE.captures = QUEUE.launches = 0
    for passes in range(6):
        if passes == 4:  # as a training between two tests does
            for net in (one, other):
                net.store.data[...] = 0.5 * np.asarray(net.store.data)
        one.forward()
        asking.forward()
        np.testing.assert_array_equal(one.outputs()[0][1], other.outputs()[0][1])
    assert (QUEUE.captures, QUEUE.launches, asking.refusal) == (1, 4, "")
    assert one.clock.iteration == other.clock.iteration == int(other.clock.on_device[0])


def test_on_a_cpu_it_is_asked_as_ever() -> None:
    net = Net(plan_of(NET), Device())
    asking = Asking(net)
    asking.forward()
    assert (net.clock.iteration, asking.refusal) == (1, "")


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
