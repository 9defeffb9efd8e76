"""3D pooling over frames, rows and columns, of forks for video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.pooling import AveragePool, MaxPool
from protonet.kernels.rows import take_rows
from protonet.kernels.windows import Windows
from protonet.layers.alternative_fields import one_of_two_messages
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.convolution_3d import AXES, extents, has_field
from protonet.layers.limits import check_numbers
from protonet.layers.pooling import pool_windows
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import (
    PoolingParameter,
)


class _Pooling3D(Layer):
    """3D pooling: over rows and columns of each frame, then over frames."""

    traits = Traits(
        backward_reads=frozenset(), recomputable=True, low_precision=LowPrecision.WITH_BOTTOMS
    )
    tops = (1, 2)

    def setup(self) -> None:
        param, field = one_of_two_messages(self, "pooling_param", "pooling3d_param")
        self.method = param.pool
        if self.method not in (PoolingParameter.MAX, PoolingParameter.AVE):
            name = PoolingParameter.PoolMethod.Name(self.method)
            raise LayerError(f"{name} pooling is for planes only", (field, "pool"))
        self._set_up_mask()
        for side in ("pad_l", "pad_r", "pad_t", "pad_b"):
            if isinstance(param, PoolingParameter) and getattr(param, side):
                raise LayerError(f"{side} is for planes only; give pad_shape", (field, side))
        self.whole = isinstance(param, PoolingParameter) and param.global_pooling
        self.down = isinstance(param, PoolingParameter) and (
            param.round_mode == PoolingParameter.FLOOR or not param.ceil_mode
        )
        self.kernel = self._three(
            extents(param, field, "kernel_size", "kernel_depth", 0), 1, (field, "kernel_size")
        )
        self.stride = self._three(
            extents(param, field, "stride", "temporal_stride", 1), 1, (field, "stride")
        )
        self.pad = self._three(extents(param, field, "pad", "temporal_pad", 0), 0, (field, "pad"))
        self.dilation = self._dilation(param, field)
        kernels = (
            *("kernel_size", "kernel_h", "kernel_w", "kernel_depth", "kernel_l", "kernel_shape"),
        )
        given = any(has_field(param, each) for each in kernels)
        if self.whole and (given or self.pad != (0,) * AXES or self.stride != (1,) * AXES):
            raise LayerError("global_pooling takes no kernel, pad or stride", (field,))
        if not self.whole and (not given or 0 in self.kernel):
            raise LayerError(
                f"{field} needs a kernel_size and a kernel_depth above 0", (field, "kernel_size")
            )
        self._check_steps(field)

    def _set_up_mask(self) -> None:
        self.masks = len(self.spec.top) > 1
        if not self.masks:
            return
        if self.method != PoolingParameter.MAX:
            raise LayerError("only MAX pooling has a second top, the mask", ("top", 1))
        self.traits = replace(self.traits, low_precision=LowPrecision.NEVER)

    def _check_steps(self, field: str) -> None:
        if 0 in self.stride:
            raise LayerError("stride must be above 0", (field, "stride"))
        if not self.whole and any(p >= k for p, k in zip(self.pad, self.kernel, strict=True)):
            raise LayerError(
                f"pad {shape_text(self.pad)} must be below the kernel, {shape_text(self.kernel)}",
                (field, "pad"),
            )

    def _dilation(self, param: Any, field: str) -> Shape:
        """How far the values of a window are apart."""
        if not has_field(param, "dilation_shape"):
            return (1,) * AXES
        path = (field, "dilation_shape")
        found = self._three([int(extent) for extent in param.dilation_shape.dim], 1, path)
        if 0 in found:
            raise LayerError("dilation must be above 0", path)
        if found != (1,) * AXES and self.method != PoolingParameter.MAX:
            raise LayerError("only MAX pooling has a dilation", path)
        return found

    def _three(self, found: list[int], default: int, path: tuple[str, str]) -> Shape:
        """A number each for frames, rows and columns."""
        if len(found) not in (0, 1, AXES):
            raise LayerError(f"expected 1 or {AXES} {path[1]}, got {len(found)}", path)
        check_numbers(found, path)
        if len(found) == AXES:
            return tuple(found)
        return tuple(found or [default]) * AXES

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shape) != AXES + 2:
            raise LayerError(
                f"expected a bottom of 5 axes, N x C x L x H x W, got {shape_text(shape)}",
                ("bottom", 0),
            )
        return [(*shape[:2], *self.windows_over(shape[2:]).outputs)] * len(self.spec.top)

    def windows_over(self, volume: Shape) -> Windows:
        """The windows over frames, rows and columns."""
        kernel = volume if self.whole else self.kernel
        return pool_windows(
            volume, kernel, self.stride, self.pad, dilation=self.dilation, down=self.down
        )

    def build(self, shapes: Sequence[Shape]) -> None:
        items, channels, frames, *plane = shapes[0]
        top = self.infer(shapes)[0]
        kernel = shapes[0][2:] if self.whole else self.kernel
        padded = any(self.pad)
        within = pool_windows(
            tuple(plane),
            kernel[1:],
            self.stride[1:],
            self.pad[1:],
            dilation=self.dilation[1:],
            down=self.down,
            padded=padded,
        )
        places = top[3] * top[4]
        across = pool_windows(
            (frames, places),
            (kernel[0], 1),
            (self.stride[0], 1),
            (self.pad[0], 0),
            dilation=(self.dilation[0], 1),
            down=self.down,
            padded=padded,
        )
        geometry = ((within, items, channels * frames), (across, items, channels))
        self._planes = (items, channels * frames, *plane)
        self._columns = (items, channels, frames, places)
        self._top = (items, channels, top[2], places)
        self._left = self.scratch((items, channels * frames, *within.outputs))
        self._mean = self._max = None
        if self.method == PoolingParameter.AVE:
            self._mean = [AveragePool.make(self.device, self.dtype, *each) for each in geometry]
            return
        self._max = [MaxPool.make(self.device, self.dtype, *each) for each in geometry]
        self._picked: list[Any] = [None, None]
        if self.gradients or self.masks:
            shapes = [self._left.shape, self._top]
            self._picked = [self.scratch(shape, np.int32) for shape in shapes]
        if self.masks:
            self._build_mask(items * channels, frames * places, top[2] * places)

    def _build_mask(self, volumes: int, places: int, outputs: int) -> None:
        """Arrays for the indices of maxima, ``outputs`` for each of the volumes."""
        self._index = self.scratch((volumes, outputs), np.int64)
        self._in_plane = self.scratch((volumes, outputs), np.int32)
        self._starts = self.scratch((volumes, 1), np.int64)
        self.device.put(np.arange(volumes)[:, None] * places, self._starts)

    def _write_mask(self, mask: Array) -> None:
        """Write the index of each maximum in its volume: frame, then place in the plane."""
        xp, (within, across), index = self.xp, self._picked, self._index
        frame = across.reshape(index.shape)
        xp.add(frame, self._starts, out=index)
        take_rows(xp, within.reshape(-1), index.reshape(-1), self._in_plane.reshape(-1))
        xp.floor_divide(frame, self._top[3], out=index)
        xp.multiply(index, math.prod(self._planes[2:]), out=index)
        xp.add(index, self._in_plane, out=index)
        xp.copyto(mask.reshape(index.shape), index, casting="unsafe")

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, y, left = bottoms[0].reshape(self._planes), tops[0].reshape(self._top), self._left
        columns = left.reshape(self._columns)
        if self._max is not None:
            self._max[0].forward(x, left, self._picked[0])
            self._max[1].forward(columns, y, self._picked[1])
            if self.masks:
                self._write_mask(tops[1])
        elif self._mean is not None:
            self._mean[0].forward(x, left)
            self._mean[1].forward(columns, y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        dy, dx = dtops[0].reshape(self._top), dbottoms[0].reshape(self._planes)
        dleft, dcolumns = self._left, self._left.reshape(self._columns)
        if self._max is not None:
            self._max[1].backward(dy, self._picked[1], dcolumns)
            self._max[0].backward(dleft, self._picked[0], dx)
        elif self._mean is not None:
            self._mean[1].backward(dy, dcolumns)
            self._mean[0].backward(dleft, dx)


@register("Pooling3D")
class Pooling3D(_Pooling3D):
    """Pooling over frames, rows and columns, under C3D's name and with its fields.

    MAX: y = max of the window, dx = dy where the maximum was (the first wins); AVE: y = sum /
    size, dx = dy / size, where size counts padding up to the padded border.

    Bottom:
        0: x, N x C x L x H x W.
    Top:
        0: y, N x C x out x out x out, with out as for Pooling.
        1 (optional, MAX): the index of each maximum in its volume, from 0.
    Params:
        none.
    Spec:
        pooling_param or pooling3d_param: as for Pooling, and kernel_depth,
        temporal_stride (1) for frames; with any of them, kernel_size, stride and pad are of rows
        and columns. kernel_shape, stride_shape and pad_shape say all at once. pooling3d_param has
        P3D's names for frames too: kernel_l, stride_l, pad_l. With MAX, pooling_param may have
        dilation_shape.
    Raises:
        LayerError: for STOCHASTIC, without a kernel, for both messages, a form without a number
        for frames, a pad not below the kernel, a kernel without a window, global_pooling
        with kernel, pad or stride, a bottom without 5 axes.
    Differs:
        Caffe has no such layer; C3D's forks do, where equal maxima all get the gradient, and a
        last window may begin in the padding.
    """


@register("NdPooling")
class NdPooling(_Pooling3D):
    """Pooling over frames, rows and columns, under the name of a fork for video.

    Bottom:
        0: x, N x C x L x H x W.
    Top:
        0: y, N x C x out x out x out, as for Pooling3D; 1 (optional, MAX): its mask.
    Params:
        none.
    Spec:
        pooling_param: pool, and kernel_shape, stride_shape and pad_shape with a dim for each of
        the three axes; or the fields of Pooling3D.
    Raises:
        LayerError: as Pooling3D.
    Differs:
        Caffe has no such layer; video-caffe has, for any number of axes.
    """
