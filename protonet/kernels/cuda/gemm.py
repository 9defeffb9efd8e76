"""Products of matrices through cuBLAS, with a handle and a workspace of our own.

CuPy's ``matmul`` cannot be captured in a CUDA graph: its handle allocates a workspace. cuBLAS is
column-major; a row-major matrix is its own transpose there: instead of C = A B, C^T = B^T A^T is
computed.
"""

from __future__ import annotations

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.precision import is_low_precision

KINDS = {"float32": 0, "float16": 2, "bfloat16": 14}
"""CUDA's names of element types: CUDA_R_32F, CUDA_R_16F, CUDA_R_16BF."""

STRICT_SUMS = 16
"""CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION: partial sums stay in float32, whatever the
result is rounded to."""

WORKSPACE = 32 << 20
"""Bytes: what NVIDIA recommends for Hopper."""


class Gemm:
    """Products on a device, summed in float32.

    Factors are float32, or rounded to TF32 where the device allows it, or both of the same 16-bit
    type; the result is float32 or of the factors' type.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._blas = device.cublas()
        self._handle = self._blas.create()
        self._blas.setMathMode(self._handle, STRICT_SUMS)
        self._workspace = device.empty((WORKSPACE,), np.uint8)
        self._stream: int | None = None
        self._compute = (
            self._blas.CUBLAS_COMPUTE_32F_FAST_TF32
            if device.tf32
            else self._blas.CUBLAS_COMPUTE_32F
        )
        # The scalars are in persistent host memory; cuBLAS reads them when it is called.
        self._numbers = np.array([0.0, 1.0], np.float32)

    # long: one call, with all that cuBLAS asks for in its order
    def multiply(
        self,
        a: Array,
        b: Array,
        c: Array,
        rows: int,
        columns: int,
        inner: int,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        add: bool = False,
        batch: int = 1,
        strides: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        """Write A B to C (rows x columns), or add it with ``add``; asynchronous.

        Args:
            a: rows x inner.
            b: inner x columns.
            c: the result.
            rows: of A and C.
            columns: of B and C.
            inner: columns of A, rows of B.
            transpose_a: A is stored as inner x rows.
            transpose_b: B is stored as columns x inner.
            add: accumulate into C.
            batch: the number of products; their matrices are ``strides`` elements apart.
            strides: of A, B and C.
        """
        self._use_current_stream()
        beta = self._numbers.ctypes.data
        blas, kind, result = self._blas, KINDS[a.dtype.name], KINDS[c.dtype.name]
        assert a.dtype == b.dtype, f"{a.dtype} times {b.dtype}"
        blas.gemmStridedBatchedEx(
            self._handle,
            blas.CUBLAS_OP_T if transpose_b else blas.CUBLAS_OP_N,
            blas.CUBLAS_OP_T if transpose_a else blas.CUBLAS_OP_N,
            columns,
            rows,
            inner,
            beta + 4,
            b.data.ptr,
            kind,
            inner if transpose_b else columns,
            strides[1],
            a.data.ptr,
            kind,
            rows if transpose_a else inner,
            strides[0],
            beta + 4 if add else beta,
            c.data.ptr,
            result,
            columns,
            strides[2],
            batch,
            blas.CUBLAS_COMPUTE_32F if is_low_precision(a.dtype) else self._compute,
            blas.CUBLAS_GEMM_DEFAULT,
        )

    def _use_current_stream(self) -> None:
        """Use the current stream. Setting a stream resets the workspace, which is set again."""
        stream = self._device.stream_pointer()
        if stream != self._stream:
            self._blas.setStream(self._handle, stream)
            self._device.set_cublas_workspace(self._handle, self._workspace)
            self._stream = stream


def gemm(device: Device) -> Gemm:
    """The products of a device, cached on it."""
    held: Gemm | None = device.cache.get(Gemm)
    if held is None:
        held = device.cache[Gemm] = Gemm(device)
    return held
