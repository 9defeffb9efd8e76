"""Elementwise and pairwise losses on a GPU."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import BLOCK, COUNT, ROWS, compiled
from protonet.kernels.kernel import Kernel
from protonet.kernels.losses import (
    AbsoluteDistance,
    Contrastive,
    GradientScale,
    Hinge,
    SigmoidCrossEntropy,
    SmoothL1,
    SquaredDistance,
)


class _Sums:
    """Partial sums of blocks, added in a fixed order; CuPy's ``dot`` cannot be captured.

    Args:
        of: the kernel.
        blocks: partial results per sum.
        sums: how many there are, one or two.
    """

    def __init__(self, of: Kernel, blocks: int, sums: int = 1) -> None:
        self._source = compiled(of.device, "losses")
        self._blocks, self._sums = blocks, sums
        self.parts = of.scratch((sums, blocks))

    def launch(self, function: str, *arguments: Any) -> None:
        """Launch a function that writes the partial sums."""
        self._source.blocks((self._blocks,), function, *arguments)

    def add_up(self, loss: Array, factor: float, other: Array | None = None) -> None:
        """Write ``factor`` times the first sum to ``loss``, and the second one to ``other``."""
        given = (self.parts, loss, other, self._blocks, float(factor))
        self._source.blocks((self._sums,), "total", *given)


def _blocks(count: int) -> int:
    """The number of blocks for ``count`` elements."""
    return min(256, -(-count // BLOCK))


class _Elements(Kernel):
    """What kernels over ``count`` elements take."""

    requires = (COUNT,)


class CudaGradientScale(GradientScale, _Elements, processor="cuda"):
    """One pass."""

    def scale(self, slope: Array, weight: Array, factor: float, dx: Array) -> None:
        source, count = compiled(self.device, "losses"), self._flat[0]
        source.packs(count, "spread", slope, weight, float(factor), dx, count)


class CudaSquaredDistance(SquaredDistance, _Elements, processor="cuda"):
    """One pass, and one over its partial sums."""

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype, count)
        self._sums = _Sums(self, _blocks(count))

    def forward(self, a: Array, b: Array, difference: Array, loss: Array, factor: float) -> None:
        self._sums.launch("squares", a, b, difference, self._sums.parts, self._flat[0])
        self._sums.add_up(loss, factor)


class CudaAbsoluteDistance(AbsoluteDistance, _Elements, processor="cuda"):
    """One pass, and one over its partial sums."""

    def __init__(self, device: Device, dtype: Any, count: int) -> None:
        super().__init__(device, dtype, count)
        self._sums = _Sums(self, _blocks(count))

    def forward(self, a: Array, b: Array, slope: Array, loss: Array, factor: float) -> None:
        self._sums.launch("distances", a, b, slope, self._sums.parts, self._flat[0])
        self._sums.add_up(loss, factor)


class CudaSmoothL1(SmoothL1, _Elements, processor="cuda"):
    """One pass, and one over its partial sums."""

    def __init__(self, device: Device, dtype: Any, count: int, sharpness: float) -> None:
        super().__init__(device, dtype, count, sharpness)
        self._sums = _Sums(self, _blocks(count))

    def forward(
        self,
        a: Array,
        b: Array,
        u: Array | None,
        v: Array | None,
        slope: Array,
        loss: Array,
        factor: float,
    ) -> None:
        arrays, numbers = (a, b, u, v, slope, self._sums.parts), (self._flat[0], self.sharpness)
        self._sums.launch("smooth_distances", *arrays, *numbers)
        self._sums.add_up(loss, factor)


class CudaContrastive(Contrastive, processor="cuda"):
    """One block per pair, and a pass over their sums."""

    requires = (ROWS,)

    def __init__(
        self, device: Device, dtype: Any, items: int, length: int, margin: float, legacy: bool
    ) -> None:
        super().__init__(device, dtype, items, length, margin, legacy)
        self._sums = _Sums(self, items)

    def forward(
        self, a: Array, b: Array, y: Array, slope: Array, loss: Array, factor: float
    ) -> None:
        arrays, numbers = (a, b, y, slope, self._sums.parts), (self._rows[1], float(self.margin))
        self._sums.launch("contrast", *arrays, *numbers, self.legacy)
        self._sums.add_up(loss, factor)


class CudaHinge(Hinge, processor="cuda"):
    """One pass, and one over its partial sums."""

    requires = (ROWS,)

    def __init__(self, device: Device, dtype: Any, items: int, classes: int, squares: bool) -> None:
        super().__init__(device, dtype, items, classes, squares)
        self._sums = _Sums(self, _blocks(items * classes))

    def forward(self, x: Array, labels: Array, slope: Array, loss: Array, factor: float) -> None:
        arrays = (x, labels, slope, self._sums.parts)
        self._sums.launch("hinge", *arrays, *self._rows, self.squares)
        self._sums.add_up(loss, factor)


class CudaSigmoidCrossEntropy(SigmoidCrossEntropy, _Elements, processor="cuda"):
    """One pass each, and one over the partial sums."""

    def __init__(self, device: Device, dtype: Any, count: int, ignored: int | None) -> None:
        super().__init__(device, dtype, count, ignored)
        self._sums = _Sums(self, _blocks(count), 2)
        # NaN equals nothing
        self._never = float("nan") if ignored is None else float(ignored)

    def forward(self, x: Array, t: Array, loss: Array, counted: Array) -> None:
        numbers = (self._flat[0], self._never)
        self._sums.launch("cross_entropies", x, t, self._sums.parts, *numbers)
        self._sums.add_up(loss, 1.0, counted)

    def backward(self, x: Array, t: Array, weight: Array, dx: Array) -> None:
        source, count = compiled(self.device, "losses"), self._flat[0]
        arrays = (x, t, weight, dx)
        source.over(count, "cross_entropies_back", *arrays, count, self._never)
