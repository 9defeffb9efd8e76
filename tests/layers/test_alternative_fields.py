"""Settings in one of several forms: which is given, and what is too much or too little."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from protonet.errors import LayerError
from protonet.layers.alternative_fields import h_w_fields, h_w_pair, one_of_two_messages
from protonet.layers.registry import layer_class
from protonet.proto.caffe_pb2 import LayerParameter, PoolingParameter


def pooling(text: str) -> PoolingParameter:
    return text_format.Parse(text, PoolingParameter())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("kernel_size: 3", []),
        ("kernel_w: 3", ["kernel_w"]),
        ("kernel_w: 3 kernel_h: 2 stride: 4", ["kernel_h", "kernel_w"]),
    ],
)
def test_parts_are_told_in_the_order_of_height_and_width(text: str, parts: list[str]) -> None:
    assert h_w_fields(pooling(text), "pooling_param", "kernel", "kernel_size") == parts


def test_both_forms_and_one_part_alone_are_refused() -> None:
    both, alone = pooling("kernel_size: 3 kernel_w: 2"), pooling("kernel_w: 2")
    with pytest.raises(LayerError, match="kernel_size and kernel_w are both given") as caught:
        h_w_fields(both, "pooling_param", "kernel", "kernel_size")
    assert caught.value.path == ("pooling_param", "kernel_w")
    with pytest.raises(LayerError, match="kernel_w needs kernel_h as well") as caught:
        h_w_pair(alone, "pooling_param", "kernel", "kernel_size")
    assert caught.value.path == ("pooling_param", "kernel_w")


def test_one_of_two_messages() -> None:
    names = ("roi_align_param", "roi_pooling_param")
    for given, name in (("", names[0]), *((each, each) for each in names)):
        text = f'type: "ROIAlign" {given} {"{ pooled_h: 2 }" if given else ""}'
        spec = text_format.Parse(text, LayerParameter())
        param, found = one_of_two_messages(layer_class("ROIAlign")(spec), *names)
        assert (param, found) == (getattr(spec, name), name)
    spec = text_format.Parse(" ".join(f"{name} {{ }}" for name in names), LayerParameter())
    with pytest.raises(LayerError, match="roi_align_param and roi_pooling_param are both given"):
        one_of_two_messages(layer_class("ROIAlign")(spec), *names)
