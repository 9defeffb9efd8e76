"""Compiled kernels read and write nothing behind their arrays: no memory is there."""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from protonet.kernels.activations import Rectifier
from protonet.kernels.convolution import Convolve
from protonet.kernels.pixels import ConvolvePixels
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.instructions import CPU, MODULES, use

_SIZE = (8, 8)  # of images; arrays of whole planes begin with a line of the cache


def _at_the_end(*shape: int) -> np.ndarray:
    """Ones, behind which is a page that can be neither read nor written."""
    size = 4 * int(np.prod(shape))
    whole = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE
    mapped = mmap.mmap(-1, whole + mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    assert protect(address + whole, mmap.PAGESIZE, 0) == 0
    found = np.frombuffer(mapped, np.float32, size // 4, whole - size).reshape(shape)
    found[...] = 1
    return found


def _over_pixels(channels: int, outputs: int, kernel: int, group: int, planes: bool) -> None:
    windows = _windows(kernel)
    made = ConvolvePixels.make(CPU, np.float32, windows, 1, channels, outputs, group, planes)
    x, y = _at_the_end(1, channels, *_SIZE), _at_the_end(1, outputs, *_SIZE)
    w = _at_the_end(outputs, channels // group, kernel, kernel)
    made.forward(x, w, _at_the_end(outputs), y, rectify=True)


def _over_planes(channels: int, outputs: int, kernel: int) -> None:
    made = Convolve.make(CPU, np.float32, _windows(kernel), 1, channels, outputs, 1)
    x, y = _at_the_end(1, channels, *_SIZE), _at_the_end(1, outputs, *_SIZE)
    made.forward(x, _at_the_end(outputs, channels, kernel, kernel), _at_the_end(outputs), y)


def _windows(kernel: int) -> Windows:
    square, pad = (kernel, kernel), (kernel // 2, kernel // 2)
    out = window_outputs(_SIZE, square, (1, 1), pad, (1, 1))
    return Windows(_SIZE, square, (1, 1), pad, (1, 1), out)


def _rectified(count: int) -> None:
    Rectifier.make(CPU, np.float32, (count,), 0.0).forward(_at_the_end(count), _at_the_end(count))


def _beyond() -> None:
    array = _at_the_end(16)
    faulthandler.disable()  # it is no fault
    ctypes.string_at(array.ctypes.data + array.nbytes, 1)


def _exit_code(body: Callable[..., None], *arguments: Any) -> int | None:
    """Of a process of its own, which a wrong access ends."""
    process = multiprocessing.get_context("fork").Process(target=body, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def test_a_wrong_access_ends_the_process() -> None:
    assert _exit_code(_beyond) not in (0, None)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        *((_over_pixels, (c, 21, 1, 1, False)) for c in (1, 2, 3, 5, 6, 7, 16, 40)),
        *((_over_pixels, (c, 21, 3, 1, True)) for c in (1, 2, 3, 4)),
        *((_over_pixels, (c, c, 3, c, False)) for c in (2, 3, 5, 9, 14)),
        (_over_pixels, (20, 20, 3, 1, False)),
        (_over_pixels, (37, 18, 5, 1, False)),
        *((_over_planes, (c, 5, k)) for c in (1, 3, 20) for k in (1, 3)),
        *((_rectified, (n,)) for n in (1, 2, 3, 5, 7, 9, 30, 33)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_nothing_behind_an_array(
    module: str, body: Any, arguments: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    assert _exit_code(body, *arguments) == 0
