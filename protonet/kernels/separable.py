"""Depthwise separable convolutions over pixels, computed at once.

A depthwise convolution (MobileNet), often behind one of single pixels that makes its channels
(inverted residuals, MobileNet v2), writes more than the convolution of single pixels that follows
keeps. At once, only some rows of what is between them exist at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.bands import overlaps_little
from protonet.kernels.convolution import DEPTHWISE, ConvolutionShape, Stage
from protonet.kernels.kernel import STORED, Call, Condition, Kernel
from protonet.kernels.pixels import NEEDS, ConvolvePixels, distance

_FEW = 128
"""Places of fewer are shared out over threads by their outputs."""
_LIGHT = 1 << 15
"""Weights that are read over and over at no cost."""
_APART = 512
"""Pixels are copied where their channels are a multiple of this."""


def is_pointwise(shape: ConvolutionShape) -> bool:
    """Whether a convolution is one of single pixels."""
    windows, *_, group = shape
    return len(windows.inputs) == 2 and windows.is_identity and group == 1


def is_rolled(shape: ConvolutionShape) -> bool:
    """Whether a convolution is a depthwise one whose windows roll over rows."""
    windows, _, channels, outputs, group = shape
    if not DEPTHWISE.holds(channels, group) or outputs != channels or len(windows.inputs) != 2:
        return False
    w = windows.effective
    return w.kernel == (3, 3) and w.dilation[1] == 1 and w.stride[1] <= 2


def projects_well(depthwise: ConvolutionShape, project: ConvolutionShape) -> bool:
    """Whether a convolution of single pixels is fast if threads share out rows, not outputs."""
    _, items, channels, outputs, _ = project
    (rows, _), places = depthwise[0].outputs, items * math.prod(depthwise[0].outputs)
    if items * rows < 4 * native.threads() or places < _FEW:
        return False
    many = 2 if items >= 2 * native.threads() else 4
    return channels * outputs <= _LIGHT or places >= many * outputs


def expands_well(expand: ConvolutionShape, depthwise: ConvolutionShape) -> bool:
    """Whether few rows before a depthwise convolution are computed twice."""
    windows, items, *_ = depthwise
    return expand[2] % _APART > 0 and overlaps_little(windows, items)


class SeparablePixels(Kernel):
    """A depthwise convolution over pixels, behind one of single pixels or not, and one of single
    pixels behind it.

    Args:
        convolutions: the two or three kernels.
    """

    def __init__(self, device: Device, dtype: Any, convolutions: Sequence[ConvolvePixels]) -> None:
        super().__init__(device, dtype)
        self.convolutions = convolutions

    def forward(self, x: Array, y: Array, stages: Sequence[Stage], addend: Array | None) -> None:
        """Write what the last of the ``stages`` makes of ``x``, plus ``addend`` (0), to ``y``."""
        for kernel, stage in zip(self.convolutions, stages, strict=True):
            last = kernel is self.convolutions[-1]
            shape = (kernel.items, kernel.outputs, *kernel.windows.outputs)
            to = y if last else np.empty(shape, self.dtype)
            kernel.forward(
                x, stage.weights, stage.shift, to, factor=stage.factor, rectify=stage.rectify,
                addend=addend if last else None,
            )  # fmt: skip
            x = to

    def call(
        self, x: Array, y: Array, stages: Sequence[Stage], addend: Array | None
    ) -> Call | None:
        """What ``forward`` calls, as long as weights are kept; None if that is not one function."""
        return None


class NativeSeparablePixels(SeparablePixels, processor="native"):
    """Some rows at a time, which stay in the cache."""

    dtypes = STORED
    instructions: ClassVar[Mapping[str, str]] = NEEDS
    requires = (
        Condition(
            "windows of 3 x 3",
            lambda convolutions: is_rolled(convolutions[-2].shape),
        ),
    )

    @cached_property
    def _native(self) -> Any:
        *before, depthwise, project = self.convolutions
        w = depthwise.windows.effective
        geometry = (w.inputs, w.kernel, w.stride, w.pad, w.dilation, w.outputs)
        inputs = before[0].channels if before else 0
        made = native.of(self.dtype).PixelSeparable
        return made(depthwise.items, depthwise.channels, *geometry, inputs, project.outputs)

    def forward(self, x: Array, y: Array, stages: Sequence[Stage], addend: Array | None) -> None:
        function, arguments = self.call(x, y, stages, addend)
        function(*arguments)

    def call(self, x: Array, y: Array, stages: Sequence[Stage], addend: Array | None) -> Call:
        given = [
            (kernel.packed(stage.weights), *stage[1:])
            for kernel, stage in zip(self.convolutions, stages, strict=True)
        ]
        expand = given[0] if len(given) > 2 else (None, None, None, False)
        arguments = (x, *expand, *given[-2], *given[-1], addend, y, distance(y))
        return self._native.forward, arguments
