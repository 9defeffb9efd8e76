"""Weights between .t7 files and layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.torch7 import serial
from protonet.torch7.conversion import open_any_shape, open_weights, save_model
from protonet.torch7.deployed import UnknownShapeError
from tests.torch7.trees import nn, sequential

GOLDEN = Path(__file__).parents[1] / "golden_torch7" / "trainings" / "regression"


def test_flat_weights_become_those_of_a_model() -> None:
    flat = serial.read(GOLDEN / "weights.t7").array
    opened = open_weights(GOLDEN / "weights.t7", GOLDEN / "model.t7")
    weight, bias = opened.weights()["Linear1"]
    assert weight is not None
    assert bias is not None
    np.testing.assert_array_equal(weight.reshape(-1), flat[:5000])
    np.testing.assert_array_equal(bias, flat[5000:])
    with pytest.raises(FormatError, match=r"weights\.t7: is a vector of 5,002 weights, without"):
        open_weights(GOLDEN / "weights.t7")


def test_weights_of_layers_become_a_model(tmp_path: Path) -> None:
    given = {"Linear1": [np.arange(5000.0).reshape(2, 2500), np.array([-1.0, -2.0])]}
    opened = open_any_shape(GOLDEN / "model.t7")
    assert opened.shape == (1, 50, 50)
    assert save_model(tmp_path / "a.t7", opened, given, "a.npz") == 5002
    again = open_weights(tmp_path / "a.t7").weights()["Linear1"]
    for one, other in zip(again, given["Linear1"], strict=True):
        np.testing.assert_array_equal(one, other)
    save_model(tmp_path / "a_Weights.t7", opened, given, "a.npz")
    expected = [*range(5000), -1, -2]
    assert serial.read(tmp_path / "a_Weights.t7").array.tolist() == expected


def test_any_shape_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.t7"
    serial.save(path, sequential(nn("Linear", 7, 3), nn("Linear", 3, 2)))
    assert open_any_shape(path).shape == (7,)
    serial.save(path, nn("SpatialConvolution", 5, 2, 3, 3))
    assert open_any_shape(path).shape == (5, 224, 224)
    serial.save(path, nn("SpatialConvolution", 1, 2, 300, 3))
    with pytest.raises(UnknownShapeError, match=r"a\.t7: no usual shape of an input fits"):
        open_any_shape(path)
    assert open_any_shape(path, (1, 3, 300)).weights()["SpatialConvolution1"][0] is not None
