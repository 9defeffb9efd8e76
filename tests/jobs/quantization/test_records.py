"""Which records are seen, and how they get into a net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image, make_datum
from protonet.data.transform import Transformer
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.errors import DataError, UsageError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.jobs.quantization.records import Block, ImageRecords, LayerRecords, Sampling
from protonet.proto.caffe_pb2 import TEST, TransformationParameter
from protonet.proto.text import Source, read_net

INPUT = """
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 4 dim: 3 dim: 5 dim: 7 } } }
layer { name: "half" type: "Power" bottom: "data" top: "half" power_param { scale: 0.5 } }
"""
IMAGES = np.random.default_rng(3).integers(0, 256, (6, 3, 5, 7), np.uint8)


def net_of(text: str) -> Net:
    plan = plan_net(read_net(Source("net.prototxt", text)), phase=TEST)
    return Net(plan, Device(), gradients=False)


def transformer(scale: float = 0.25) -> Transformer:
    return Transformer(TransformationParameter(scale=scale), TEST, (3, 5, 7))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with DatabaseWriter(tmp_path / "db") as writer:
        for place, image in enumerate(IMAGES):
            writer.put(f"{place:04}".encode(), make_datum(image, label=10 * place))
    return tmp_path / "db"


def test_blocks_are_spread_and_apart() -> None:
    found = Sampling.of(100, 8, 24, 30)
    assert found.calibrated == (Block(0, 8), Block(32, 8), Block(64, 8))
    assert found.compared == (Block(8, 8), Block(24, 8), Block(56, 8), Block(80, 6))
    assert found.disjoint


def test_all_records_are_calibrated_with_and_compared() -> None:
    found = Sampling.of(11, 4, 500, 1000)
    assert found.calibrated == found.compared == (Block(0, 4), Block(4, 4), Block(8, 3))
    assert not found.disjoint
    assert Sampling.of(3, 4, 1, 0) == Sampling((Block(0, 1),), ())


def test_of_an_unknown_number_the_first_are_taken() -> None:
    found = Sampling.of(None, 4, 8, 4)
    assert [block.first for block in (*found.calibrated, *found.compared)] == [0, 8, 4]


def test_images_of_a_database(database: Path) -> None:
    records = ImageRecords(database, transformer(), None, "squash", classes=25)
    net = net_of(INPUT)
    assert records.length == 6
    classes = records.put(net, Block(2, 3))
    assert classes.tolist() == [20, -1, -1, -1]  # of 25 classes, and three records
    np.testing.assert_array_equal(net.inputs["data"].data[:3], IMAGES[2:5] * np.float32(0.25))
    records.close()


def test_images_of_folders(tmp_path: Path) -> None:
    for place, name in enumerate(("ant", "bee")):
        (tmp_path / name).mkdir()
        data = encode_image(IMAGES[place])
        (tmp_path / name / "i.png").write_bytes(data)
    records = ImageRecords(tmp_path, transformer(1), [2, 1, 0], "squash", classes=2)
    net = net_of(INPUT)
    assert records.put(net, Block(0, 2)).tolist() == [0, 1, -1, -1]
    np.testing.assert_array_equal(net.inputs["data"].data[:2], IMAGES[:2, ::-1])


def test_images_that_cannot_be(tmp_path: Path, database: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such database, folder, list or image"):
        ImageRecords(tmp_path / "nowhere", transformer(), None, "squash", classes=2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no image file in it"):
        ImageRecords(tmp_path / "empty", transformer(), None, "squash", classes=2)
    gray = Transformer(TransformationParameter(), TEST, (1, 5, 7))
    records = ImageRecords(database, gray, None, "squash", classes=2)
    with pytest.raises(DataError, match=r"key '0001': the image has 3 channel\(s\).*takes 1"):
        records.put(net_of(INPUT.replace("dim: 3", "dim: 1")), Block(1, 1))


def test_records_of_layers(database: Path) -> None:
    text = f"""
    layer {{ name: "data" type: "Data" top: "data" top: "label"
      data_param {{ source: "{database}" batch_size: 2 backend: LMDB }} }}
    layer {{ name: "half" type: "Power" bottom: "data" top: "half" }}
    """
    net = net_of(text)
    records = LayerRecords(6)
    for first in (4, 1, 5):  # and around
        records.put(net, Block(first, 2))
        net.forward()
        assert net.blobs["label"].data.tolist() == [10 * first, 10 * ((first + 1) % 6)]
    net.close()
    records.close()
