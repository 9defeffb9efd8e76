"""Batch normalization with the moments of all ranks."""

from __future__ import annotations

import pytest

from protonet.device import Device
from protonet.errors import LayerError
from protonet.kernels.joint_normalization import JointBatchNormScale
from protonet.kernels.normalization import BatchNormScale
from protonet.kernels.random_stream import RandomStream
from protonet.layers.base import LayerContext
from protonet.layers.batch_moments import moments_of
from protonet.layers.batch_norm import BatchNorm
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.ranks.communicator import Part
from tests.kernels.test_joint_normalization import Two


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
