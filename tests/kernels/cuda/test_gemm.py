"""cuBLAS: what it is asked for, and when its workspace is set."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.cuda.gemm import STRICT_SUMS, gemm
from protonet.precision import type_of
from tests.kernels.cuda.emulation import EmulatedBlas, EmulatedDevice
from tests.kernels.cuda.passes import TYPES, Hand, assert_same


def batches(device: Device, dtype: str = "float32") -> list[np.ndarray]:
    hand = Hand(device, type_of(dtype), type_of(dtype))
    a, b, c = hand.drawn(2, 3, 5), hand.drawn(2, 5, 4), hand.given(np.ones((2, 3, 4)))
    wide = hand.ones(2, 3, 4)
    for out in (c, wide):
        gemm(device).multiply(a, b, out, 3, 4, 5, batch=2, strides=(15, 20, 12), add=True)
    return hand.back(a, b, c, wide)


def check(device: Device, dtype: str) -> None:
    """Hold the sums of products to those in float64."""
    a, b, *sums = batches(device, dtype)
    expected = 1 + a.astype(np.float64) @ b.astype(np.float64)
    assert_same(sums, [expected, expected])


@TYPES
def test_products_of_a_batch_are_added(dtype: str) -> None:
    check(EmulatedDevice(), dtype)


def test_the_workspace_is_set_for_each_stream() -> None:
    """To set the stream takes cuBLAS' workspace away."""
    device = EmulatedDevice()
    batches(device)
    batches(device)
    assert device.workspaces == 1
    device.stream = 5
    batches(device)
    assert device.workspaces == 2
    assert gemm(device) is gemm(device)


@pytest.mark.parametrize(
    ("tf32", "compute"),
    [(False, EmulatedBlas.CUBLAS_COMPUTE_32F), (True, EmulatedBlas.CUBLAS_COMPUTE_32F_FAST_TF32)],
)
def test_tf32_is_used_where_it_is_allowed(tf32: bool, compute: int) -> None:
    device = EmulatedDevice(tf32=tf32)
    batches(device)
    assert device.blas.calls[-1] == ("gemm", compute)


@TYPES
def test_sums_are_made_in_float32(dtype: str) -> None:
    device = EmulatedDevice(tf32=True)
    batches(device, dtype)
    assert ("setMathMode", STRICT_SUMS) in device.blas.calls
    if dtype != "float32":
        assert device.blas.calls[-1] == ("gemm", EmulatedBlas.CUBLAS_COMPUTE_32F)


def test_factors_are_of_one_type() -> None:
    device = EmulatedDevice()
    a, b = device.zeros((2, 2)), device.zeros((2, 2), np.float16)
    with pytest.raises(AssertionError, match="float32 times float16"):
        gemm(device).multiply(a, b, a, 2, 2, 2)


@pytest.mark.gpu
@TYPES
def test_a_gpu_multiplies(dtype: str) -> None:
    check(Device("cuda:0"), dtype)
