"""A traced labelHook becomes layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import LayerError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TRAIN, NetParameter
from protonet.proto.source import NetDefinition, Source
from protonet.torch7.builder import Blob
from protonet.torch7.hooks import hooked
from protonet.torch7.lua.tracing import Hook, HookStep
from protonet.torch7.network import TorchNet, builder, flat, with_inputs

LABELS = np.array([0, 1, 0, 2], np.float32)
IMAGES = np.arange(24, dtype=np.float32).reshape(4, 2, 3)


def target(steps: list[HookStep], result: Any, labels: np.ndarray = LABELS) -> list[np.ndarray]:
    """What the layers of a hook compute."""
    net = builder(Source("n", ""))
    x = net.input("data", IMAGES.shape)
    label = net.input("label", labels.shape, base=0 if labels.ndim == 1 else None)
    made = hooked(net, Hook(tuple(steps), result), x, label)
    message = NetParameter()
    message.layer.extend(net.specs)
    for layer in message.layer:
        del layer.exclude[:]
    definition = NetDefinition(message, net.source, (("line", 0),) * len(net.specs))
    whole = with_inputs(TorchNet(definition, made, (), ()), [x, label])
    built = Net(plan_net(whole, phase=TRAIN), Device(), gradients=False)
    built.inputs["data"].data[...] = IMAGES
    built.inputs["label"].data[...] = labels
    built.forward()
    return [np.array(built.blobs[blob.name].data) for blob in flat(made)]


def test_without_a_hook_the_label_is_the_target() -> None:
    net = builder(Source("n", ""))
    x, label = Blob("data", (4, 2)), Blob("label", (4,), base=0)
    assert hooked(net, None, x, label) is label
    assert hooked(net, Hook((), 1), x, label) is label
    assert net.specs == []


def test_the_input_itself_as_the_target_of_an_autoencoder() -> None:
    (found,) = target([], 0)
    assert found.tolist() == IMAGES.tolist()


def test_masks_on_classes_that_count_from_1() -> None:
    steps = [
        HookStep("eq", (1,), (1,)),
        HookStep("where", (2, 1), (-1,)),
        HookStep("gt", (3,), (1,)),
        HookStep("where", (4, 3), (7,)),
    ]
    assert target(steps, 5)[0].tolist() == [-1, 7, -1, 7]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([HookStep("select", (0,), (2, 1)), HookStep("add", (2,), (1,))], IMAGES[:, 0] + 1),
        ([HookStep("narrow", (0,), (3, 2, 2))], IMAGES[:, :, 1:]),
        ([HookStep("view", (0,), (4, 6))], IMAGES.reshape(4, 6)),
        ([HookStep("view", (0,), (-1, 3, 2))], IMAGES.reshape(4, 3, 2)),
        ([HookStep("sub", (0, 0))], IMAGES * 0),
        ([HookStep("sub", (0,), (2,))], IMAGES - 2),
        ([HookStep("mul", (0,), (3,)), HookStep("mul", (2, 0))], IMAGES**2 * 3),
        ([HookStep("add", (0,), (1,)), HookStep("div", (0, 2))], IMAGES / (IMAGES + 1)),
        ([HookStep("div", (0,), (4,)), HookStep("clamp", (2,), (1, 2))],
         np.clip(IMAGES / 4, 1, 2)),
        ([HookStep("sqrt", (0,)), HookStep("pow", (2,), (4,))], IMAGES**2),
        ([HookStep("sub", (0,), (9,)), HookStep("abs", (2,))], abs(IMAGES - 9)),
        ([HookStep("fill", (0,), (5,)), HookStep("exp", (2,)), HookStep("log", (3,))],
         IMAGES * 0 + 5),
        ([HookStep("ge", (0, 0))], IMAGES * 0 + 1),
    ],
    ids=lambda value: value[0].operation if isinstance(value, list) else "",
)  # fmt: skip
def test_operations(steps: list[HookStep], expected: np.ndarray) -> None:
    (found,) = target(steps, len(steps) + 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_table_of_targets() -> None:
    both = target([HookStep("select", (1,), (2, 1)), HookStep("select", (1,), (2, 2))], (2, 3),
                  np.arange(8, dtype=np.float32).reshape(4, 2))  # fmt: skip
    assert [each.tolist() for each in both] == [[0, 2, 4, 6], [1, 3, 5, 7]]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (HookStep("select", (0,), (1, 1)), "takes items out of the batch"),
        (HookStep("narrow", (0,), (1, 1, 2)), "takes items out of the batch"),
        (HookStep("view", (0,), (6, 4)), "must keep its first dimension"),
    ],
)
def test_the_batch_stays(step: HookStep, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        target([step], 2)
