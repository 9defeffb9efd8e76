"""Models in .t7 files as nets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST
from protonet.torch7 import serial
from protonet.torch7.deployed import UnknownShapeError, open_deployed
from tests.torch7.trees import call, nn, seed_net, sequential


def test_a_model_predicts_as_its_formula(tmp_path: Path) -> None:
    made, path = seed_net(), tmp_path / "seed.t7"
    serial.save(path, made)
    model = open_deployed(path, (3, 5, 4), batch=2)
    assert (model.definition.net.name, model.guessed) == ("seed", False)
    net = Net(plan_net(model.definition, phase=TEST), Device(), gradients=False)
    net.load(model.weights(), str(path))
    x = np.random.default_rng(1).normal(size=(2, 3, 5, 4)).astype(np.float32)
    net.inputs["data"].data[...] = x
    net.forward()
    linear = made.fields["modules"][3].fields
    expected = 0.004 * x.reshape(2, 60) @ linear["weight"].array.T + linear["bias"].array
    np.testing.assert_allclose(net.blobs["Linear1"].data, expected, rtol=1e-5)


def test_the_shape_is_what_the_model_tells(tmp_path: Path) -> None:
    path = tmp_path / "a.t7"
    view = call(nn("View", -1), "setNumInputDims", 3)
    serial.save(path, sequential(view, nn("Linear", 2500, 2)))
    model = open_deployed(path)
    assert (model.shape, model.guessed) == ((1, 50, 50), True)
    serial.save(path, nn("MulConstant", 2))
    with pytest.raises(UnknownShapeError, match=r"a\.t7: the model does not tell the shape"):
        open_deployed(path)


def test_what_does_not_fit_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.t7"
    serial.save(path, sequential(nn("MulConstant", 2), nn("Linear", 7, 2)))
    at = path.read_bytes().index(b"nn.Linear") - 19
    with pytest.raises(NetworkError) as refused:
        open_deployed(path, (5,))
    assert str(refused.value).startswith(f"{path}: modules/2 (byte {at}): nn.Linear: expected")
