"""Functions of cudnn.torch whose fields, or axes, are not those of nn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import create
from protonet.torch7.objects import TorchObject
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import SESSION

X = np.array([[-3, -0.5, 0.25], [1, 5, 8]], np.float32)


def cudnn(name: str, *arguments: Any) -> TorchObject:
    return create(f"cudnn.{name}", list(arguments), SESSION)


def softmax(x: np.ndarray, *axes: int) -> np.ndarray:
    raised = np.exp(x.astype(float) - x.max())
    return np.asarray(raised / raised.sum(axes, keepdims=True))


@pytest.mark.parametrize(
    ("made", "y"),
    [
        (cudnn("ReLU", True), np.maximum(X, 0)),
        (cudnn("Tanh"), np.tanh(X)),
        (cudnn("Sigmoid"), 1 / (1 + np.exp(-X))),
        (cudnn("ClippedReLU", 5.5), np.clip(X, 0, 5.5)),
    ],
)
def test_functions_of_each_value(made: TorchObject, y: np.ndarray) -> None:
    same(outputs(made, X), y)
    assert {"output", "gradInput", "_type", "inplace"} >= set(made.fields) - {"ceiling"}


def test_a_ceiling_has_no_slope() -> None:
    assert slopes(cudnn("ClippedReLU", 5), X)[0].tolist() == [[0, 0, 3], [4, 0, 0]]


@pytest.mark.parametrize(
    ("name", "shape", "axes"),
    [
        ("SoftMax", (5,), (0,)),
        ("SoftMax", (2, 5), (1,)),
        ("SoftMax", (3, 4, 5), (0, 1, 2)),
        ("SoftMax", (2, 3, 4, 5), (1, 2, 3)),
        ("SpatialSoftMax", (5,), (0,)),
        ("SpatialSoftMax", (3, 4, 5), (0,)),
        ("SpatialSoftMax", (2, 3, 4, 5), (1,)),
        ("VolumetricSoftMax", (2, 3, 4, 5), (0,)),
        ("VolumetricSoftMax", (2, 3, 2, 4, 5), (1,)),
    ],
)
def test_soft_maxima(name: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    x = inputs(shape)[0] / 10
    same(outputs(cudnn(name), x), softmax(x, *axes))
    logs = name.replace("Soft", "LogSoft")
    same(outputs(cudnn(logs), x), np.log(softmax(x, *axes)))


def test_fields_of_soft_maxima() -> None:
    assert cudnn("SoftMax", True).fields["algorithm"] == "CUDNN_SOFTMAX_FAST"
    assert cudnn("SpatialSoftMax").fields["algorithm"] == "CUDNN_SOFTMAX_ACCURATE"
    logs = cudnn("VolumetricLogSoftMax").fields["ssm"].fields
    assert logs["algorithm"] == "CUDNN_SOFTMAX_LOG"
    assert logs["mode"] == "CUDNN_SOFTMAX_MODE_CHANNEL"


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(NetworkError, match="items of 3 dimensions, got 2x3x4x5x6"):
        TorchModule(cudnn("SpatialSoftMax"), [(2, 3, 4, 5, 6)])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ClippedReLU", (), "ceiling must be a number, got nil"),
        ("ClippedReLU", (-1,), "expected a ceiling above 0, got -1"),
        ("ReLU", (1,), "inplace must be true or false, got 1"),
        ("SoftMax", (1,), "fast must be true or false, got 1"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[object], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        cudnn(name, *arguments)
