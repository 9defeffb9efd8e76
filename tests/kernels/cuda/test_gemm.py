"""cuBLAS: what it is asked for, and when its workspace is set."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.cuda.gemm import gemm
from tests.kernels.cuda.emulation import EmulatedBlas, EmulatedDevice
from tests.kernels.cuda.passes import Hand, assert_same


def batches(device: Device, dtype: type = np.float32) -> list[np.ndarray]:
    hand = Hand(device, dtype)
    a, b, c = hand.drawn(2, 3, 5), hand.drawn(2, 5, 4), hand.ones(2, 3, 4)
    gemm(device).multiply(a, b, c, 3, 4, 5, batch=2, strides=(15, 20, 12), add=True)
    return hand.back(a, b, c)


def test_products_of_a_batch_are_added() -> None:
    a, b, c = batches(EmulatedDevice())
    assert_same([c], [1 + a @ b])


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


@pytest.mark.gpu
def test_a_gpu_multiplies() -> None:
    a, b, c = batches(Device("cuda:0"))
    assert_same([c], [1 + a.astype(np.float64) @ b])
