"""A stand-in for a GPU: CUDA sources run by a C++ compiler, arrays by NumPy, products by NumPy."""

from __future__ import annotations

import ctypes
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.precision import type_of
from tests.kernels.cuda.compiling import compiled, libraries
from tests.kernels.cuda.emulated_queue import EmulatedCuda, Queue

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="g++ runs the CUDA sources here, and is not there"
)

_HEADER = Path(__file__).with_name("emulator.h")
_SIGNATURE = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')


QUEUE = Queue()


class EmulatedArray(np.ndarray):
    """An array whose ``data`` has a ``ptr``, as CuPy's have, and whose work goes to the queue."""

    @property
    def data(self) -> Any:
        return Pointer(self.ctypes.data)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **how: Any) -> Any:
        given = [_plain(each) for each in inputs]
        out = how.pop("out", None)
        if out is None:
            QUEUE.refuse(f"{ufunc.__name__} without out")
            made = getattr(ufunc, method)(*given, **how)
            return made.view(EmulatedArray) if isinstance(made, np.ndarray) else made
        if ufunc is np.matmul:
            QUEUE.refuse("matmul")
        plain = tuple(_plain(each) for each in out)
        QUEUE.do(lambda: getattr(ufunc, method)(*given, out=plain, **how))
        return out[0]

    def fill(self, value: Any) -> None:
        QUEUE.do(lambda: _plain(self).fill(_plain(value)))

    def __setitem__(self, place: Any, value: Any) -> None:
        QUEUE.do(lambda: _plain(self).__setitem__(place, _plain(value)))

    def set(self, host: np.ndarray, stream: Any = None) -> None:
        QUEUE.refuse("a copy from the host")
        _plain(self)[...] = host

    def item(self, *place: Any) -> Any:
        QUEUE.refuse("item")
        return super().item(*place)

    def __bool__(self) -> bool:
        QUEUE.refuse("bool")
        return bool(_plain(self))


def _plain(given: Any) -> Any:
    """NumPy's own view of an array."""
    return given.view(np.ndarray) if isinstance(given, EmulatedArray) else given


class Pointer:
    """Where an array lies."""

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


class EmulatedModule:
    """What CuPy's RawModule is here; holds every launch to the kernel's declaration."""

    def __init__(self, code: str, options: tuple[str, ...] = ()) -> None:
        self._signatures = {
            name: [argument.rsplit(maxsplit=1)[0].strip() for argument in arguments.split(",")]
            for name, arguments in _SIGNATURE.findall(code)
        }
        defined = tuple(each for each in options if each.startswith("-D"))
        self._stored = defined[0].removeprefix("-D").lower() if defined else "float32"
        self._library = _library(code, tuple(self._signatures), defined)

    def get_function(self, name: str) -> Any:
        function, types = getattr(self._library, f"launch_{name}"), self._signatures[name]
        stored = self._stored

        def run(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            assert len(arguments) == len(types), f"{name} takes {types}"
            held = [
                _held(given, kind, name, stored)
                for given, kind in zip(arguments, types, strict=True)
            ]
            pointers = (ctypes.c_void_p * len(held))(*(ctypes.addressof(each) for each in held))
            extents = (ctypes.c_uint * 3)(*(*grid, 1, 1)[:3])

            def work() -> None:
                assert held is not None
                assert function(pointers, extents, ctypes.c_uint(block[0])) == 0, "threads diverge"

            QUEUE.do(work)

        return run


def _held(given: Any, kind: str, name: str, stored: str) -> Any:
    """An argument in memory as its declaration asks for it; ``stored`` is the type of values."""
    if kind.endswith("*"):
        if isinstance(given, np.uintp):
            return ctypes.c_void_p(None)
        wanted = {
            "stored": stored,
            "float": "float32",
            "wide": "int64",
            "int": "int32",
            "unsigned long long": "uint64",
            "unsigned char": "uint8",
        }
        element = kind.replace("const", "").rstrip("* ").strip()
        assert isinstance(given, np.ndarray), f"{name}: {kind} got {type(given)}"
        assert given.dtype.name == wanted[element], f"{name}: {kind} got {given.dtype}"
        assert given.flags.c_contiguous
        return ctypes.c_void_p(given.ctypes.data)
    expected = {
        "int": (np.int32, ctypes.c_int),
        "float": (np.float32, ctypes.c_float),
        "unsigned long long": (np.uint64, ctypes.c_ulonglong),
        "Extent": (np.uint64, ctypes.c_ulonglong),
    }[kind]
    assert type(given) is expected[0], f"{name}: {kind} got {type(given)}"
    return expected[1](given.item())


@cache
def _library(code: str, names: tuple[str, ...], defined: tuple[str, ...]) -> ctypes.CDLL:
    signatures = dict(_SIGNATURE.findall(code))
    wrappers = []
    for name in names:
        types = [each.rsplit(maxsplit=1)[0].strip() for each in signatures[name].split(",")]
        values = ", ".join(f"*({kind}*)a[{at}]" for at, kind in enumerate(types))
        wrappers.append(
            f"static void call_{name}(void** a) {{ {name}({values}); }}\n"
            f'extern "C" int launch_{name}(void** a, unsigned* grid, unsigned threads) '
            f"{{ return launch(call_{name}, a, grid, threads); }}"
        )
    plain = code.replace('extern "C" __global__', "__global__")
    macros = [f"#define {each.removeprefix('-D')}" for each in defined]
    text = "\n".join([*macros, _HEADER.read_text(), plain, *wrappers])
    return compiled(text, libraries())


class EmulatedBlas:
    """cuBLAS' strided products, column after column, as its documentation describes them: factors
    of one type, sums in float32, a result of float32 or of the factors' type.
    """

    CUBLAS_OP_N, CUBLAS_OP_T, CUBLAS_GEMM_DEFAULT = 0, 1, -1
    CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32 = 68, 77

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def create(self) -> int:
        return 7

    def setMathMode(self, handle: int, mode: int) -> None:
        self.calls.append(("setMathMode", mode))

    def setStream(self, handle: int, stream: int) -> None:
        self.calls.append(("setStream", handle, stream))

    def gemmStridedBatchedEx(
        self, handle: int, transa: int, transb: int, m: int, n: int, k: int, alpha: int,
        a: int, a_type: int, lda: int, stride_a: int, b: int, b_type: int, ldb: int, stride_b: int,
        beta: int, c: int, c_type: int, ldc: int, stride_c: int, batch: int, compute: int,
        algorithm: int,
    ) -> None:  # fmt: skip
        self.calls.append(("gemm", compute))
        assert a_type == b_type
        assert c_type in (0, a_type)
        factors, result = _ELEMENTS[a_type], _ELEMENTS[c_type]
        QUEUE.do(lambda: self._multiply(
            transa, transb, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc,
            stride_c, batch, factors, result,
        ))  # fmt: skip

    def _multiply(
        self, transa: int, transb: int, m: int, n: int, k: int, alpha: int, a: int, lda: int,
        stride_a: int, b: int, ldb: int, stride_b: int, beta: int, c: int, ldc: int,
        stride_c: int, batch: int, factors: np.dtype[Any], result: np.dtype[Any],
    ) -> None:  # fmt: skip
        scale, keep = (ctypes.c_float.from_address(each).value for each in (alpha, beta))
        for at in range(batch):
            left = _columns(a, at * stride_a, *((k, m) if transa else (m, k)), lda, factors)
            right = _columns(b, at * stride_b, *((n, k) if transb else (k, n)), ldb, factors)
            out = _columns(c, at * stride_c, m, n, ldc, result)
            left, right = left.astype(np.float32), right.astype(np.float32)
            product = scale * (left.T if transa else left) @ (right.T if transb else right)
            out[...] = product + keep * out.astype(np.float32) if keep else product


_ELEMENTS = {0: np.dtype(np.float32), 2: np.dtype(np.float16), 14: type_of("bfloat16")}
"""CUDA's names of types."""


def array_at(address: int, count: int, dtype: np.dtype[Any]) -> np.ndarray:
    """So many elements that lie at an address."""
    memory = (ctypes.c_ubyte * (count * dtype.itemsize)).from_address(address)
    return np.frombuffer(memory, dtype)


def _columns(
    address: int, offset: int, rows: int, columns: int, leading: int, dtype: np.dtype[Any]
) -> np.ndarray:
    """A matrix that lies column after column, ``leading`` elements apart."""
    size, count = dtype.itemsize, leading * (columns - 1) + rows
    flat = array_at(address + offset * size, count, dtype)
    return np.lib.stride_tricks.as_strided(flat, (rows, columns), (size, size * leading))


class EmulatedArrays:
    """NumPy with what else is asked of CuPy."""

    RawModule = EmulatedModule
    ndarray = EmulatedArray

    def __init__(self) -> None:
        self.cuda = EmulatedCuda(QUEUE)

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if not callable(found) or isinstance(found, np.ufunc | type):
            return found

        def run(*inputs: Any, **how: Any) -> Any:
            if name == "copyto" or "out" in how:
                if name == "dot":
                    QUEUE.refuse(name)
                given = [_plain(each) for each in inputs]
                plain = {key: _plain(value) for key, value in how.items()}
                QUEUE.do(lambda: found(*given, **plain))
                return how.get("out")
            made = found(*inputs, **how)
            return made.view(EmulatedArray) if isinstance(made, np.ndarray) else made

        return run


class EmulatedDevice(Device):
    """Takes the CUDA versions of kernels, on the CPU."""

    def __init__(self, *, tf32: bool = False, cudnn: Any = None, nccl: Any = None) -> None:
        super().__init__("cpu")
        self.name, self.is_cpu, self.xp, self.tf32 = "emulated", False, EmulatedArrays(), tf32
        self.blas, self.workspaces, self.stream = EmulatedBlas(), 0, 0
        self._cudnn, self._nccl = cudnn, nccl

    def empty(self, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
        array = np.empty(shape, dtype)
        # what is read before it was written shows
        if array.dtype.kind not in "biu":
            array.fill(np.nan)
        return array.view(EmulatedArray)

    def zeros(self, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
        return np.zeros(shape, dtype).view(EmulatedArray)

    def pinned(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        return np.empty(shape, dtype)

    def send(self, host: np.ndarray, out: Any) -> None:
        QUEUE.refuse("a copy from the host")
        _plain(out)[...] = host

    def synchronize(self) -> None:
        QUEUE.refuse("synchronize")

    def memory(self) -> tuple[int, int]:
        return Device("cpu").memory()

    @contextmanager
    def out_of_memory(self, what: str) -> Iterator[None]:
        yield

    def put(self, host: np.ndarray, out: Any) -> None:
        QUEUE.refuse("a copy from the host")
        out = _plain(out)
        np.copyto(out, host.reshape(out.shape))

    def get(self, array: Any) -> np.ndarray:
        QUEUE.refuse("a copy to the host")
        return np.array(array)

    def cudnn(self) -> Any:
        return self._cudnn

    def nccl(self) -> Any:
        return self._nccl

    def cublas(self) -> Any:
        return self.blas

    def stream_pointer(self) -> int:
        return self.stream

    def set_cublas_workspace(self, handle: int, workspace: Any) -> None:
        self.workspaces += 1
