"""Trained models have the structure of those that DIGITS' Torch wrapper saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.proto.source import Source
from protonet.torch7 import serial
from protonet.torch7.models import tree
from protonet.torch7.network import TorchNet, builder, inputs_of, translate
from protonet.torch7.objects import Function, Storage, Table, Tensor, TorchObject
from protonet.torch7.trained import ModelWriter, finish, put_weights
from tests.torch7.trees import call, nn, sequential

GOLDEN = Path(__file__).parents[1] / "golden_torch7" / "trainings"


def structure(value: Any) -> Any:
    """All of a value but the numbers in its storages, independent of the order of fields."""
    storages: dict[int, int] = {}

    def of(value: Any) -> Any:
        if isinstance(value, TorchObject):
            return value.typename, value.version, of(value.fields)
        if isinstance(value, Table):
            return {key: of(value[key]) for key in sorted(value, key=str)}
        if isinstance(value, Tensor):
            return value.kind, value.shape, value.strides, value.offset, of(value.storage)
        if isinstance(value, Storage):
            return value.kind, value.size, storages.setdefault(id(value), len(storages))
        return type(value), value

    return of(value)


def view() -> TorchObject:
    made: TorchObject = call(nn("View", -1), "setNumInputDims", 3)
    return made


def regression() -> TorchObject:
    return sequential(nn("MulConstant", 0.004), view(), nn("Linear", 2500, 2))


def digits() -> TorchObject:
    return sequential(
        nn("MulConstant", 1 / 256),
        nn("SpatialConvolution", 1, 8, 3, 3, 1, 1, 1, 1),
        nn("SpatialBatchNormalization", 8),
        nn("ReLU", True),
        nn("SpatialMaxPooling", 2, 2, 2, 2),
        nn("SpatialConvolutionMM", 8, 16, 3, 3),
        nn("Tanh"),
        view(),
        nn("Linear", 64, 32),
        nn("ReLU"),
        nn("Linear", 32, 10),
        nn("LogSoftMax"),
    )


def translated(model: TorchObject, *shape: int) -> TorchNet:
    net = builder(Source("", ""))
    return translate(model, inputs_of(net, [shape]), net)


@pytest.mark.parametrize(
    ("name", "shape"), [("regression", (2, 1, 50, 50)), ("digits", (2, 1, 8, 8))]
)
def test_the_structure_is_torchs(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    golden = serial.read(GOLDEN / name / "model.t7")
    weights = translated(serial.read(GOLDEN / name / "model.t7"), *shape).weights()
    begin, end, flat = (tmp_path / each for each in ("a.t7", "b.t7", "b_Weights.t7"))
    serial.save(begin, {"regression": regression, "digits": digits}[name]())
    ModelWriter(begin, shape).write(weights, "a.npz", end, flat)
    made = serial.read(end)
    assert structure(made) == structure(golden)
    assert flat.read_bytes() == (GOLDEN / name / "weights.t7").read_bytes()
    assert end.stat().st_size == (GOLDEN / name / "model.t7").stat().st_size
    for mine, theirs in zip(tree(made), tree(golden), strict=True):
        for field, value in theirs.fields.items():
            if isinstance(value, Tensor) and not field.startswith("grad"):
                np.testing.assert_array_equal(mine.fields[field].array, value.array)


def test_functions_of_the_definition_are_left_out() -> None:
    made = regression()
    made.fields["hook"] = Function()
    finish(made, {})
    assert "hook" not in made.fields


def test_weights_that_do_not_fit_are_refused() -> None:
    net = translated(nn("Linear", 3, 2), 5, 3)
    with pytest.raises(FormatError, match=r"a\.npz: layer 'Linear1' parameter 0 is missing"):
        put_weights(net, {}, "a.npz")
    wrong = {"Linear1": [np.zeros((2, 3)), np.zeros(3)]}
    with pytest.raises(
        FormatError, match=r"'Linear1' parameter 1 has shape \(3,\); expected \(2,\)"
    ):
        put_weights(net, wrong, "a.npz")


def test_modules_of_cudnn_have_no_buffers_of_nn() -> None:
    pool = TorchObject("cudnn.SpatialMaxPooling", Table(_type="torch.CudaTensor", kW=2))
    finish(sequential(pool), {id(pool): (2, 8, 8, 8)})
    assert sorted(pool.fields) == ["_type", "gradInput", "kW", "output", "train"]
    assert pool.fields["output"].kind == "Cuda"
