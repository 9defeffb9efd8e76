"""Per-channel scale, bias and PReLU, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import NONEMPTY, STORED, Kernel


class Scaling(Kernel):
    """y = s x + b: dx = s dy, ds = the sum of x dy over all but the channels, db = that of dy.

    Arrays of values are items x channels x places, in any shape; s, b and their gradients have
    ``channels`` elements. An s that is None is 1, a b that is None is 0.
    """

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype)
        self._extents = (items, channels, places)
        self._product: Array | None = None
        self._positive: Array | None = None
        self._total: Array | None = None

    def forward(
        self, x: Array, s: Array | None, b: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        """Write s x + b, optionally through a ReLU, to ``y``, which may be ``x``."""
        xp, x, y = self.xp, x.reshape(self._extents), y.reshape(self._extents)
        if s is not None:
            x = xp.multiply(x, s.reshape(-1, 1), out=y)
        if b is not None:
            x = xp.add(x, b.reshape(-1, 1), out=y)
        if rectify:
            xp.maximum(x, 0.0, out=y)
        elif x is not y:
            xp.copyto(y, x)

    def backward(
        self,
        dy: Array,
        x: Array | None,
        s: Array | None,
        dx: Array | None,
        ds: Array | None,
        db: Array | None,
        *,
        y: Array | None = None,
    ) -> None:
        """Write ``dx``, which may be ``dy``, and add to ``ds`` and ``db``; None is skipped.

        ``x`` is read for ``ds`` only. With ``y``, the output of a fused ReLU, dy counts as 0 where
        y is not above 0, and may be overwritten.
        """
        xp, dy = self.xp, dy.reshape(self._extents)
        if y is not None:
            if self._positive is None:
                self._positive = self.scratch(self._extents, np.bool_)
            xp.greater(y.reshape(self._extents), 0.0, out=self._positive)
            xp.multiply(dy, self._positive, out=dy)
        if db is not None:
            self._add_up(dy, db)
        if ds is not None:
            assert x is not None
            if self._product is None:
                self._product = self.scratch(self._extents)
            self._add_up(xp.multiply(x.reshape(self._extents), dy, out=self._product), ds)
        if dx is not None:
            dx = dx.reshape(self._extents)
            if s is None:
                xp.copyto(dx, dy)
            else:
                xp.multiply(dy, s.reshape(-1, 1), out=dx)

    def _add_up(self, values: Array, total: Array) -> None:
        """Add the sums over all but the channels."""
        if self._total is None:
            self._total = self.scratch((self._extents[1],))
        self.xp.sum(values, axis=(0, 2), out=self._total)
        self.xp.add(total, self._total.reshape(total.shape), out=total)


class NativeScaling(Scaling, processor="native"):
    """One pass over the values in each direction."""

    dtypes = STORED

    requires = (NONEMPTY,)

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._native = native.of(self.dtype).Scaling(items, channels, places)

    def forward(
        self, x: Array, s: Array | None, b: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        self._native.forward(x, s, b, y, rectify)

    def backward(
        self,
        dy: Array,
        x: Array | None,
        s: Array | None,
        dx: Array | None,
        ds: Array | None,
        db: Array | None,
        *,
        y: Array | None = None,
    ) -> None:
        self._native.backward(dy, x, s, dx, ds, db, y)


class ParametricRectifier(Kernel):
    """y = max(x, 0) + a min(x, 0): dx = dy where x > 0 and a dy elsewhere, da = the sum of dy x
    where x <= 0, over all but the channels.

    Arrays of values are items x channels x places, in any shape; a has ``channels`` elements.
    """

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype)
        self._extents = (items, channels, places)
        self._work: Array | None = None
        self._total: Array | None = None

    def forward(self, x: Array, a: Array, y: Array) -> None:
        """Write y, which may be ``x``."""
        xp, work, a = self.xp, self._scratch(), a.reshape(-1, 1)
        x, y = x.reshape(self._extents), y.reshape(self._extents)
        xp.minimum(x, 0.0, out=work)
        xp.multiply(work, a, out=work)
        xp.maximum(x, 0.0, out=y)
        xp.add(y, work, out=y)

    def backward(self, dy: Array, x: Array, a: Array, dx: Array | None, da: Array | None) -> None:
        """Write ``dx``, which may be ``dy``, and add to ``da``; None is skipped."""
        xp, work, a = self.xp, self._scratch(), a.reshape(-1, 1)
        x, dy = x.reshape(self._extents), dy.reshape(self._extents)
        if da is not None:
            if self._total is None:
                self._total = self.scratch((self._extents[1],))
            xp.minimum(x, 0.0, out=work)
            xp.multiply(work, dy, out=work)
            xp.sum(work, axis=(0, 2), out=self._total)
            xp.add(da, self._total.reshape(da.shape), out=da)
        if dx is None:
            return
        # The slope is (x > 0) (1 - a) + a.
        xp.greater(x, 0.0, out=work)
        xp.multiply(work, 1.0 - a, out=work)
        xp.add(work, a, out=work)
        xp.multiply(dy, work, out=dx.reshape(self._extents))

    def _scratch(self) -> Array:
        if self._work is None:
            self._work = self.scratch(self._extents)
        return self._work


class NativeParametricRectifier(ParametricRectifier, processor="native"):
    """One pass in each direction."""

    dtypes = STORED

    requires = (NONEMPTY,)

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._native = native.of(self.dtype).Scaling(items, channels, places)

    def forward(self, x: Array, a: Array, y: Array) -> None:
        self._native.lean(x, a, y)

    def backward(self, dy: Array, x: Array, a: Array, dx: Array | None, da: Array | None) -> None:
        self._native.lean_back(dy, x, a, dx, da)
