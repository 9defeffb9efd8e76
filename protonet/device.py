"""The device that arrays live on: CPU or GPU. The only module that imports CuPy."""

from __future__ import annotations

import ctypes
import importlib
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from protonet.errors import DeviceError
from protonet.host import host_memory, swap_space


class Device:
    """A device: ``cpu`` (NumPy) or ``cuda:N`` (CuPy).

    ``xp`` is the array module; layers are written on it and import neither library. Without
    ``tuned``, kernels run their reference definitions on ``xp``: slow, and used to test the tuned
    versions. ``tf32`` allows TF32 matrix products (10-bit mantissas) on GPUs from Ampere on.

    Raises:
        DeviceError: for a malformed name, a GPU that does not exist, or TF32 on a CPU.
    """

    def __init__(self, name: str = "cpu", *, tuned: bool = True, tf32: bool = False) -> None:
        self.name = name
        self.tuned, self.tf32 = tuned, tf32
        kind, _, index = name.partition(":")
        self.is_cpu = kind == "cpu" and not index
        self.kernel_target = self  # the device whose kernels are selected
        self.xp: Any = np
        self.cache: dict[Any, Any] = {}
        """Per-device cache of the kernels: compiled sources, library handles."""
        if self.is_cpu:
            if tf32:
                raise DeviceError(
                    "TF32 is a format of NVIDIA GPUs; device 'cpu' does not support it: leave tf32 "
                    "out, or train on cuda:0"
                )
            return
        if kind != "cuda" or not (index or "0").isdigit():
            raise DeviceError(f"unknown device '{name}'; expected 'cpu' or 'cuda:N'")
        cupy, count = load_cupy(name)
        if int(index or 0) >= count:
            raise DeviceError(f"device '{name}' is not there; this machine has {count} GPU(s)")
        cupy.cuda.Device(int(index or 0)).use()
        self.xp = cupy

    def empty(self, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
        """An uninitialised array."""
        return self.xp.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
        """An array of zeros."""
        return self.xp.zeros(shape, dtype)

    def aligned_bytes(self, size: int) -> Any:
        """Zeros of bytes whose memory begins at a multiple of 64, for views of other types: a
        vector or a row of a tile is then in one cache line. NumPy's own begin 16 behind one.
        """
        room = self.zeros((size + 63,), np.uint8)
        start = -room.ctypes.data % 64 if self.is_cpu else 0
        return room[start : start + size]

    def note_workspace(self, count: int, backward: int = 0) -> None:
        """Note the bytes of shared workspace that a kernel needs, ``backward`` of them in backward
        passes only. Does nothing here: a hook for ``graph.meta_device``.
        """

    def note_kernel(self, dtype: Any, tuned: bool) -> None:
        """Note whether a kernel for ``dtype`` is ``tuned``; a hook for ``graph.meta_device``."""

    def pinned(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """A host array in pinned memory, for fast copies to this device."""
        if self.is_cpu:
            return np.empty(shape, dtype)
        import cupyx

        array: np.ndarray = cupyx.empty_pinned(shape, dtype)
        return array

    def put(self, host: np.ndarray, out: Any) -> None:
        """Copy a NumPy array into ``out``, an array of this device with the same count."""
        if self.is_cpu:
            np.copyto(out, host.reshape(out.shape), casting="same_kind")
        else:
            out.set(np.ascontiguousarray(host, dtype=out.dtype).reshape(out.shape))

    def put_lazily(self, make: Callable[[], np.ndarray], out: Any) -> None:
        """Copy the array that ``make`` returns into ``out``; a meta device does not call it."""
        self.put(make(), out)

    def send(self, host: np.ndarray, out: Any) -> None:
        """Queue a copy of a ``pinned`` array of ``out``'s shape and type into ``out``.

        ``host`` may be written to again once an event that was recorded later has completed.
        """
        if self.is_cpu:
            np.copyto(out, host)
        else:
            out.set(host, stream=self.xp.cuda.get_current_stream())

    def record_event(self) -> Any:
        """An event behind all queued work; its ``synchronize()`` waits for that work."""
        if self.is_cpu:
            return _CompletedEvent()
        event = self.xp.cuda.Event(block=True, disable_timing=True)
        event.record()
        return event

    def timestamp(self) -> Any:
        """A timing event behind all queued work, for ``seconds_between``."""
        if self.is_cpu:
            return time.perf_counter()
        event = self.xp.cuda.Event()
        event.record()
        return event

    def seconds_between(self, first: Any, second: Any) -> float:
        """The time between two timestamps; waits for the second."""
        if self.is_cpu:
            return float(second - first)
        second.synchronize()
        return float(self.xp.cuda.get_elapsed_time(first, second)) / 1000

    def cublas(self) -> Any:
        """CuPy's binding of cuBLAS, whose functions take handles and pointers."""
        return self.xp.cuda.cublas

    def set_cublas_workspace(self, handle: int, workspace: Any) -> None:
        """Set the workspace of a cuBLAS handle; CuPy's binding lacks this function."""
        from cuda import pathfinder

        library = pathfinder.load_nvidia_dynamic_lib("cublas")
        function = ctypes.CDLL(library.abs_path).cublasSetWorkspace_v2
        function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
        status = function(handle, workspace.data.ptr, workspace.nbytes)
        if status:
            raise DeviceError(
                f"device '{self.name}': cuBLAS refused the workspace (status {status})"
            )

    def cudnn(self) -> Any:
        """NVIDIA's cuDNN frontend, or None where it or cuDNN is not installed."""
        try:
            import cudnn

            # the frontend loads cuDNN itself on first use
            cudnn.backend_version()
        except (ImportError, RuntimeError, OSError):
            return None
        return cudnn

    def nccl(self) -> Any:
        """CuPy's binding of NCCL, or None where NCCL is not installed."""
        return load_nccl()

    def stream_pointer(self) -> int:
        """The current stream as the pointer that CUDA libraries take."""
        return int(self.xp.cuda.get_current_stream().ptr)

    def get(self, array: Any) -> np.ndarray:
        """The array as NumPy; on the CPU the array itself."""
        host: np.ndarray = array if self.is_cpu else array.get()
        return host

    def synchronize(self) -> None:
        """Wait for all queued work; does nothing on a CPU."""
        if not self.is_cpu:
            self.xp.cuda.Device().synchronize()

    def memory(self) -> tuple[int, int]:
        """Free and total memory in bytes."""
        if not self.is_cpu:
            free, total = self.xp.cuda.runtime.memGetInfo()
            return int(free), int(total)
        return host_memory()

    def most_memory(self) -> int:
        """The bytes available to arrays if nothing else were in memory."""
        _, total = self.memory()
        return total + swap_space() if self.is_cpu else total

    @contextmanager
    def out_of_memory(self, what: str) -> Iterator[None]:
        """Turn a failed allocation in the block into a ``DeviceError`` that names ``what``."""
        failures: tuple[type[BaseException], ...] = (MemoryError,)
        if not self.is_cpu:
            failures += (self.xp.cuda.memory.OutOfMemoryError,)
        try:
            yield
        except failures as error:
            free, total = self.memory()
            raise DeviceError(
                f"device '{self.name}' is out of memory: {what} "
                f"({free >> 20} MiB of {total >> 20} MiB are free); try a smaller batch"
            ) from error


class _CompletedEvent:
    """The event of a CPU, where all work is done when a call returns."""

    def synchronize(self) -> None:
        """Return at once."""


def load_cupy(name: str) -> tuple[Any, int]:
    """CuPy, and the number of GPUs; uses none of them yet.

    Raises:
        DeviceError: without CuPy or a usable GPU, for which device ``name`` asks.
    """
    try:
        import cupy
    except ImportError as error:
        raise DeviceError(
            f"device '{name}' needs CuPy, which is not installed: "
            "pip install 'protonet[cuda12]' (or [cuda13])"
        ) from error
    try:
        return cupy, int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(f"device '{name}': no usable GPU ({error})") from error


def load_nccl() -> Any:
    """CuPy's binding of NCCL; None without CuPy or NCCL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns of a missing NCCL; the caller tells of it
        try:
            nccl = importlib.import_module("cupy.cuda.nccl")
        except ImportError:
            return None
    return nccl if nccl.available else None
