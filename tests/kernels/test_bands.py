"""Which rows of images may be computed a band at a time."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.kernels import native
from protonet.kernels.bands import fits_bands, overlaps_little
from protonet.kernels.convolution import ConvolutionShape
from protonet.kernels.windows import Windows, window_outputs
from protonet.precision import type_of


def windows(side: int, kernel: int, stride: int) -> Windows:
    geometry = (side, side), (kernel, kernel), (stride, stride), (0, 0), (1, 1)
    return Windows(*geometry, window_outputs(*geometry))


def test_of_which_types() -> None:
    over = windows(28, 3, 1)
    even: ConvolutionShape = (over, 1, 32, 16, 1)
    odd: ConvolutionShape = (over, 1, 33, 16, 1)
    floats, bfloat16 = np.dtype(np.float32), type_of("bfloat16")
    assert fits_bands(floats, even)
    assert fits_bands(floats, odd)
    assert not fits_bands(np.dtype(np.float64), even)
    assert fits_bands(bfloat16, even) is not native.has("amx_bf16")
    assert not fits_bands(bfloat16, odd), "not in pairs"


def test_rows_that_two_threads_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "threads", lambda: 2)
    assert overlaps_little(windows(112, 3, 2), 1)
    assert not overlaps_little(windows(12, 3, 1), 1), "two of twelve"
    assert overlaps_little(windows(12, 3, 1), 2), "an image each"
    assert overlaps_little(windows(12, 2, 2), 1), "windows apart"
    monkeypatch.setattr(native, "threads", lambda: 16)
    assert not overlaps_little(windows(112, 3, 2), 1), "sixteen parts"
