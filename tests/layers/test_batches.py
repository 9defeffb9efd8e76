"""The contract of BatchLayer before it is built; Data, ImageData and WindowData test the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.data.prefetch import Batch, Prefetcher
from protonet.data.source import CACHE_LIMIT
from protonet.device import Device
from protonet.errors import LayerError
from protonet.layers.base import LayerContext
from protonet.layers.batches import BatchLayer, cache_limit, refuse_deprecated_fields
from protonet.proto.caffe_pb2 import TRAIN, ImageDataParameter, LayerParameter
from tests.test_staging import LazyGpu


def test_before_it_is_built_there_is_no_state() -> None:
    layer = BatchLayer(LayerParameter(), TRAIN)
    assert layer.state() == {}
    layer.restore({"position": 3})
    layer.close()


@pytest.mark.parametrize("tops", [1, 2])
def test_shapes(tops: int) -> None:
    layer = BatchLayer(LayerParameter(top=["a", "b"][:tops]), TRAIN)
    layer.batch_size, layer.image_shape = 5, (3, 4, 2)
    assert layer.infer([]) == [(5, 3, 4, 2), (5,)][:tops]


def test_what_is_passed_over_depends_on_the_seed() -> None:
    skipped = [
        BatchLayer(LayerParameter(), TRAIN, LayerContext(seed=seed)).skipped(4)
        for seed in range(-40, 40)
    ]
    assert set(skipped) == {0, 1, 2, 3}
    assert BatchLayer(LayerParameter(), TRAIN).skipped(0) == 0


def test_cache_limits() -> None:
    assert [cache_limit(each) for each in (None, True, False)] == [CACHE_LIMIT, None, 0]


def test_old_places_are_refused() -> None:
    param = ImageDataParameter(mirror=False)
    refuse_deprecated_fields(param, "image_data_param", ("scale",))
    with pytest.raises(LayerError, match="mirror belongs in transform_param") as caught:
        refuse_deprecated_fields(param, "image_data_param", ("scale", "mirror"))
    assert caught.value.path == ("image_data_param", "mirror")


class Counting(BatchLayer):
    """Images and labels that count."""

    def make_source(self) -> Any:
        def fill(part: Batch, first: int, start: int) -> None:
            part.labels[:] = np.arange(first, first + len(part.labels))
            part.data[:] = part.labels[:, None, None, None]

        return Prefetcher(fill, self.batch_size, self.image_shape, 2, self.device.pinned)


def test_a_batch_is_given_back_when_its_copy_is_done() -> None:
    layer = Counting(LayerParameter(top=["a", "b"]), TRAIN)
    layer.batch_size, layer.image_shape = 2, (1, 2, 3)
    device = LazyGpu()
    layer.device = device
    layer.build([])
    tops = [device.empty(shape) for shape in layer.infer([])]
    for number in range(12):
        assert layer.state() == {"position": 2 * number}
        layer.forward([], tops)
        # The copy of the next batch is still queued while threads fill others.
        assert tops[1].tolist() == [2 * number, 2 * number + 1]
        assert (tops[0] == tops[1][:, None, None, None]).all()
    layer.restore({"position": 6})
    layer.forward([], tops)
    assert tops[1].tolist() == [6, 7]
    assert layer.state() == {"position": 8}
    layer.close()


@pytest.mark.gpu
def test_a_gpu_takes_batches_in_order() -> None:
    layer = Counting(LayerParameter(top=["a", "b"]), TRAIN)
    layer.batch_size, layer.image_shape = 2, (1, 2, 3)
    layer.device = Device("cuda:0")
    layer.build([])
    tops = [layer.device.empty(shape) for shape in layer.infer([])]
    for number in range(12):
        layer.forward([], tops)
        assert layer.device.get(tops[1]).tolist() == [2 * number, 2 * number + 1]
    layer.close()
