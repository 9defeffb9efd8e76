"""Modules that draw random numbers in training."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.objects import TorchObject
from tests.torch7.modules.computing import outputs, same
from tests.torch7.trees import call, nn

ONES = np.ones((40, 50, 4, 5), np.float32)


def evaluated(made: TorchObject, x: np.ndarray) -> np.ndarray:
    found: np.ndarray = TorchModule(made, [x.shape], phase="evaluate").forward(x)
    return found


@pytest.mark.parametrize(
    ("made", "kept", "evaluate"),
    [
        (nn("Dropout", 0.25), 1 / 0.75, 1),
        (nn("Dropout", 0.25, True), 1, 0.75),
        (nn("Dropout"), 2, 1),
        (nn("Dropout", 0.25, None, True), 1 / 0.75, 1),
    ],
)
def test_dropout_of_both_versions(made: TorchObject, kept: float, evaluate: float) -> None:
    y = outputs(made, ONES)
    assert set(np.unique(y.round(4))) == {np.float32(0), np.float32(round(kept, 4))}
    assert (y > 0).mean() == pytest.approx(1 - made.fields["p"], abs=0.01)
    model = TorchModule(made, [ONES.shape])
    model.forward(ONES)
    same(model.backward(3 * ONES)[0], 3 * y)
    same(evaluated(made, ONES), evaluate * ONES)


def test_dropout_that_draws_in_evaluate() -> None:
    y = evaluated(nn("Dropout", 0.25, False, False, True), ONES)
    assert (y > 0).mean() == pytest.approx(0.75, abs=0.01)
    y = evaluated(nn("SpatialDropout", 0.25, True), ONES)
    assert (y > 0).mean() == pytest.approx(0.75, abs=0.05)


def test_dropout_of_nothing_is_no_layer() -> None:
    made = nn("Dropout", 0.5)
    call(made, "setp", 0)
    assert not TorchModule(made, [(2, 3)]).translated.definition.net.layer


@pytest.mark.parametrize(
    ("name", "shape", "planes"),
    [
        ("SpatialDropout", (40, 50, 4, 5), 2),
        ("SpatialDropout", (500, 4, 5), 1),
        ("VolumetricDropout", (40, 50, 2, 4, 5), 2),
        ("VolumetricDropout", (500, 2, 4, 5), 1),
    ],
)
def test_planes_are_dropped_as_a_whole(name: str, shape: tuple[int, ...], planes: int) -> None:
    x = np.ones(shape, np.float32)
    y = outputs(nn(name, 0.25), x).reshape(*shape[:planes], -1)
    assert (y == y[..., :1]).all()
    same(np.unique(y), np.array([0, 1]))
    assert y.mean() == pytest.approx(0.75, abs=0.06)
    same(evaluated(nn(name, 0.25), x), 0.75 * x)


def test_other_inputs_of_planes_are_refused() -> None:
    with pytest.raises(NetworkError, match="expected 4 dimensions, or 3 without a batch, got 2x3"):
        TorchModule(nn("SpatialDropout"), [(2, 3)])


def test_white_noise() -> None:
    y = outputs(nn("WhiteNoise", 2, 3), ONES)
    assert y.mean() == pytest.approx(3, abs=0.05)
    assert y.std() == pytest.approx(3, abs=0.05)
    same(evaluated(nn("WhiteNoise", 2), ONES), 3 * ONES)
    made = nn("WhiteNoise").fields
    assert (made["mean"], made["std"]) == (0, 0.1)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Dropout", (1,), "expected 0 <= p < 1, got 1"),
        ("Dropout", ("x",), "p must be a number, got x"),
        ("SpatialDropout", (-1,), "expected 0 <= p <= 1, got -1"),
        ("WhiteNoise", (True,), "mean must be a number, got True"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[object], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)
