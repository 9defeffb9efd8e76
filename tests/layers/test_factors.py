"""Factors that are a bottom, in float32 for kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.random_stream import RandomStream
from protonet.layers.base import Layer
from protonet.layers.factors import Factors
from protonet.layers.instantiation import instantiate
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import LayerParameter

VALUES = [[0.5, -2.0, 3.0], [1.25, 0.0, -7.0]]


def factors(dtype: Any) -> Factors:
    device = Device("cpu")
    layer = instantiate(
        Layer(LayerParameter(name="f")), device, np.dtype(dtype), RandomStream(device, 0, "f")
    )
    return Factors(layer, (2, 3))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_factors_of_16_bits_are_widened(name: str) -> None:
    dtype = type_of(name)
    found = factors(dtype)
    bottom, dbottom = np.array(VALUES, dtype), np.full((2, 3), np.nan, dtype)
    wide = found.read(bottom)
    assert (wide.dtype.name, wide.tolist()) == ("float32", VALUES)
    for _ in range(2):
        sums = found.sums(dbottom)
        assert sums is not None
        sums += np.array(VALUES, np.float32)
        found.write(dbottom)
        assert dbottom.astype(np.float32).tolist() == VALUES


def test_others_are_taken_as_they_are() -> None:
    found, bottom, dbottom = factors(np.float64), np.array(VALUES), np.full((2, 3), np.nan)
    assert found.read(bottom) is bottom
    assert found.sums(dbottom) is dbottom
    assert not dbottom.any()
    found.write(dbottom)
    assert not dbottom.any()


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_gradient_may_not_be_wanted(name: str) -> None:
    found = factors(type_of(name))
    assert found.sums(None) is None
    found.write(None)
