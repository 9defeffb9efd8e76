"""Passes for one set of shapes: what they share with those for another."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.graph.net import Net
from protonet.graph.passes import batch_of, layers_for
from protonet.graph.shapes import reshaped
from protonet.ranks.communicator import Part
from tests.graph.nets import FAN_OUT, SEED, net_of

LSTM = """
layer { name: "in" type: "Input" top: "x" top: "cont"
  input_param { shape { dim: 3 dim: 2 dim: 4 } shape { dim: 3 dim: 2 } } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
  recurrent_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "h" top: "y" }
"""


def other_layers(net: Net, **inputs: tuple[int, ...]) -> Any:
    shapes = {value: inputs.get(value.name, value.shape) for value in net.plan.inputs}
    plan = reshaped(net.plan, net.layers, shapes)
    return plan, layers_for(plan, net.layers)


def test_new_layers_have_the_parameters_of_the_old() -> None:
    net = net_of(SEED, packed=True)
    plan, layers = other_layers(net, data=(7, 1, 4, 5), label=(7, 2))
    assert layers[0] is net.layers[0]
    for place in (1, 2, 3):
        assert layers[place] is not net.layers[place]
        assert layers[place].params is net.layers[place].params
        assert type(layers[place]) is type(net.layers[place])
    assert plan.last["output"].shape == (7, 2)
    x, y = np.ones((7, 20), np.float32), np.empty((7, 2), np.float32)
    layers[2].forward([x], [y])
    w, b = (param.data for param in net.params["hidden"])
    np.testing.assert_allclose(y, x @ w.T + b, rtol=1e-5)


def test_layers_that_absorb_others_absorb_the_new_ones() -> None:
    text = SEED.replace('bottom: "output"', 'bottom: "relu"').replace(
        'layer { name: "loss"',
        'layer { name: "r" type: "ReLU" bottom: "output" top: "relu" }\nlayer { name: "loss"',
    )
    net = net_of(text, packed=True)
    _, layers = other_layers(net, data=(7, 1, 4, 5), label=(7, 2))
    fused = [(new, old) for new, old in zip(layers, net.layers, strict=True) if old.fused.layers]
    for new, old in fused:
        assert [each.name for each in new.fused.layers] == [each.name for each in old.fused.layers]
        assert all(each in layers for each in new.fused.layers)
    assert fused


def test_layers_with_a_state_are_shared_and_built_again() -> None:
    net = net_of(LSTM)
    _, layers = other_layers(net, x=(3, 5, 4), cont=(3, 5))
    assert layers[1] is net.layers[1]
    assert layers[2] is not net.layers[2]
    passes = next(iter(net._of_batches.values()))
    passes.rebuild_shared()
    before = net.blobs["y"].data.copy()
    net.forward()
    assert net.blobs["y"].data.shape == before.shape


def test_batches_of_one_shape_differ_by_their_part() -> None:
    """A rank may have as many items of a smaller batch, but a larger share of it."""
    shapes = [(3, 2), (3,)]
    assert batch_of(shapes, None) == ((3, 2), (3,))
    assert batch_of(shapes, Part(0, 3, 7)) != batch_of(shapes, Part(0, 3, 6))
    assert batch_of([], Part(0, 3, 7)) == (), "nothing varies"
    net = net_of(SEED, packed=True)
    layers = layers_for(net.plan, net.layers, Part(0, 3, 6))
    assert [each.random.part for each in layers[1:]] == [Part(0, 3, 6)] * (len(layers) - 1)
    assert net.layers[1].random.part is None


def test_the_calls_are_those_of_the_steps() -> None:
    net = net_of(FAN_OUT)
    (passes,) = net._of_batches.values()
    assert passes.batch == ()
    assert [c for segment in passes.forward_steps for _, calls in segment for c in calls] == [
        c for segment in passes.forward for c in segment
    ]
    assert passes.backward == [c for _, calls in passes.backward_steps for c in calls]
    assert passes.backward_by_step == dict(passes.backward_steps)
    assert [weight for weight, _ in passes.losses] == [1.0]
