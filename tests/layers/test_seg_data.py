"""ImageSegData in a net: values, the optional top, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.device import Device
from protonet.errors import NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net

SIZES = [(4, 6), (5, 7)]
PIXELS = [np.random.default_rng(i).integers(0, 256, (*s, 3), np.uint8) for i, s in enumerate(SIZES)]
LABELS = [np.random.default_rng(9 + i).integers(0, 21, s, np.uint8) for i, s in enumerate(SIZES)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, (image, labels) in enumerate(zip(PIXELS, LABELS, strict=True)):
        Image.fromarray(image).save(tmp_path / f"{place}.png")
        Image.fromarray(labels).save(tmp_path / f"{place}_l.png")
    (tmp_path / "list.txt").write_text("0.png 0_l.png\n1.png 1_l.png\n")
    return tmp_path


def make(folder: Path, fields: str, transform: str, tops: str = "", old: bool = False) -> Net:
    kind = "layers { type: IMAGE_SEG_DATA" if old else 'layer { type: "ImageSegData"'
    text = f"""{kind} name: "in" top: "data" top: "label" {tops}
      image_data_param {{ {fields} }} transform_param {{ {transform} }} }}"""
    plan = plan_net(read_net(Source("net", text)), phase=TEST, context=LayerContext(folder))
    return Net(plan, Device("cpu"))


@pytest.mark.parametrize("old", [False, True])
def test_a_padded_batch_with_its_sizes(folder: Path, old: bool) -> None:
    fields = 'source: "list.txt" batch_size: 2 label_type: PIXEL ignore_label: 30'
    net = make(folder, fields, "crop_size: 6 mean_value: 5 scale: 0.5", 'top: "size"', old)
    net.forward()
    data, label = net.blobs["data"].data, net.blobs["label"].data
    assert data.shape == (2, 3, 6, 6)
    first = PIXELS[0][:, :, ::-1].transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_array_equal(data[0, :, :4], (first - 5) * 0.5)
    np.testing.assert_array_equal(data[0, :, 4:], 0)
    np.testing.assert_array_equal(label[0, 0, :4], LABELS[0])
    np.testing.assert_array_equal(label[0, 0, 4:], 30)
    np.testing.assert_array_equal(net.blobs["size"].data.reshape(2, 2), [[4, 6], [5, 6]])
    net.close()


def test_a_batch_of_one_has_the_shape_of_its_image(folder: Path) -> None:
    net = make(folder, 'source: "list.txt" label_type: NONE', "")
    for place in (0, 1, 0):
        net.forward()
        assert net.blobs["data"].data.shape == (1, 3, *SIZES[place])
        np.testing.assert_array_equal(net.blobs["label"].data, np.full((1, 1, *SIZES[place]), 255))
    net.close()


def test_the_older_form_says_whether_there_are_labels(folder: Path) -> None:
    for has_label, labels in (("true", LABELS[0]), ("false", 255)):
        net = make(folder, f'source: "list.txt" has_label: {has_label}', "")
        net.forward()
        np.testing.assert_array_equal(
            net.blobs["label"].data[0, 0], np.broadcast_to(labels, (4, 6))
        )
        net.close()


@pytest.mark.parametrize(
    ("fields", "transform", "message"),
    [
        ("", "", "image_data_param needs a source"),
        ("has_label: true", "", "label_type and has_label are both given"),
        ('source: "list.txt" ignore_label: 256', "", "an ignore_label of 0 to 255, got 256"),
        ('source: "list.txt" cache: true', "", "cache is not supported by ImageSegData layers"),
        ('source: "list.txt" mirror: true', "", "mirror belongs in transform_param"),
        ('source: "list.txt"', "scale_factors: 2", "scale_factors need a crop_size"),
        ('source: "list.txt"', "scale_factors: 0 crop_size: 3", "scale_factors above 0 and up to"),
        (
            'source: "list.txt"',
            'mean_file: "m"',
            "mean_file is not supported by ImageSegData layers",
        ),
    ],
)
def test_what_cannot_be(folder: Path, fields: str, transform: str, message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        make(folder, fields + " label_type: PIXEL", transform)


def test_other_layers_refuse_its_fields(folder: Path) -> None:
    text = """layer { name: "in" type: "ImageData" top: "data" top: "label"
      image_data_param { source: "list.txt" label_type: PIXEL } }"""
    with pytest.raises(NetworkError, match="label_type is of ImageSegData layers"):
        plan_net(read_net(Source("net", text)), phase=TEST, context=LayerContext(folder))


def test_windows_of_images(folder: Path) -> None:
    """One within its image, and one that leaves it above and at the right."""
    (folder / "windows.txt").write_text("0.png 0_l.png 1 0 4 2\n1.png 1_l.png 5 -2 8 1\n")
    text = """layers {{ type: WINDOW_SEG_DATA name: "in" top: "data" top: "label" {}
      image_data_param {{ source: "windows.txt" label_type: PIXEL {} }} }}"""
    for fields, tops in (("", 'top: "size"'), ("batch_size: 2 new_height: 6 new_width: 8", "")):
        definition = read_net(Source("net", text.format(tops, fields)))
        net = Net(plan_net(definition, phase=TEST, context=LayerContext(folder)), Device("cpu"))
        net.forward()
        if fields:
            assert net.blobs["data"].data.shape == (2, 3, 6, 8)
            assert set(np.unique(net.blobs["label"].data)) <= {*range(21), 255}
            net.close()
            continue
        planes = [pixels[:, :, ::-1].transpose(2, 0, 1) for pixels in PIXELS]
        np.testing.assert_array_equal(net.blobs["data"].data[0], planes[0][:, :3, 1:5])
        np.testing.assert_array_equal(net.blobs["label"].data[0, 0], LABELS[0][:3, 1:5])
        np.testing.assert_array_equal(net.blobs["size"].data.ravel(), [3, 4])
        net.forward()
        data, label = np.zeros((3, 4, 4)), np.full((4, 4), 255)
        data[:, 2:, :2], label[2:, :2] = planes[1][:, :2, 5:], LABELS[1][:2, 5:]
        np.testing.assert_array_equal(net.blobs["data"].data[0], data)
        np.testing.assert_array_equal(net.blobs["label"].data[0, 0], label)
        net.close()
