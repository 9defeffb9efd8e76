"""The divisor of losses, by mode."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.random_stream import Clock, RandomStream
from protonet.layers import layer_class
from protonet.layers.instantiation import instantiate
from protonet.layers.normalizer import Normalizer
from protonet.proto.caffe_pb2 import LossParameter
from protonet.testing import parse_layer


def divisor(
    fields: str,
    valid: list[float] | None,
    default: int | None = None,
    weights: list[float] | None = None,
) -> float:
    spec = parse_layer(f'type: "SoftmaxWithLoss" loss_param {{ {fields} }}', 2)
    device = Device()
    random = RandomStream(device, 0, "l", Clock(device))
    layer = instantiate(layer_class(spec.type)(spec), device, np.float32, random)
    normalizer = Normalizer(layer, 12, 4, default)
    if valid is not None:
        given = None if weights is None else np.array(weights, np.float32)
        normalizer.count(np.array(valid, np.float32), given)
    return float(normalizer.value)


@pytest.mark.parametrize(
    ("fields", "all_count", "some_count"),
    [
        ("", 12, 3),
        ("normalization: VALID", 12, 3),
        ("normalization: FULL", 12, 12),
        ("normalization: BATCH_SIZE", 4, 4),
        ("normalization: NONE", 1, 1),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 2.5", 2.5, 2.5),
        ("normalization: PRE_FIXED", 1, 1),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 0.5", 1, 1),
        ("normalization: WEIGHTS", 12, 3),
        ("normalize: true", 12, 3),
        ("normalize: false", 4, 4),
        ("normalize: false normalization: FULL", 12, 12),
    ],
)
def test_modes(fields: str, all_count: float, some_count: float) -> None:
    assert divisor(fields, None) == all_count
    assert divisor(fields, [1, 0, 1, 1, 0]) == some_count


def test_a_loss_may_have_a_default_of_its_own() -> None:
    assert divisor("", None, LossParameter.BATCH_SIZE) == 4
    assert divisor("normalization: FULL", None, LossParameter.BATCH_SIZE) == 12


def test_it_is_never_below_1() -> None:
    assert divisor("", [0, 0]) == 1


@pytest.mark.parametrize(("weights", "total"), [([0.5, 0, 0.25], 0.75), ([0, 0, 0], 1)])
def test_the_sum_of_weights(weights: list[float], total: float) -> None:
    valid = [1, 0, 1]
    assert divisor("normalization: WEIGHTS", valid, weights=weights) == total
    assert divisor("", valid, weights=weights) == 2
