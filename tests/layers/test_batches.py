"""The contract of BatchLayer before it is built; Data, ImageData and WindowData test the rest."""

from __future__ import annotations

import pytest

from protonet.data.source import CACHE_LIMIT
from protonet.errors import LayerError
from protonet.layers.base import Surroundings
from protonet.layers.batches import BatchLayer, cache_limit, refuse_old_places
from protonet.proto.caffe_pb2 import TRAIN, ImageDataParameter, LayerParameter


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
        BatchLayer(LayerParameter(), TRAIN, Surroundings(seed=seed)).skipped(4)
        for seed in range(-40, 40)
    ]
    assert set(skipped) == {0, 1, 2, 3}
    assert BatchLayer(LayerParameter(), TRAIN).skipped(0) == 0


def test_cache_limits() -> None:
    assert [cache_limit(each) for each in (None, True, False)] == [CACHE_LIMIT, None, 0]


def test_old_places_are_refused() -> None:
    param = ImageDataParameter(mirror=False)
    refuse_old_places(param, "image_data_param", ("scale",))
    with pytest.raises(LayerError, match="mirror belongs into transform_param") as caught:
        refuse_old_places(param, "image_data_param", ("scale", "mirror"))
    assert caught.value.path == ("image_data_param", "mirror")
