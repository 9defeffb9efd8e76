"""Parts of tensors, and more of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import LayerError, NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.source import Source
from protonet.torch7.api import TorchModule
from protonet.torch7.network import builder, flat, inputs_of, translate, with_inputs
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import nn


def test_select() -> None:
    (x,) = inputs((2, 3, 4))
    same(outputs(nn("Select", 2, 3), x), x[:, 2])
    same(outputs(nn("Select", -1, -4), x), x[:, :, 0])
    same(outputs(nn("Select", 1, 2), x), x[1])
    dx = np.zeros((2, 3, 4))
    dx[:, 0] = np.arange(1.0, 9).reshape(2, 4)
    same(slopes(nn("Select", 2, 1), x)[0], dx)


def test_narrow() -> None:
    (x,) = inputs((2, 5, 4))
    same(outputs(nn("Narrow", 2, 2, 3), x), x[:, 1:4])
    same(outputs(nn("Narrow", -1, 4), x), x[:, :, 3:])
    same(outputs(nn("Narrow", 2, 2, -1), x), x[:, 1:])
    same(outputs(nn("Narrow", 2, 2, -3), x), x[:, 1:3])
    same(outputs(nn("Narrow", 2, -1, 2), x), x[:, :3])


def test_index() -> None:
    (x,) = inputs((2, 3, 4))
    places = np.array([3, 1, 1, 2])
    same(outputs(nn("Index", 2), x, places), x[:, [2, 0, 0, 1]])
    same(outputs(nn("Index", 3), x, places), x[:, :, [2, 0, 0, 1]])
    same(outputs(nn("Index", 1), x, places[1:3]), x[[0, 0]])
    dx, places_slope = slopes(nn("Index", 1), x, np.array([2, 2]))
    dy = np.arange(1.0, 25).reshape(2, 3, 4)
    same(dx, np.stack([np.zeros((3, 4)), dy.sum(0)]))
    assert not places_slope.any()


def test_masked_select() -> None:
    """The number of values depends on the mask, so only a forward pass is here."""
    (x,) = inputs((2, 3))
    mask = np.array([[0, 1, 1], [0, 0, 1]])
    net = builder(Source("n", ""))
    both = inputs_of(net, [x.shape, mask.shape])
    made = translate(nn("MaskedSelect"), both, net)
    ran = Net(plan_net(with_inputs(made, both), phase=TEST), Device(), gradients=False)
    for blob, values in zip(flat(both), (x, mask), strict=True):
        ran.inputs[blob.name].data[...] = values
    ran.forward()
    same(np.array(ran.blobs[flat(made.outputs)[0].name].data), x[mask.astype(bool)])


def test_padding() -> None:
    (x,) = inputs((2, 3, 4))
    same(
        outputs(nn("Padding", 2, -2, 3, 7), x),
        np.concatenate([np.full((2, 2, 4), 7), x], 1),
    )
    same(outputs(nn("Padding", 2, 2), x), np.pad(x, [(0, 0), (0, 2), (0, 0)]))
    same(outputs(nn("Padding", 1, 1, 2), x), np.pad(x, [(0, 0), (0, 1), (0, 0)]))
    sevens = np.full((2, 2, 4), 7)
    same(outputs(nn("Padding", 2, -2, 3, 7, 2), x), np.concatenate([x[:, :1], sevens, x[:, 1:]], 1))
    same(outputs(nn("Padding", 2, 2, 3, 7, 2), x), np.concatenate([x[:, :2], sevens, x[:, 2:]], 1))
    same(outputs(nn("Padding", 2, 2, 3, 7, 4), x), np.concatenate([sevens, x], 1))
    dy = np.arange(1.0, 41).reshape(2, 5, 4)
    same(slopes(nn("Padding", 2, -2, 3, 7, 2), x)[0], np.delete(dy, [1, 2], 1))


def test_replicate() -> None:
    (x,) = inputs((2, 4))
    same(outputs(nn("Replicate", 3), x), np.stack([x] * 3))
    same(outputs(nn("Replicate", 3, 2), x), np.stack([x] * 3, 1))
    same(outputs(nn("Replicate", 3, 2, 1), x), np.stack([x] * 3, 2))
    same(outputs(nn("Replicate", 1, 3), x), x[:, :, None])
    same(slopes(nn("Replicate", 2), x)[0], np.arange(1.0, 17).reshape(2, 2, 4).sum(0))


@pytest.mark.parametrize(
    ("made", "shapes", "message"),
    [
        (nn("Select", 2, 4), [(2, 3)], "dimension 2 of 2x3 has no element 4"),
        (nn("Select", 2, 0), [(2, 3)], "dimension 2 of 2x3 has no element 0"),
        (nn("Narrow", 2, 2, 3), [(2, 3)], "dimension 2 of 2x3 has no elements 2 to 4"),
        (nn("Index", 1), [(2, 3), (2, 3)], "expected a vector of indices, got 2x3"),
        (nn("MaskedSelect"), [(2, 3), (3, 2)], "expected a mask of 2x3, got 3x2"),
        (nn("Padding", 2, 1, 2, 0, 5), [(2, 3)], "dimension 2 of 2x3 has no index 5 to pad"),
        (nn("Replicate", 2, 4), [(2, 3)], "not enough input dimensions to replicate along dim"),
    ],
)
def test_parts_that_are_not_there(made: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        TorchModule(made, shapes)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Narrow", (1,), "nn.Narrow: argument 2, offset, is nil"),
        ("Narrow", ("a", 1), "dimension must be a number, got a"),
        ("Replicate", (3, 0), "dim must be 1 or more, got 0"),
        ("Replicate", (0,), "nf must be 1 or more, got 0"),
        ("Padding", (1, 2.5), "pad must be a whole number, got 2.5"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)
