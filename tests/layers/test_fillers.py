"""Fillers: their distributions and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from google.protobuf import text_format

from protonet.errors import LayerError
from protonet.layers.fillers import check_filler, fill, filled_weight
from protonet.proto.caffe_pb2 import FillerParameter

SHAPE = (40, 30, 7, 5)
FAN_IN, FAN_OUT = 30 * 7 * 5, 40 * 7 * 5


def filler(text: str) -> FillerParameter:
    message = FillerParameter()
    text_format.Parse(text, message)
    return message


def filled(text: str, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return fill(filler(text), shape, np.random.default_rng(seed), np.float32)


def test_constant_and_none() -> None:
    assert (filled("value: 0.25") == 0.25).all()
    zeros = fill(None, (2, 3), np.random.default_rng(0), np.float64)
    assert (zeros.dtype, zeros.tolist()) == (np.float64, [[0.0] * 3] * 2)


@pytest.mark.parametrize("kind", ["uniform", "gaussian", "positive_unitball", "xavier", "msra"])
def test_values_are_a_function_of_the_generator(kind: str) -> None:
    first = filled(f'type: "{kind}"')
    assert (first.dtype, first.shape) == (np.float32, SHAPE)
    np.testing.assert_array_equal(filled(f'type: "{kind}"'), first)
    assert (filled(f'type: "{kind}"', seed=1) != first).mean() > 0.99


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ('type: "uniform"', 0, 1),
        ('type: "uniform" min: -3 max: 2', -3, 2),
        ('type: "xavier"', -math.sqrt(3 / FAN_IN), math.sqrt(3 / FAN_IN)),
        (
            'type: "xavier" variance_norm: FAN_OUT',
            -math.sqrt(3 / FAN_OUT),
            math.sqrt(3 / FAN_OUT),
        ),
        (
            'type: "xavier" variance_norm: AVERAGE',
            -math.sqrt(6 / (FAN_IN + FAN_OUT)),
            math.sqrt(6 / (FAN_IN + FAN_OUT)),
        ),
    ],
)
def test_uniform_distributions(text: str, low: float, high: float) -> None:
    values = filled(text)
    width = high - low
    assert low <= values.min() < low + 0.001 * width
    assert high - 0.001 * width < values.max() <= high
    assert abs(values.mean() - (low + high) / 2) < 0.01 * width
    assert abs(values.std() - width / math.sqrt(12)) < 0.01 * width


@pytest.mark.parametrize(
    ("text", "mean", "deviation"),
    [
        ('type: "gaussian"', 0, 1),
        ('type: "gaussian" mean: 3 std: 0.5', 3, 0.5),
        ('type: "gaussian" mean: 3 std: 0', 3, 0),
        ('type: "msra"', 0, math.sqrt(2 / FAN_IN)),
        ('type: "msra" variance_norm: FAN_OUT', 0, math.sqrt(2 / FAN_OUT)),
    ],
)
def test_normal_distributions(text: str, mean: float, deviation: float) -> None:
    values = filled(text).astype(np.float64)
    assert abs(values.mean() - mean) <= 0.01 * deviation
    assert abs(values.std() - deviation) <= 0.01 * deviation
    if deviation:
        standard = (values - mean) / deviation
        assert abs((np.abs(standard) < 1).mean() - 0.6827) < 0.01


def test_a_sparse_gaussian_keeps_a_share() -> None:
    values = filled('type: "gaussian" sparse: 10')
    assert abs((values != 0).mean() - 10 / SHAPE[0]) < 0.01
    assert not filled('type: "gaussian" sparse: 0').any()


def test_positive_unitball_rows_add_up_to_one() -> None:
    values = filled('type: "positive_unitball"')
    assert values.min() >= 0
    np.testing.assert_allclose(values.reshape(40, -1).sum(axis=1), 1, rtol=1e-5)


def test_a_vector_has_all_of_itself_as_fan_out() -> None:
    values = filled('type: "xavier" variance_norm: FAN_OUT', (50_000,))
    assert abs(values.max() - math.sqrt(3 / 50_000)) < 1e-5
    assert abs(filled('type: "xavier"', ())) <= math.sqrt(3)
    assert filled('type: "gaussian" sparse: 1', ()).shape == ()
    assert filled('type: "positive_unitball"', ()) == 1


@pytest.mark.parametrize(
    ("width", "ramp"),
    [(4, [0.25, 0.75, 0.75, 0.25]), (3, [0.5, 1.0, 0.5])],
)
def test_bilinear_is_the_kernel_of_upsampling(width: int, ramp: list[float]) -> None:
    values = filled('type: "bilinear"', (2, 3, width, width))
    np.testing.assert_allclose(values, np.broadcast_to(np.outer(ramp, ramp), values.shape))


@pytest.mark.parametrize(
    ("text", "shape", "message", "field"),
    [
        (
            'type: "gausian"',
            SHAPE,
            "unknown filler type 'gausian'; did you mean 'gaussian'?",
            "type",
        ),
        (
            'type: "uniform" min: 2',
            SHAPE,
            "expected min <= max in a uniform filler, got 2 and 1",
            "min",
        ),
        (
            'type: "gaussian" std: -1',
            SHAPE,
            "expected std >= 0 in a gaussian filler, got -1",
            "std",
        ),
        (
            'type: "bilinear"',
            SHAPE,
            "a bilinear filler needs 4 axes with a square kernel, got 40x30x7x5",
            "type",
        ),
    ],
)
def test_mistakes(text: str, shape: tuple[int, ...], message: str, field: str) -> None:
    for refuse in (
        lambda: check_filler(filler(text), shape, ("weight_filler",)),
        lambda: filled_weight(shape, filler(text), ("weight_filler",)),
    ):
        with pytest.raises(LayerError) as caught:
            refuse()
        assert str(caught.value) == message
        assert caught.value.path == ("weight_filler", field)
    with pytest.raises(LayerError):
        filled(text, shape)


def test_gaussian_unitball_has_rows_of_length_1() -> None:
    values = fill(
        FillerParameter(type="gaussian_unitball"), (40, 3, 5), np.random.default_rng(0), np.float32
    )
    np.testing.assert_allclose((values**2).sum(axis=(1, 2)), 1, rtol=1e-5)
    assert abs(values.mean()) < 0.05
    assert values.min() < 0 < values.max()
