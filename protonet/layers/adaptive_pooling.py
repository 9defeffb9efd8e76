"""AdaptivePooling: windows by the size of the top."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.pooling import MaxPool
from protonet.kernels.windows import Windows
from protonet.layers.limits import check_numbers
from protonet.layers.registry import register
from protonet.layers.upsampling import Interp, check_planes
from protonet.proto.caffe_pb2 import PoolingParameter

_PARAM = "adaptive_pooling_param"


@register("AdaptivePooling")
class AdaptivePooling(Interp):
    """Pooling to a top of a given size, whatever the size of the bottom.

    Value k of an axis is of the window from floor(k i / out) up to ceil((k + 1) i / out). MAX: y =
    max of the window, dx = dy where the maximum was (the first wins); AVE: y = the mean of the
    window, dx = dy / size. For MAX, k / out is rounded to float32 before it is multiplied.

    Bottom:
        x: N x C x H x W.
    Top:
        y: N x C x output_h x output_w.
    Params:
        none.
    Spec:
        adaptive_pooling_param: pool (MAX, or AVE), output_h and output_w (required).
    Raises:
        LayerError: for another method, without both sizes, or a bottom without 4 axes.
    Differs:
        Caffe has no such layer; Torch7 has. With AVE, a value that is not finite spreads over its
        row and column.
    """

    bottoms = (1, 1)
    no_gradient = frozenset()

    def setup(self) -> None:
        param = self.spec.adaptive_pooling_param
        self.is_mean = param.pool == PoolingParameter.AVE
        if not self.is_mean and param.pool != PoolingParameter.MAX:
            name = PoolingParameter.PoolMethod.Name(param.pool)
            raise LayerError(f"expected pool MAX or AVE, got {name}", (_PARAM, "pool"))
        for name in ("output_h", "output_w"):
            if getattr(param, name) < 1:
                raise LayerError(f"{_PARAM} needs {name} above 0", (_PARAM, name))
            check_numbers([getattr(param, name)], (_PARAM, name))
        self.size = (param.output_h, param.output_w)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_planes(self, shapes[0])
        return [(*shapes[0][:2], *self.size)]

    def build(self, shapes: Sequence[Shape]) -> None:
        if self.is_mean:
            super().build(shapes)
            return
        shape = shapes[0]
        taken = [picked(extent, out) for extent, out in zip(shape[2:], self.size, strict=True)]
        spread = tuple(len(each) for each in taken)
        kernel = tuple(length // out for length, out in zip(spread, self.size, strict=True))
        windows = Windows(spread, kernel, kernel, (0, 0), (1, 1), self.size)
        self._pick = MaxPool.make(self.device, self.dtype, windows, *shape[:2])
        self._places = self.scratch((*shape[:2], *self.size), np.int32)
        self._taken: list[Array] = []
        if spread == shape[2:]:
            return  # windows side by side, all of the same size
        for each in taken:
            self._taken.append(self.scratch(each.shape, np.int64))
            self.device.put(each, self._taken[-1])
        self._rows = self.scratch((*shape[:2], spread[0], shape[3]))
        self._spread = self.scratch((*shape[:2], *spread))
        mixtures = [partial(_chosen, *each) for each in zip(shape[2:], taken, strict=True)]
        self.build_products(shape, self._spread.shape, mixtures)

    def mixture(self, extent: int, out: int) -> np.ndarray:
        """The matrix of the means of windows: out x extent."""
        matrix = np.zeros((out, extent))
        for row, (start, end) in zip(matrix, exact_bounds(extent, out), strict=True):
            row[start:end] = 1 / (end - start)
        return matrix

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, y = bottoms[0], tops[0]
        if self.is_mean:
            super().forward(bottoms, tops)
            return
        if self._taken:
            _take(self.xp, x, self._taken[0], 2, self._rows)
            _take(self.xp, self._rows, self._taken[1], 3, self._spread)
            x = self._spread
        self._pick.forward(x, y, self._places)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dy, dx = dtops[0], dbottoms[0]
        if dx is None:
            return
        if self.is_mean:
            self.mix_back(dy, dx)
        elif self._taken:
            self._pick.backward(dy, self._places, self._spread)
            self.mix_back(self._spread, dx)
        else:
            self._pick.backward(dy, self._places, dx)


def exact_bounds(extent: int, out: int) -> list[tuple[int, int]]:
    """Where each window of an axis begins and ends, in whole numbers."""
    return [(k * extent // out, -(-(k + 1) * extent // out)) for k in range(out)]


def bounds(extent: int, out: int) -> list[tuple[int, int]]:
    """Where each window of an axis begins and ends, with quotients of float32."""
    ends, share, whole = np.arange(out + 1, dtype=np.float32), np.float32(out), np.float32(extent)
    places = ends / share * whole
    starts, stops = np.floor(places[:-1]).astype(int), np.ceil(places[1:]).astype(int)
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def picked(extent: int, out: int) -> np.ndarray:
    """The places of all windows of an axis, one after the other: as many for each, the last place
    of shorter windows repeated.
    """
    found = bounds(extent, out)
    longest = max(end - start for start, end in found)
    rows = [np.minimum(np.arange(start, start + longest), end - 1) for start, end in found]
    return np.concatenate(rows)


def _chosen(extent: int, places: np.ndarray) -> np.ndarray:
    """The matrix that takes places of an axis."""
    return np.asarray(np.eye(extent)[places])


def _take(xp: Any, x: Array, places: Array, axis: int, out: Array) -> None:
    """Write the places of an axis to ``out``."""
    if xp is np:
        # any mode but the default writes to out without a buffer of its size
        np.take(x, places, axis=axis, out=out, mode="clip")
    else:
        xp.take(x, places, axis=axis, out=out)
