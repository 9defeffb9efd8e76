"""Prediction with models of Torch7."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.jobs.inference.classification import Preprocessing
from protonet.jobs.inference.torch_model import open_torch_model
from protonet.torch7 import serial
from protonet.torch7.deployed import UnknownShapeError
from tests.torch7.trees import call, nn, sequential

PIXELS = np.random.default_rng(1).integers(0, 256, (4, 5, 3), np.uint8)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    return path


def identity(tmp_path: Path) -> Path:
    path = tmp_path / "identity.t7"
    serial.save(path, sequential(nn("MulConstant", 2)))
    return path


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Preprocessing(), PIXELS.astype(float)),
        (Preprocessing(mean="1,2,3"), PIXELS - [1.0, 2, 3]),
        (Preprocessing(channel_swap=(2, 1, 0)), PIXELS[..., ::-1].astype(float)),
    ],
)
def test_images_are_red_green_blue_as_torch_reads_them(
    image: Path, tmp_path: Path, how: Preprocessing, expected: np.ndarray
) -> None:
    with open_torch_model(identity(tmp_path), how, (3, 4, 5)) as predictor:
        (answer,) = predictor.predict([image])
    np.testing.assert_allclose(answer.outputs["MulConstant1"], 2 * expected.transpose(2, 0, 1))
    assert predictor.note == ""


def test_a_shape_that_is_not_told_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UnknownShapeError, match=r"give it, as in --input-shape 3x224x224"):
        open_torch_model(identity(tmp_path), Preprocessing())
    path = tmp_path / "linear.t7"
    view = call(nn("View", -1), "setNumInputDims", 3)
    serial.save(path, sequential(view, nn("Linear", 64, 2)))
    with open_torch_model(path, Preprocessing()) as predictor:
        assert predictor.note == f"{path}: takes images of 1x8x8, as far as it tells"
