"""VideoData of temporal segment networks: values, and what is refused."""

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
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net

FRAMES = np.random.default_rng(0).integers(0, 256, (8, 6, 9), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    for number, frame in enumerate(FRAMES, 1):
        Image.fromarray(frame).save(tmp_path / "a" / f"flow_x_{number:03d}.png")
        Image.fromarray(255 - frame).save(tmp_path / "a" / f"flow_y_{number:03d}.png")
        Image.fromarray(np.stack([frame] * 3, -1)).save(tmp_path / "a" / f"{number:03d}.png")
    (tmp_path / "list.txt").write_text("a 8 4\n")
    return tmp_path


FLOW = 'source: "list.txt" new_length: 2 num_segments: 2 name_pattern: "flow_%c_%03d.png"'


def make(folder: Path, fields: str, transform: str = "", phase: int = TEST) -> Net:
    text = f"""layer {{ name: "in" type: "VideoData" top: "data" top: "label"
      video_data_param {{ {fields} }} transform_param {{ {transform} }} }}"""
    plan = plan_net(read_net(Source("net", text)), phase=phase, context=LayerContext(folder))
    return Net(plan, Device("cpu"))


def test_flow_in_the_middle_of_two_segments(folder: Path) -> None:
    """Of 4 frames each, the second and third; planes of both axes in turn."""
    net = make(folder, FLOW, "mean_value: 128 is_flow: true crop_size: 4")
    net.forward()
    data = net.blobs["data"].data
    assert data.shape == (1, 8, 4, 4)
    part = FRAMES[[1, 2, 5, 6], 1:5, 2:6].astype(np.float32)
    expected = np.stack([part, 255 - part], axis=1).reshape(8, 4, 4) - 128
    np.testing.assert_array_equal(data[0], expected)
    np.testing.assert_array_equal(net.blobs["label"].data, [4])
    net.close()


def test_images_in_colour(folder: Path) -> None:
    fields = FLOW.replace("flow_%c_", "") + " modality: RGB batch_size: 2"
    net = make(folder, fields, "mean_value: [1, 2, 3]")
    net.forward()
    data = net.blobs["data"].data
    assert data.shape == (2, 12, 6, 9)
    planes = np.repeat(FRAMES[[1, 2, 5, 6]], 3, axis=0).reshape(4, 3, 6, 9).astype(np.float32)
    planes -= np.array([1, 2, 3])[:, None, None]
    np.testing.assert_array_equal(data[1], planes.reshape(12, 6, 9))
    net.close()


def test_a_training_repeats_itself_by_its_seed(folder: Path) -> None:
    transform = "crop_size: 4 mirror: true is_flow: true multi_scale: true fix_crop: true"
    nets = [make(folder, FLOW, transform + " more_fix_crop: true", TRAIN) for _ in range(2)]
    found = []
    for net in nets:
        passes = []
        for _ in range(6):
            net.forward()
            passes.append(net.blobs["data"].data.copy())
        found.append(np.stack(passes))
        net.close()
    np.testing.assert_array_equal(*found)
    assert (found[0][0] != found[0][1]).any()


@pytest.mark.parametrize(
    ("fields", "transform", "message"),
    [
        (FLOW + " use_image: true", "", "use_image and the fields of temporal segment networks"),
        (FLOW + " batch_size: 0", "", "video_data_param needs a batch_size of 1 or more"),
        (FLOW.replace("s: 2", "s: 0"), "", "video_data_param needs a num_segments of 1 or more"),
        (FLOW.replace("%c", ""), "", "expected a name_pattern such as 'flow_%c_%04d.jpg', got"),
        (FLOW + " modality: RGB", "", "expected a name_pattern such as 'image_%04d.jpg', got"),
        (FLOW.replace("%03d", "%999999d"), "", "expected a name_pattern such as"),
        (FLOW.replace("flow", "../flow"), "", "expected a name_pattern such as"),
        (FLOW, "mean_value: [1, 2, 3]", "that divides 8 channels, got 3"),
        (FLOW, "scale_ratios: 2", "expected scale_ratios above 0 and up to 1, got 2"),
        (FLOW, "max_distort: -1", "expected max_distort of 0 or more, got -1"),
        (FLOW, "multi_scale: true", "multi_scale needs a crop_size"),
        (FLOW, "crop_size: 7", "frames of 6x9 are smaller than crop_size 7"),
        (FLOW, "mean_file: 'x'", "mean_file is not supported by VideoData layers here"),
    ],
)
def test_settings_that_cannot_be(folder: Path, fields: str, transform: str, message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        make(folder, fields, transform)


def test_crops_of_tsn_are_for_segments_alone(folder: Path) -> None:
    fields = 'source: "list.txt" use_image: true'
    with pytest.raises(NetworkError, match="multi_scale is not supported by VideoData layers"):
        make(folder, fields, "multi_scale: true crop_size: 4")
