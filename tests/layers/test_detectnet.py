"""DetectNetTransformation in a net: what NVIDIA's fork computed, chance, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import DataError, NetworkError
from protonet.formats.blobs import from_array
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net
from tests.graph.test_golden import check
from tests.layers.test_conformance import detectnet_bottoms

FORKS = Path(__file__).parents[1] / "golden_forks" / "missing"
TEXT = """
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {} }} }} }}
layer {{ name: "t" type: "Input" top: "t" input_param {{ shape {{ {} }} }} }}
layer {{ name: "l" type: "DetectNetTransformation" bottom: "x" bottom: "t" top: "y" top: "maps"
  detectnet_groundtruth_param {{ image_size_x: 24 image_size_y: 16 {} }} {} }}"""
IMAGES = "dim: 2 dim: 3 dim: 16 dim: 24"
BOXES = "dim: 2 dim: 1 dim: 4 dim: 16"


def make(
    truth: str = "",
    more: str = "",
    phase: int = TEST,
    seed: int = 0,
    images: str = IMAGES,
    boxes: str = BOXES,
) -> Net:
    source = Source("net", TEXT.format(images, boxes, truth, more))
    plan = plan_net(read_net(source), phase=phase)
    net = Net(plan, Device("cpu"), seed=seed)
    if (images, boxes) == (IMAGES, BOXES):
        for name, array in zip("xt", detectnet_bottoms(), strict=True):
            net.blobs[name].data[...] = array
    return net


@pytest.mark.parametrize(
    "folder",
    sorted((FORKS / "DetectNetTransformation").iterdir()),
    ids=lambda folder: folder.name,
)
def test_what_the_fork_computed(folder: Path) -> None:
    check(folder, fuse=False)


def test_a_mean_image_gets_the_size_of_the_images(tmp_path: Path) -> None:
    mean = np.full((3, 8, 8), 5, np.float32)
    (tmp_path / "mean.binaryproto").write_bytes(from_array(mean[None]).SerializeToString())
    text = f'transform_param {{ mean_file: "{tmp_path}/mean.binaryproto" }}'
    net = make(more=text)
    net.forward()
    np.testing.assert_allclose(net.blobs["y"].data, detectnet_bottoms()[0] - 5, atol=1e-3)


def test_chance_is_a_function_of_seed_and_pass() -> None:
    found = []
    for seed in (1, 1, 2):
        net = make(phase=TRAIN, seed=seed)
        passes = []
        for _ in range(3):
            net.forward()
            passes.append(np.concatenate([net.blobs[n].data.ravel() for n in ("y", "maps")]))
        found.append(passes)
        assert (passes[0] != passes[1]).any()
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0][0] != found[2][0]).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"truth": "stride: 0"}, "expected a stride of 1 or more, got 0"),
        (
            {"more": "detectnet_augmentation_param { resize_param { height: 3 width: 3 } }"},
            "resize_param is not supported here: image_size_x and image_size_y give the size",
        ),
        (
            {"more": "transform_param { mirror: true }"},
            "mirror is not supported by DetectNetTransf",
        ),
        ({"more": "transform_param { mean_value: 1 mean_value: 2 }"}, "expected 1 mean_value or"),
        ({"images": "dim: 2 dim: 1 dim: 16 dim: 24"}, "expected images of N x 3 x H x W, got 2x1"),
        ({"boxes": "dim: 2 dim: 1 dim: 4 dim: 5"}, "expected boxes of 2 x 1 x R x 16, got 2x1x4x5"),
    ],
)
def test_what_cannot_be(settings: dict[str, str], message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        make(**settings)


def test_a_table_of_another_form_is_told() -> None:
    net = make()
    net.blobs["t"].data[1, 0, 0, 0] = 9
    with pytest.raises(DataError, match="item 1 of 't': expected a first row with 0 to 3 boxes"):
        net.forward()
