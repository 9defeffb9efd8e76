"""Devices that compute nothing; ``test_estimate`` holds what they count to what nets take."""

from __future__ import annotations

import numpy as np

from protonet.device import Device
from protonet.graph.meta_device import MetaDevice, build_on, meta_array, supports_low_precision
from protonet.layers import Layer
from tests.graph.nets import SEED, plan_of
from tests.kernels.cuda.emulation import EmulatedDevice


def hidden() -> Layer:
    return next(step.layer for step in plan_of(SEED).steps if step.name == "hidden")


def test_a_hollow_array_takes_no_memory() -> None:
    array = meta_array((1000, 10**6), np.float64)
    assert array.shape == (1000, 10**6)
    assert array.strides == (0, 0)


def test_a_layer_is_built_on_a_copy() -> None:
    layer, device = hidden(), MetaDevice()
    before = dict(vars(layer))
    build_on(device, layer, [(3, 1, 4, 5)], np.float32)
    assert vars(layer) == before


def test_16_bits_are_taken_where_kernels_are_made_for_them() -> None:
    layer, shapes = hidden(), [(3, 1, 4, 5)]
    assert supports_low_precision(layer, shapes, EmulatedDevice(), np.float16)
    assert not supports_low_precision(layer, shapes, Device(), np.float16)
