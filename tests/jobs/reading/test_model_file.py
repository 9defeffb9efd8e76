"""Models of Torch7 as networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.create import create_gradients
from protonet.errors import UsageError
from protonet.jobs.reading.data_shapes import NOTHING, DataShapes
from protonet.jobs.reading.network import read_network
from protonet.torch7 import serial
from protonet.torch7.deployed import UnknownShapeError
from tests.torch7.trees import nn

GOLDEN = Path(__file__).parents[2] / "golden_torch7" / "trainings" / "regression" / "model.t7"


def input_of(network: Path, told: DataShapes) -> list[int]:
    definition = read_network(network, told)
    layer = definition.net.layer[0]
    assert (layer.name, layer.type) == ("data", "Input")
    assert definition.weights is not None
    return list(layer.input_param.shape[0].dim)


def test_a_model_takes_the_input_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.t7"
    serial.save(path, nn("MulConstant", 2))
    create_gradients(tmp_path / "data", 6, 4, 3, 1, seed=1)
    assert input_of(path, DataShapes(inputs={"data": (5, 3, 7, 8)})) == [5, 3, 7, 8]
    assert input_of(path, DataShapes(data=tmp_path / "data" / "train_images")) == [1, 1, 4, 6]
    with pytest.raises(
        UnknownShapeError, match=r"give --data DB, or the shape, as in --input data"
    ):
        read_network(path, DataShapes())
    with pytest.raises(UsageError, match=r"input of a \.t7 file is called data, not image"):
        read_network(path, DataShapes(inputs={"image": (1, 2)}))


def test_a_model_tells_its_input() -> None:
    read = read_network(GOLDEN, DataShapes(batch_size=3))
    assert read.printed == (f"{GOLDEN}: takes 1x50x50, as far as it tells",)
    assert input_of(GOLDEN, DataShapes(batch_size=3)) == [3, 1, 50, 50]
    assert input_of(GOLDEN, NOTHING) == [1, 1, 50, 50]
    assert read.weights is not None
    assert read.weights()["Linear1"][0].shape == (2, 2500)
