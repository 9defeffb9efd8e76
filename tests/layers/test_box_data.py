"""ImageGtData, DetectionData and EvalData in nets: values, shapes by pass, what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.resize import resize
from protonet.device import Device
from protonet.errors import DataError, NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net

SIZES = [(48, 64), (64, 48)]
PIXELS = [np.random.default_rng(i).integers(0, 256, (*s, 3), np.uint8) for i, s in enumerate(SIZES)]
PARAMS = {
    "ImageGtData": "image_gt_data_param",
    "DetectionData": "detection_data_param",
    "EvalData": "eval_data_param",
}
MAPS = "{stride}: 8 {stride}: 16 field_w: [16, 32] field_h: [16, 32] output_gt_boxes: true"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines: dict[str, list[str]] = {"six": [], "seven": []}
    for place, (height, width) in enumerate(SIZES):
        Image.fromarray(PIXELS[place]).save(tmp_path / f"{place}.png")
        head = f"# {place} {place}.png 3 {height} {width}"
        boxes = [(1, 0, 4, 4, 19, 19), (2, 1, 8, 8, 40, 36)] if not place else []
        for name, marks in (("six", ""), ("seven", " 1")):
            rows = " ".join(f"{b[0]} {b[1]}{marks} {b[2]} {b[3]} {b[4]} {b[5]}" for b in boxes)
            lines[name].append(f"{head} {len(boxes)} {rows} 0")
    for name, text in lines.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(text))
    return tmp_path


def make(
    folder: Path, kind: str, fields: str, tops: int, transform: str = "", phase: int = TEST
) -> Net:
    names = " ".join(f'top: "t{place}"' for place in range(tops))
    stride = "downsample_rate" if kind == "ImageGtData" else "stride"
    source = "six" if kind == "ImageGtData" else "seven"
    maps = "" if kind == "EvalData" else MAPS.replace("{stride}", stride)
    text = f"""layer {{ name: "in" type: "{kind}" {names} transform_param {{ {transform} }}
      {PARAMS[kind]} {{ source: "{source}.txt" {maps} {fields} }} }}"""
    plan = plan_net(read_net(Source("net", text)), phase=phase, context=LayerContext(folder))
    return Net(plan, Device("cpu"))


def step(net: Net) -> list[np.ndarray]:
    net.forward()
    return [blob.data.copy() for name, blob in sorted(net.blobs.items())]


def planes(place: int) -> np.ndarray:
    values: np.ndarray = PIXELS[place][:, :, ::-1].transpose(2, 0, 1)
    return values


def test_images_with_maps(folder: Path) -> None:
    net = make(folder, "ImageGtData", "batch_size: 1 crop_width: 64 crop_height: 48", 4,
               "mean_value: 5 scale: 0.5")  # fmt: skip
    images, small, large, rows = step(net)
    np.testing.assert_array_equal(images[0], (planes(0).astype(np.float32) - 5) * 0.5)
    np.testing.assert_array_equal(
        rows.reshape(-1, 7), [[0, 4, 4, 19, 19, 1, 0], [0, 8, 8, 40, 36, 2, 1]]
    )
    assert (small.shape, large.shape) == ((1, 6, 6, 8), (1, 6, 3, 4))
    # The cell of 4 to 20 in both directions, and its object of 15 pixels.
    np.testing.assert_allclose(small[0, :, 1, 1], [1, 11.5, 11.5, 15, 15, 15 * 15 / 256])
    # The ignored object is background that overlaps by more than the half.
    assert large[0, 0, 1, 1] == 0
    assert large[0, 5, 1, 1] > 0.5
    images, small, large, rows = step(net)
    assert images.shape == (1, 3, 48, 64)
    np.testing.assert_array_equal(rows.reshape(-1, 7), [[0, 1, 1, 2, 2, 1, 1]])
    assert not small[0, 0].any()
    net.close()


def test_anchors_include_their_last_pixels(folder: Path) -> None:
    net = make(folder, "DetectionData", "batch_size: 1", 4)
    images, small, large, rows = step(net)
    np.testing.assert_array_equal(images[0], planes(0))
    np.testing.assert_array_equal(
        rows.reshape(-1, 8), [[0, 4, 4, 19, 19, 1, 0, 1], [0, 8, 8, 40, 36, 2, 1, 1]]
    )
    np.testing.assert_allclose(small[0, :, 1, 1], [1, 11.5, 11.5, 16, 16, 16 * 16 / 17**2])
    images, small, large, rows = step(net)
    assert (images.shape, small.shape, large.shape) == (
        (1, 3, 64, 48), (1, 6, 8, 6), (1, 6, 4, 3)
    )  # fmt: skip
    np.testing.assert_array_equal(rows.reshape(-1, 8), [[-1] * 8])
    net.close()


def test_random_settings_of_both(folder: Path) -> None:
    """All that is random, and a state that restores it."""
    kinds = {
        "ImageGtData": "crop_width: 40 crop_height: 32 do_multiple_scale: true min_scale: 10 "
        "max_scale: 40 min_whaspect: 0.5 max_whaspect: 2 shuffle: true fg_img_multiple: 3 "
        "cache_images: true min_gt_height: 9 batch_size: 2",
        "DetectionData": "short_size: 32 long_size: 64 low_scale_ratio: 0.5 high_scale_ratio: 2 "
        "min_whaspect: 0.5 max_whaspect: 2 shuffle: 'random_mix_aspect' mix_group_size: 1 "
        "template_ratio: [1, 2] anchor_ignore_margin_ratio: 0.5 batch_size: 2 "
        "distort_param { brightness_prob: 1 brightness_delta: 32 }",
    }
    for kind, fields in kinds.items():
        net = make(folder, kind, fields, 4, "mirror: true", TRAIN)
        found = [step(net) for _ in range(4)]
        other = make(folder, kind, fields, 4, "mirror: true", TRAIN)
        again = [step(other) for _ in range(4)]
        for first, second in zip(found, again, strict=True):
            for a, b in zip(first, second, strict=True):
                np.testing.assert_array_equal(a, b)
        assert any((a.shape != b.shape) or (a != b).any() for a, b in zip(*found[:2], strict=True))
        net.close()
        other.close()


def test_a_test_has_sizes_in_cells(folder: Path) -> None:
    net = make(folder, "EvalData", "batch_size: 1 short_size: 60 long_size: 70", 3)
    images, rows, size = step(net)
    np.testing.assert_array_equal(images[0], resize(planes(0), 64, 64))
    np.testing.assert_allclose(rows.reshape(-1, 8)[0], [0, 4, 16 / 3, 19, 76 / 3, 1, 0, 1])
    np.testing.assert_array_equal(size.reshape(1, 2), [[64, 64]])
    images, rows, size = step(net)
    np.testing.assert_array_equal(rows.reshape(-1, 8), [[-1] * 8])
    net.close()
    pair = make(folder, "EvalData", "batch_size: 2 resize_width: 32 resize_height: 64", 2)
    images, rows = step(pair)
    assert images.shape == (2, 3, 64, 32)
    np.testing.assert_array_equal(rows.reshape(-1, 8)[:, 0], [0, 0])
    pair.close()


@pytest.mark.parametrize(
    ("kind", "fields", "tops", "transform", "message"),
    [
        ("ImageGtData", "", 4, "", "image_gt_data_param needs a batch_size"),
        ("ImageGtData", "batch_size: 1", 3, "", "expected 4 tops: images, 2 maps and boxes; got 3"),
        ("ImageGtData", "batch_size: 1 field_w: 9", 4, "",
         "expected as many downsample_rate as field_w and field_h, each above 0, got 2 and 3"),
        ("ImageGtData", "batch_size: 1 coord_num: 5", 4, "", "expected coord_num 4, got 5"),
        ("ImageGtData", "batch_size: 1 mirror: true", 4, "", "mirror belongs in transform_param"),
        ("ImageGtData", "batch_size: 1 fg_img_multiple: 0", 4, "",
         "expected fg_img_multiple of 1 or more, got 0"),
        ("ImageGtData", "batch_size: 1 scale: 2", 4, "scale: 2", "scale is given in image_gt"),
        ("ImageGtData", "batch_size: 1", 4, "mean_value: [1, 2]", "expected 1 mean_value or one"),
        ("ImageGtData", "batch_size: 1", 4, "crop_size: 9", "crop_size is not supported by"),
        ("DetectionData", "batch_size: 1 shuffle: 'x'", 4, "", "unknown shuffle 'x'; there are"),
        ("DetectionData", "batch_size: 1 resize_param { width: 9 }", 4, "", "is not supported by"),
        ("DetectionData", "batch_size: 1 min_scale: 1 max_scale: 2 low_scale_ratio: 1 "
         "high_scale_ratio: 2", 4, "", "min_scale and low_scale_ratio are both given"),
        ("DetectionData", "batch_size: 1 min_scale: 1 max_scale: 2 multiscale_prob: 2", 4, "",
         "expected multiscale_prob of 0 to 1, got 2"),
        ("EvalData", "batch_size: 2", 2, "", "images of several sizes need batch_size 1, got 2"),
        ("EvalData", "batch_size: 1", 2, "mirror: true", "EvalData layers do not mirror"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(
    folder: Path, kind: str, fields: str, tops: int, transform: str, message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        make(folder, kind, fields, tops, transform)


def test_a_list_that_cannot_be(folder: Path) -> None:
    (folder / "six.txt").write_text("# 0 none.png 3 4 6 0 0")
    with pytest.raises((NetworkError, DataError), match=re.escape("six.txt:1: none.png: cannot")):
        make(folder, "ImageGtData", "batch_size: 1", 4)
