"""Lua definitions become networks with data layers, initial weights and a target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.create import create_gradients
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import NetworkError, UsageError
from protonet.jobs.reading.data_shapes import DataShapes
from protonet.jobs.reading.lua import read_lua
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.source import Source

ROOT = Path(__file__).parents[3]
SEED = Source("net.lua", (ROOT / "examples/torch7/gradients/net.lua").read_text())
CLASSES = Source(
    "net.lua",
    """
return function(p)
    print('classes', p.nclasses, p.inputShape[1])
    local net = nn.Sequential():add(nn.SpatialConvolution(p.inputShape[1], 2, 3, 3))
    net:add(nn.View(-1):setNumInputDims(3)):add(nn.Linear(2 * 2 * 2, p.nclasses))
    return { model = net:add(nn.LogSoftMax()), croplen = 4, trainBatchSize = 3,
             validationBatchSize = 2 }
end
""",
)


@pytest.fixture
def classes_db(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path / "db"
    with DatabaseWriter(path) as writer:
        for item in range(8):
            image = random.integers(0, 256, (1, 6, 5), dtype=np.uint8)
            writer.put(f"{item}".encode(), make_datum(image, label=item % 3))
    return path


def test_the_seed_net_on_its_databases(tmp_path: Path) -> None:
    data = tmp_path / "data"
    create_gradients(data, count=4, val_count=2, width=5, height=4)
    told = DataShapes(data=data / "train_images", labels=data / "train_labels", seed=42)
    made = read_lua(SEED, told)
    assert [layer.name for layer in made.net.layer] == [
        *("data", "label"),
        *("MulConstant1", "View1", "Linear1", "MSECriterion1"),
    ]
    assert made.net.layer[0].data_param.batch_size == 16
    assert made.origins[4] == ("line", 7)
    assert made.weights is not None
    weight, bias = made.weights()["Linear1"]
    assert weight.shape == (2, 20)
    assert np.abs(weight).max() <= 1 / np.sqrt(20)
    other = read_lua(SEED, DataShapes(data=told.data, labels=told.labels, seed=43)).weights
    assert other is not None
    assert not np.array_equal(other()["Linear1"][1], bias)


def test_options_of_a_classifier(classes_db: Path) -> None:
    made = read_lua(CLASSES, DataShapes(data=classes_db, validates=True))
    train, val = made.net.layer[:2]
    assert [layer.include[0].phase for layer in (train, val)] == [TRAIN, TEST]
    assert [layer.data_param.batch_size for layer in (train, val)] == [3, 2]
    assert [layer.transform_param.crop_size for layer in (train, val)] == [4, 4]
    assert list(train.top) == ["data", "label"]
    assert made.printed == ("classes\t3\t1",)
    types = [layer.type for layer in made.net.layer]
    assert "SoftmaxWithLoss" in types
    assert "LogSoftmax" in types


def test_a_batch_size_that_is_given(classes_db: Path) -> None:
    made = read_lua(CLASSES, DataShapes(data=classes_db, validates=True, batch_size=7))
    assert [layer.data_param.batch_size for layer in made.net.layer[:2]] == [7, 7]


def test_without_data_the_modules_tell_the_shape() -> None:
    made = read_lua(SEED, DataShapes())
    shapes = [list(layer.input_param.shape[0].dim) for layer in made.net.layer[:2]]
    assert shapes == [[16, 1, 1, 1], [16, 2]]
    with pytest.raises(UsageError, match="do not tell the shape of the images; give --data"):
        read_lua(Source("n.lua", "return nn.ReLU()"), DataShapes())


def test_a_loss_alone_is_no_network() -> None:
    with pytest.raises(NetworkError, match="has a loss, but no model"):
        read_lua(Source("n.lua", "return { loss = nn.MSECriterion() }"), DataShapes())
