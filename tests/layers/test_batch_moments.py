"""Batch normalization with the moments of all ranks."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.blob import Array
from protonet.device import Device
from protonet.errors import LayerError
from protonet.kernels.normalization import BatchNormScale, JointBatchNormScale
from protonet.kernels.random_stream import RandomStream
from protonet.layers.base import LayerContext
from protonet.layers.batch_moments import moments_of
from protonet.layers.batch_norm import BatchNorm
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.ranks.communicator import Communicator, Part


class Two(Communicator):
    """A rank of two; ``other`` is what the other one adds to each sum, in order."""

    size = 2

    def __init__(self) -> None:
        self.other: list[Array] = []
        self.told: list[Array] = []

    def sum(self, array: Array) -> None:
        self.told.append(array.copy())
        if self.other:
            array += self.other.pop(0)


def layer_of(part: Part | None, *, sync: bool) -> BatchNorm:
    context = LayerContext(ranks=Two(), sync_batch_norm=sync)
    layer = BatchNorm(LayerParameter(name="norm", type="BatchNorm"), context=context)
    layer.device = Device()
    layer.random = RandomStream(layer.device, 0, "norm", None, part)
    return layer


def test_moments_are_of_all_only_where_that_is_asked() -> None:
    part = Part(0, 3, 7)
    kernel, items = moments_of(layer_of(part, sync=True), 6, 2, 5, 1e-5)
    assert isinstance(kernel, JointBatchNormScale)
    assert items == 14, "two items of each image"
    for layer in (layer_of(part, sync=False), layer_of(None, sync=True)):
        kernel, items = moments_of(layer, 6, 2, 5, 1e-5)
        assert isinstance(kernel, BatchNormScale)
        assert not isinstance(kernel, JointBatchNormScale)
        assert items == 6


def test_items_that_are_no_images_are_refused() -> None:
    with pytest.raises(LayerError, match="4 items, which is no multiple of the 3 images"):
        moments_of(layer_of(Part(0, 3, 7), sync=True), 4, 2, 5, 1e-5)


def passes(kernel: BatchNormScale, x: Array, dy: Array) -> tuple[Array, ...]:
    """Both passes; the gradients of scale and bias are of the items given."""
    channels = x.shape[1]
    scale, bias = np.linspace(1, 2, channels), np.linspace(-1, 1, channels)
    y, dx = np.empty_like(x), np.empty_like(x)
    mean, variance, inverse, dscale, dbias = np.zeros((5, channels))
    kernel.forward_train(x, scale, bias, y, mean, variance, inverse, rectify=True)
    kernel.backward(dy, x, scale, bias, mean, inverse, dx, dscale, dbias, rectify=True)
    return y, dx, mean, variance, dscale, dbias


def test_the_parts_of_two_ranks_are_the_whole() -> None:
    """Each rank is given what the other one tells, which is found by iterating."""
    generator, sizes, channels, places = np.random.default_rng(0), (2, 3), 3, 5
    x = 3 + generator.standard_normal((5, channels, places))
    dy = generator.standard_normal(x.shape)
    alone = passes(BatchNormScale(Device(), np.float64, 5, channels, places, 1e-5), x, dy)
    parts = [slice(0, 2), slice(2, 5)]
    told: list[list[Array]] = [[], []]
    for _ in range(4):  # as many sums as there are, and one round with all of them
        found, before = [], [list(each) for each in told]
        for rank, size in enumerate(sizes):
            ranks = Two()
            ranks.other = before[1 - rank]
            kernel = JointBatchNormScale(
                Device(), np.float64, size, channels, places, 1e-5, ranks, 5
            )
            found.append(passes(kernel, x[parts[rank]].copy(), dy[parts[rank]].copy()))
            told[rank] = ranks.told
    assert [len(each) for each in told] == [3, 3]
    for place in (0, 1):
        joined = np.concatenate([each[place] for each in found])
        np.testing.assert_allclose(joined, alone[place], rtol=1e-12, atol=1e-14)
    for place in (2, 3):
        for each in found:
            np.testing.assert_allclose(each[place], alone[place], rtol=1e-12)
    for place in (4, 5):
        np.testing.assert_allclose(found[0][place] + found[1][place], alone[place], rtol=1e-12)
