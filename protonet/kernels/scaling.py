"""Products and sums with one number for each channel, and the gradients of those numbers."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel


class Scaling(Kernel):
    """y = s x + b: dx = s dy, ds = the sum of x dy over all but the channels, db = that of dy.

    Arrays of values are items x channels x places, in any shape; s, b and their gradients have
    ``channels`` elements. An s that is None is 1, a b that is None is 0.
    """

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype)
        self._seen = (items, channels, places)
        self._product: Array | None = None
        self._total: Array | None = None

    def forward(
        self, x: Array, s: Array | None, b: Array | None, y: Array, *, rectify: bool = False
    ) -> None:
        """Write s x + b, or what of it is above 0, to ``y``, which may be ``x``."""
        xp, x, y = self.xp, x.reshape(self._seen), y.reshape(self._seen)
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
    ) -> None:
        """Write ``dx``, which may be ``dy``, and add to ``ds`` and ``db``; None is not wanted.

        ``x`` is looked at for ``ds`` alone.
        """
        xp, dy = self.xp, dy.reshape(self._seen)
        if db is not None:
            self._add_up(dy, db)
        if ds is not None:
            assert x is not None
            if self._product is None:
                self._product = self.scratch(self._seen)
            self._add_up(xp.multiply(x.reshape(self._seen), dy, out=self._product), ds)
        if dx is not None:
            dx = dx.reshape(self._seen)
            if s is None:
                xp.copyto(dx, dy)
            else:
                xp.multiply(dy, s.reshape(-1, 1), out=dx)

    def _add_up(self, values: Array, total: Array) -> None:
        """Add the sums over all but the channels."""
        if self._total is None:
            self._total = self.scratch((self._seen[1],))
        self.xp.sum(values, axis=(0, 2), out=self._total)
        self.xp.add(total, self._total.reshape(total.shape), out=total)


class NativeScaling(Scaling, processor="native"):
    """One pass over the values in each direction."""

    def __init__(self, device: Device, dtype: Any, items: int, channels: int, places: int) -> None:
        super().__init__(device, dtype, items, channels, places)
        self._native = native.load().Scaling(items, channels, places)

    @classmethod
    def takes(cls, items: int, channels: int, places: int) -> bool:
        return items * channels * places > 0

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
    ) -> None:
        self._native.backward(dy, x, s, dx, ds, db)
