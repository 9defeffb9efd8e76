"""The sizes of images with boxes."""

from __future__ import annotations

import pytest

from protonet.data.box_source import Size
from protonet.errors import LayerError
from protonet.layers import layer_class
from protonet.layers.box_sizes import BoxSizes, numbers_given
from protonet.testing import parse_layer

FIELDS = {
    "ImageGtData": "image_gt_data_param",
    "DetectionData": "detection_data_param",
    "EvalData": "eval_data_param",
}


def sizes(fields: str, kind: str = "DetectionData", *, limited: bool = False) -> BoxSizes:
    spec = parse_layer(f'type: "{kind}" {FIELDS[kind]} {{ {fields} }}', 0)
    return BoxSizes(layer_class(kind)(spec), FIELDS[kind], limited=limited)


@pytest.mark.parametrize(
    ("fields", "given", "resized", "canvas"),
    [
        ("", (50, 70), (50, 70), (50, 70)),
        ("resize_width: 40 resize_height: 30", (50, 70), (30, 40), (30, 40)),
        ("resize_ratio: 0.5", (50, 71), (25, 36), (25, 36)),
        ("short_size: 96 long_size: 160", (50, 70), (96, 134), (96, 160)),
        ("short_size: 96 long_size: 160", (70, 70), (96, 96), (160, 96)),
        ("short_size: 96 long_size: 160", (700, 70), (960, 96), (160, 96)),
        ("short_size: 96 long_size: 160 template_ratio: 0.5", (50, 100), (64, 128), (64, 96)),
        ("crop_width: 32 crop_height: 24", (50, 70), (50, 70), (24, 32)),
        ("resize_width: 40 resize_height: 30 crop_width: 32 crop_height: 24", (50, 70),
         (30, 40), (24, 32)),
        ("crop_short_size: 24 crop_long_size: 40", (50, 70), (50, 70), (24, 40)),
        ("short_size: 96 long_size: 160 crop_short_size: 24 crop_long_size: 40", (70, 50),
         (134, 96), (40, 24)),
    ],
)  # fmt: skip
def test_sizes(fields: str, given: Size, resized: Size, canvas: Size) -> None:
    made = sizes(fields)
    assert made.resized(given, 0) == resized
    assert made.canvas(resized, 0) == canvas


def test_a_ratio_for_each_batch() -> None:
    made = sizes("short_size: 64 long_size: 96 template_ratio: [1, 2]")
    assert [made.resized((10, 20), number) for number in (0, 1)] == [(64, 128), (128, 256)]
    assert [made.canvas((128, 256), number) for number in (0, 1)] == [(64, 96), (128, 192)]


def test_a_test_limits_both_sides() -> None:
    made = sizes("short_size: 90 long_size: 120", "EvalData", limited=True)
    assert made.resized((50, 80), 0) == (90, 120)
    assert made.whole_cells((50, 80), 0) == (96, 128)
    assert made.whole_cells((50, 50), 0) == (96, 96)


def test_a_crop_of_nothing_is_none() -> None:
    made = sizes("resize_width: 40 resize_height: 30 crop_width: 0 crop_height: 20", "ImageGtData")
    assert made.canvas((30, 40), 0) == (20, 40)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("DetectionData", "resize_width: 40", "expected resize_height and resize_width, both"),
        ("DetectionData", "short_size: 96 long_size: 64", "the first not above the second, got 96"),
        ("DetectionData", "resize_ratio: 0", "expected resize_ratio above 0, got 0"),
        ("DetectionData", "template_ratio: [1, 0]", "expected each template_ratio above 0, got 0"),
        ("DetectionData", "resize_ratio: 1 short_size: 9 long_size: 9",
         "resize_ratio and short_size are both given"),
        ("DetectionData", "crop_width: 9 crop_height: 9 crop_short_size: 9 crop_long_size: 9",
         "crop_width and crop_short_size are both given"),
        ("ImageGtData", "resize_width: 9 resize_height: 9 crop_width: 10 crop_height: 9",
         "expected crop_width of at most resize_width 9, got 10"),
    ],
)  # fmt: skip
def test_sizes_that_cannot_be(kind: str, fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        sizes(fields, kind)


def test_numbers_that_go_together() -> None:
    field = FIELDS["DetectionData"]

    def given(fields: str) -> tuple[float, float] | None:
        spec = parse_layer(f'type: "DetectionData" {field} {{ {fields} }}', 0)
        return numbers_given(
            layer_class("DetectionData")(spec), field, ("min_scale", "max_scale")
        )  # fmt: skip

    assert given("") is None
    assert given("min_scale: 2 max_scale: 4") == (2, 4)
    for fields in ("min_scale: 2", "min_scale: 0 max_scale: 4", "min_scale: 4 max_scale: 2"):
        with pytest.raises(LayerError, match="expected 0 < min_scale <= max_scale, got "):
            given(fields)
