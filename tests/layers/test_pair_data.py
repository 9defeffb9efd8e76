"""DenseImageData and ImageLabelmapData in a net: values, shapes by pass, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.device import Device
from protonet.errors import DataError, NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net

SIZES = [(4, 6), (4, 6), (5, 7)]
PIXELS = [np.random.default_rng(i).integers(0, 256, (*s, 3), np.uint8) for i, s in enumerate(SIZES)]
LABELS = [np.random.default_rng(9 + i).integers(0, 256, s, np.uint8) for i, s in enumerate(SIZES)]
DENSE, EDGES = "DenseImageData", "ImageLabelmapData"
MESSAGES = {DENSE: "dense_image_data_param", EDGES: "image_data_param"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, (image, labels) in enumerate(zip(PIXELS, LABELS, strict=True)):
        Image.fromarray(image).save(tmp_path / f"{place}.png")
        Image.fromarray(labels).save(tmp_path / f"{place}_l.png")
    lines = [f"{place}.png {place}_l.png" for place in range(3)]
    (tmp_path / "two.txt").write_text("\n".join(lines[:2]))
    (tmp_path / "three.txt").write_text("\n".join(lines))
    return tmp_path


def make(
    folder: Path, type_: str, fields: str, transform: str = "", phase: int = TEST, more: str = ""
) -> Net:
    text = f"""layer {{ name: "in" type: "{type_}" top: "data" top: "label"
      {MESSAGES[type_]} {{ {fields} }} transform_param {{ {transform} }} }} {more}"""
    plan = plan_net(read_net(Source("net", text)), phase=phase, context=LayerContext(folder))
    return Net(plan, Device("cpu"))


def step(net: Net) -> tuple[np.ndarray, np.ndarray]:
    net.forward()
    return net.blobs["data"].data.copy(), net.blobs["label"].data.copy()


@pytest.mark.parametrize("type_", [DENSE, EDGES])
def test_a_batch(folder: Path, type_: str) -> None:
    net = make(folder, type_, 'source: "two.txt" batch_size: 2', "mean_value: 5 scale: 0.5")
    for _ in range(2):
        data, label = step(net)
        expected = np.stack([p[:, :, ::-1].transpose(2, 0, 1) for p in PIXELS[:2]])
        np.testing.assert_array_equal(data, (expected.astype(np.float32) - 5) * 0.5)
        values = np.stack(LABELS[:2])[:, None]
        np.testing.assert_array_equal(label, values if type_ == DENSE else values > 127)


def test_labels_may_be_smaller_than_images(folder: Path) -> None:
    """As for the encoder of ENet: half of 8 x 12 is what the files have."""
    fields = 'source: "two.txt" batch_size: 2 new_height: 8 new_width: 12 label_divide_factor: 2'
    net = make(folder, DENSE, fields)
    data, label = step(net)
    assert data.shape == (2, 3, 8, 12)
    np.testing.assert_array_equal(label, np.stack(LABELS[:2])[:, None])
    odd = make(folder, DENSE, fields.replace("12", "13").replace("r: 2", "r: 3"))
    assert step(odd)[1].shape == (2, 1, 2, 4)
    mirrored = make(folder, DENSE, fields, "mirror: true")
    sides = set()
    for _ in range(9):
        for each, values in zip(step(mirrored)[1][:, 0], LABELS, strict=False):
            straight = (each == values).all()
            assert straight or (each == values[:, ::-1]).all()
            sides.add(bool(straight))
    assert sides == {True, False}


@pytest.mark.parametrize(
    ("fields", "transform", "message"),
    [
        ("label_divide_factor: 0", "", "expected a label_divide_factor of 1 or more, got 0"),
        ("label_divide_factor: 2", "", "needs new_height and new_width of 2 or more"),
        (
            "label_divide_factor: 2 new_height: 8 new_width: 8",
            "crop_size: 4",
            "label_divide_factor and a crop cannot be combined",
        ),
    ],
)
def test_factors_that_cannot_be(folder: Path, fields: str, transform: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make(folder, DENSE, f'source: "two.txt" batch_size: 2 {fields}', transform)


def test_a_batch_of_one_has_the_shape_of_its_image_and_the_net_follows(folder: Path) -> None:
    more = """layer { name: "sum" type: "Reduction" bottom: "label" top: "sum"
      reduction_param { axis: 1 } }"""
    net = make(folder, DENSE, 'source: "three.txt" batch_size: 1', more=more)
    for place in (0, 1, 2, 0):
        data, label = step(net)
        assert data.shape == (1, 3, *SIZES[place])
        assert label.shape == (1, 1, *SIZES[place])
        assert net.blobs["sum"].data.item() == LABELS[place].sum()


def test_larger_batches_need_one_size(folder: Path) -> None:
    net = make(folder, DENSE, 'source: "three.txt" batch_size: 2')
    step(net)
    with pytest.raises(DataError, match=r"an image is 3x5x7, but the first one is 3x4x6; set new_"):
        net.forward()
    cropped = make(folder, DENSE, 'source: "three.txt" batch_size: 3', "crop_h: 4 crop_w: 5")
    data, label = step(cropped)
    assert data.shape == (3, 3, 4, 5)
    np.testing.assert_array_equal(label[2, 0], LABELS[2][:4, 1:6])
    np.testing.assert_array_equal(data[2, 0], PIXELS[2][:4, 1:6, 2])


@pytest.mark.parametrize("type_", [DENSE, EDGES])
def test_new_sizes(folder: Path, type_: str) -> None:
    fields = 'source: "three.txt" batch_size: 3 new_height: 3 new_width: 5'
    data, label = step(make(folder, type_, fields))
    assert data.shape == (3, 3, 3, 5)
    assert label.shape == (3, 1, 3, 5)
    if type_ == DENSE:
        # Nearest pixels: 4 rows of 6 become 3 of 5.
        np.testing.assert_array_equal(label[0, 0], LABELS[0][[0, 1, 2]][:, [0, 1, 2, 3, 4]])
    else:
        assert set(np.unique(label)) == {0, 1}


def test_state_goes_on(folder: Path) -> None:
    net = make(folder, DENSE, 'source: "three.txt" batch_size: 1', phase=TRAIN)
    layer = net.layers[0]
    step(net)
    assert layer.state() == {"position": 1}
    layer.restore({"position": 2})
    assert step(net)[0].shape == (1, 3, 5, 7)


@pytest.mark.parametrize(
    ("type_", "fields", "transform", "message"),
    [
        (DENSE, "batch_size: 1", "", "dense_image_data_param needs a source"),
        (DENSE, 'source: "two.txt"', "", "dense_image_data_param needs a batch_size of 1 or more"),
        (EDGES, 'source: "two.txt" new_width: 4', "", "go together, got 0 and 4"),
        (EDGES, 'source: "two.txt" crop_size: 4', "", "crop_size belongs in transform_param"),
        (DENSE, 'source: "two.txt" batch_size: 1 crop_width: 4', "", "as crop_w or crop_h"),
        (
            EDGES,
            'source: "two.txt" short_side: 4',
            "",
            "short_side is not supported by ImageLabelmap",
        ),
        (
            EDGES,
            'source: "two.txt" label_type: PIXEL',
            "",
            "label_type is not supported by ImageLabel",
        ),
        (
            DENSE,
            'source: "two.txt" batch_size: 1',
            "resize_param { height: 3 width: 3 }",
            "resize_param is not supported by DenseImageData layers here",
        ),
        (
            DENSE,
            'source: "two.txt" batch_size: 1',
            "crop_size: 5",
            "crop_size 5 is larger than the images, which are 4x6 (the first, ",
        ),
    ],
)
def test_what_cannot_be(
    folder: Path, type_: str, fields: str, transform: str, message: str
) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        make(folder, type_, fields, transform)


@pytest.mark.parametrize(("given", "whole"), [("true", False), ("false", True)])
def test_dss_says_whether_labels_are_divided(folder: Path, given: str, whole: bool) -> None:
    net = make(folder, EDGES, f'source: "two.txt" batch_size: 2 normalize: {given}')
    _, label = step(net)
    values = np.stack(LABELS[:2])[:, None]
    np.testing.assert_array_equal(label, values if whole else values > 127)


def test_only_edges_have_a_normalize(folder: Path) -> None:
    fields = 'image_data_param { source: "two.txt" normalize: true }'
    text = f'layer {{ name: "in" type: "ImageData" top: "x" {fields} }}'
    with pytest.raises(NetworkError, match="normalize is of ImageLabelmapData layers"):
        plan_net(read_net(Source("net", text)), phase=TEST, context=LayerContext(folder))
