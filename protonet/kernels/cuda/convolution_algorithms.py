"""Algorithms of convolution on a GPU: our own kernels and cuBLAS."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from protonet.blob import Array
from protonet.kernels.convolution import DEPTHWISE, Convolve
from protonet.kernels.cuda.convert import CastWeights
from protonet.kernels.cuda.gemm import gemm
from protonet.kernels.cuda.launch import Extent, Source, compiled, pieces
from protonet.kernels.kernel import OTHERWISE, Algorithm, Condition
from protonet.kernels.windows import Windows

COLUMNS = 256 << 20
"""Workspace for unrolled windows, in bytes; larger batches are processed in parts."""


_MOST_ROWS = 65_535
"""Of the columns: the limit of a grid's y extent."""

_STRIP = 4
"""Outputs of a row per thread; STRIP and TAPS of the source must agree."""

_KNOWN_KERNEL = (3, 3)


class Epilogue(NamedTuple):
    """The epilogue of products: times ``factor``, plus ``bias``, then ReLU."""

    factor: Array | None
    bias: Array | None
    rectify: bool

    @property
    def is_nothing(self) -> bool:
        """Whether it is the identity."""
        return self.factor is None and self.bias is None and not self.rectify


def apply_epilogue(source: Source, y: Array, epilogue: Epilogue, seen: tuple[int, ...]) -> None:
    """Apply the epilogue to products of items x outputs x places, in place."""
    if not epilogue.is_nothing:
        items, outputs, places = seen
        shape = (items, Extent(outputs), Extent(places))
        source.packs(math.prod(seen), "finish", y, *epilogue[:2], *shape, epilogue.rectify)


class ConvolutionAlgorithm:
    """An algorithm for the three products of a convolution."""

    def forward(self, x: Array, w: Array, y: Array, epilogue: Epilogue) -> None:
        raise NotImplementedError

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        raise NotImplementedError

    def learn(self, dy: Array, x: Array, dw: Array) -> None:
        raise NotImplementedError


class _Depthwise(ConvolutionAlgorithm):
    """Direct sums over the taps of each window, without a matrix product."""

    def __init__(self, of: Convolve, channels: int, outputs: int, group: int) -> None:
        self._source = compiled(of.device, "convolution_depthwise", of.dtype)
        self._extents, w = (of.items, outputs // channels), Shapes.of(of.windows, channels)
        self._forward = w.dividing("out_h")
        self._backward = w.dividing("channels", "height", "width", "stride_h", "stride_w")
        self._learn = w.dividing("out_h", "out_w")
        self._strips = Extent(-(-w.out_w // _STRIP)), Extent(outputs)
        self._inputs = of.items * channels * w.height * w.width
        self._threads = of.items * outputs * w.out_h * self._strips[0]
        # of one row of blocks, and how many parts of its sums there are
        known = (w.kernel_h, w.kernel_w) == _KNOWN_KERNEL
        self._weights = outputs * math.prod(of.windows.kernel)
        self._rows = self._weights // (math.prod(_KNOWN_KERNEL) if known else 1)
        self._pieces = pieces(of.items * w.out_h * w.out_w, self._rows)
        self._parts = of.scratch((self._weights, self._pieces), np.float32)

    def forward(self, x: Array, w: Array, y: Array, epilogue: Epilogue) -> None:
        given = (
            x,
            w,
            epilogue.factor,
            epilogue.bias,
            y,
            *self._extents,
            epilogue.rectify,
            *self._strips,
        )
        self._source.over(self._threads, "forward", *given, *self._forward)

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        self._source.over(self._inputs, "backward", dy, w, dx, *self._extents, *self._backward)

    def learn(self, dy: Array, x: Array, dw: Array) -> None:
        grid, given = (self._rows, self._pieces), (dy, x, self._parts)
        self._source.blocks(grid, "learn", *given, *self._extents, *self._learn)
        self._source.over(self._weights, "add_sums", self._parts, dw, self._weights, self._pieces)


class _GemmBased(ConvolutionAlgorithm):
    """Base of the algorithms that use matrix products."""

    def __init__(self, of: Convolve, channels: int, outputs: int, group: int) -> None:
        self._source, self._gemm = compiled(of.device, "convolution", of.dtype), gemm(of.device)
        self._of, self._items, self._group = of, of.items, group
        self._channels, self._outputs = channels, outputs
        self._places = math.prod(of.windows.outputs)
        self._rows = channels * math.prod(of.windows.kernel)
        # of one group
        self._m, self._k = outputs // group, self._rows // group
        self._cast_weights = CastWeights(of, outputs * self._k)

    def transpose(self, y: Array, transposed: Array, items: int, channels: int) -> None:
        """Transpose (items, channels, places) to (channels, items, places)."""
        count = items * channels * self._places
        shape = (Extent(items), channels, Extent(self._places))
        self._source.packs(count, "gather", y, transposed, *shape)

    def grouped(self, a: Array, b: Array, c: Array, m: int, n: int, k: int, **how: bool) -> None:
        """One product for each group; its matrices are contiguous."""
        self._gemm.multiply(
            a, b, c, m, n, k, batch=self._group, strides=(m * k, k * n, m * n), **how
        )


class _Pointwise(_GemmBased):
    """One product for each image, which is its own columns."""

    def __init__(self, of: Convolve, channels: int, outputs: int, group: int) -> None:
        super().__init__(of, channels, outputs, group)
        self._x_turned: Array | None = None
        self._y_turned: Array | None = None

    def forward(self, x: Array, w: Array, y: Array, epilogue: Epilogue) -> None:
        self._each(self._cast_weights(w), x, y, self._m, self._k, transposed=False)
        apply_epilogue(self._source, y, epilogue, (self._items, self._outputs, self._places))

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        self._each(self._cast_weights(w), dy, dx, self._k, self._m, transposed=True)

    def _each(self, w: Array, x: Array, y: Array, m: int, k: int, *, transposed: bool) -> None:
        """For each group one batched product of the weights with all images."""
        w, x, y = w.reshape(-1), x.reshape(-1), y.reshape(-1)
        places, group = self._places, self._group
        for at in range(group):
            self._gemm.multiply(
                w[at * m * k :],
                x[at * k * places :],
                y[at * m * places :],
                m,
                places,
                k,
                transpose_a=transposed,
                batch=self._items,
                strides=(0, group * k * places, group * m * places),
            )

    def learn(self, dy: Array, x: Array, dw: Array) -> None:
        items, places = self._items, self._places
        if self._x_turned is None or self._y_turned is None:
            self._x_turned = self._of.scratch((self._channels, items, places))
            self._y_turned = self._of.scratch((self._outputs, items, places))
        self.transpose(x, self._x_turned, items, self._channels)
        self.transpose(dy, self._y_turned, items, self._outputs)
        n = items * places
        self.grouped(
            self._y_turned, self._x_turned, dw, self._m, self._k, n, transpose_b=True, add=True
        )


class _Im2col(_GemmBased):
    """im2col for a whole batch, or for as many images as the workspace holds, and one product."""

    def __init__(self, of: Convolve, channels: int, outputs: int, group: int) -> None:
        super().__init__(of, channels, outputs, group)
        if len(of.windows.inputs) <= 2:
            self._shapes = Shapes.of(of.windows, channels)
        image = self._rows * self._places * of.dtype.itemsize
        self._part = max(1, min(self._items, COLUMNS // image))
        self._columns = of.scratch((self._rows, self._part, self._places))
        self._transposed = of.scratch((outputs, self._part, self._places))

    def forward(self, x: Array, w: Array, y: Array, epilogue: Epilogue) -> None:
        w = self._cast_weights(w)
        for some, xs, ys in self._parts(x, y):
            self._im2col(xs, some)
            self.grouped(w, self._columns, self._transposed, self._m, some * self._places, self._k)
            seen = (some, Extent(self._outputs), Extent(self._places))
            self._source.packs(
                math.prod(seen),
                "scatter",
                self._transposed,
                *epilogue[:2],
                ys,
                *seen,
                epilogue.rectify,
            )

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        w = self._cast_weights(w)
        for some, dxs, dys in self._parts(dx, dy):
            self.transpose(dys, self._transposed, some, self._outputs)
            n = some * self._places
            self.grouped(w, self._transposed, self._columns, self._k, n, self._m, transpose_a=True)
            self._col2im(dxs, some)

    def learn(self, dy: Array, x: Array, dw: Array) -> None:
        for some, xs, dys in self._parts(x, dy):
            self._im2col(xs, some)
            self.transpose(dys, self._transposed, some, self._outputs)
            n = some * self._places
            self.grouped(
                self._transposed, self._columns, dw, self._m, self._k, n, transpose_b=True, add=True
            )

    def _im2col(self, x: Array, items: int) -> None:
        """Write the columns of these images (im2col)."""
        shape = self._shapes.dividing("out_h", "out_w")
        count = items * self._places
        self._source.packs(count, "im2col", x, self._columns, items, *shape, rows=self._rows)

    def _col2im(self, x: Array, items: int) -> None:
        """Accumulate the columns into these images (col2im)."""
        shape = self._shapes.dividing("channels", "height", "width", "stride_h", "stride_w")
        self._source.over(math.prod(x.shape), "col2im", self._columns, x, items, *shape)

    def _parts(self, x: Array, y: Array) -> list[tuple[int, Array, Array]]:
        """So many images at once, with their parts of both arrays."""
        x, y = x.reshape(self._items, -1), y.reshape(self._items, -1)
        starts = range(0, self._items, self._part)
        return [
            (len(x[at : at + self._part]), x[at : at + self._part], y[at : at + self._part])
            for at in starts
        ]


class _Im2colAxes(_Im2col):
    """The same in any number of axes, with the geometry in device memory."""

    def __init__(self, of: Convolve, channels: int, outputs: int, group: int) -> None:
        super().__init__(of, channels, outputs, group)
        self._windows, w = compiled(of.device, "windows", of.dtype), of.windows
        numbers = np.array((w.inputs, w.kernel, w.stride, w.pad, w.dilation, w.outputs), np.int32)
        self._axes = of.scratch(numbers.T.shape, np.int32)
        of.device.put(numbers.T, self._axes)
        self._kernel = math.prod(w.kernel)

    def _im2col(self, x: Array, items: int) -> None:
        seen = (len(self._axes), items, self._channels, self._kernel, self._places)
        count = self._rows * items * self._places
        self._windows.over(count, "im2col", x, self._columns, self._axes, *seen)

    def _col2im(self, x: Array, items: int) -> None:
        seen = (len(self._axes), items, self._channels, self._kernel, self._places)
        size = math.prod(self._of.windows.inputs)
        self._windows.over(
            items * self._channels * size, "col2im", self._columns, x, self._axes, *seen, size
        )


class Shapes(NamedTuple):
    """Windows in one or two axes, as arguments of the sources."""

    channels: int
    height: int
    width: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    dilation_h: int
    dilation_w: int
    out_h: int
    out_w: int

    @classmethod
    def of(cls, windows: Windows, channels: int) -> Shapes:
        """Those of windows over so many channels."""
        w = windows if len(windows.inputs) == 2 else as_two_axes(windows)
        return cls(
            channels, *w.inputs, *w.kernel, *w.stride, *w.pad, *w.dilation, *w.outputs
        )  # fmt: skip

    def dividing(self, *names: str) -> Shapes:
        """The same, where a function divides by those of these names."""
        return self._replace(**{name: Extent(getattr(self, name)) for name in names})


def as_two_axes(windows: Windows) -> Windows:
    """Windows over one axis as windows over the second of two."""
    return Windows(
        (1, *windows.inputs),
        (1, *windows.kernel),
        (1, *windows.stride),
        (0, *windows.pad),
        (1, *windows.dilation),
        (1, *windows.outputs),
    )


OWN_ALGORITHMS = (
    Algorithm(
        _Depthwise,
        Condition(
            "one or two axes, every channel a group of its own",
            lambda w, channels, group: DEPTHWISE.holds(channels, group) and len(w.inputs) <= 2,
        ),
    ),
    Algorithm(
        _Pointwise, Condition("windows of one place", lambda w, _channels, _group: w.is_identity)
    ),
    Algorithm(
        _Im2col,
        Condition(
            f"one or two axes, at most {_MOST_ROWS} rows of columns",
            lambda w, channels, _group: (
                len(w.inputs) <= 2 and channels * math.prod(w.kernel) <= _MOST_ROWS
            ),
        ),
    ),
    Algorithm(_Im2colAxes, OTHERWISE),
)
"""Chosen by windows, channels and group; made with the kernel, channels, outputs and group."""
