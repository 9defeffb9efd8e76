"""Pooling: the maximum, the mean, or a random value of each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from protonet.blob import Array, Pixels, Shape
from protonet.errors import LayerError
from protonet.kernels.pooling import AveragePool, MaxPool, StochasticPool
from protonet.kernels.windows import Windows
from protonet.layers.alternative_fields import h_w_fields
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.limits import check_numbers
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import PoolingParameter

_PARAM = "pooling_param"
_MEANS = (PoolingParameter.AVE, PoolingParameter.AVE_EXC_PAD)


def pool_windows(
    spatial: Shape,
    whole: Shape,
    stride: Shape,
    pad: Shape,
    *,
    pad_after: Shape | None = None,
    dilation: Shape | None = None,
    down: bool = False,
    padded: bool | None = None,
) -> Windows:
    """Windows of the extents ``whole``; as many as in Caffe, or rounded down (``down``).

    ``pad_after`` is the padding at the end of each axis if it differs from ``pad``.
    ``dilation`` is how far the values of a window are apart. ``padded`` tells whether there is
    padding at all, if there are further axes: then no window begins behind the values.

    Raises:
        LayerError: if there is no window.
    """
    outputs, kernel, dilation = [], [], dilation or (1,) * len(spatial)
    if padded is None:
        padded = any((*pad, *(pad_after or pad)))
    for i, k, s, p, q, d in zip(
        spatial, whole, stride, pad, pad_after or pad, dilation, strict=True
    ):
        room = i + p + q - (d * (k - 1) + 1)
        out = (room // s if down else -(-room // s)) + 1
        if out < 1:
            raise LayerError(
                f"a kernel of {shape_text(whole)} (stride {shape_text(stride)}, pad "
                f"{shape_text(pad)}) does not fit a plane of {shape_text(spatial)}",
                ("bottom", 0),
            )
        if padded and (out - 1) * s >= i + p:
            out -= 1
        outputs.append(out)
        # clip a single window that is larger than the plane
        kernel.append(min(k, (i + p + q - 1) // d + 1))
    return Windows(spatial, tuple(kernel), stride, pad, dilation, tuple(outputs))


@register("Pooling")
class Pooling(Layer):
    """MAX: y = max of the window, dx = dy where the maximum was (the first wins);
    AVE: y = sum / size, dx = dy / size, where size counts padding up to the padded border;
    AVE_EXC_PAD: the same, where size does not count padding;
    STOCHASTIC: in TRAIN a value drawn with probability x / sum x, in TEST sum x^2 / sum x.

    Bottom:
        0: x, N x C x H x W.
    Top:
        0: y, N x C x out x out with out = ceil((i + 2 pad - kernel) / stride) + 1, less 1 where
        the last window would begin in the padding, if there is any; floor with round_mode: FLOOR.
        So a kernel that is larger than the plane, but by less than a stride, gives one clipped
        window.
        1 (optional, MAX): the index of each maximum in its plane, from 0.
    Params:
        none.
    Spec:
        pooling_param: pool (MAX), kernel_size or kernel_h and kernel_w, stride (1), pad (0), or
        pad_l, pad_r, pad_t and pad_b (0) for each side,
        global_pooling, round_mode (CEIL); ceil_mode: false is round_mode: FLOOR. dilation (1), or
        dilation_h and dilation_w, with MAX. engine is accepted and ignored.

    Raises:
        LayerError: without a kernel, for a setting in two forms, a pad not below the kernel, a
        kernel that leaves no window, a dilation without MAX, or global_pooling with kernel, pad or
        stride.
    Differs:
        STOCHASTIC works on the CPU too, and gives no gradient in TEST. AVE_EXC_PAD (AVE_TF) and
        the padding of each side are of Synopsys' fork, whose backward pass starts windows at a
        wrong column if pad_l and pad_b differ.
    """

    traits = Traits(
        backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True
    )
    tops = (1, 2)

    def setup(self) -> None:
        param = self.spec.pooling_param
        self.method = param.pool
        stochastic = self.method == PoolingParameter.STOCHASTIC
        if stochastic and not self.training:
            self.no_gradient = frozenset({0})
        self.kernel, self.stride, self.pad = (
            self._pair("kernel", "kernel_size"),
            self._pair("stride", "stride"),
            self._pair("pad", "pad"),
        )
        self.pad_after = self._sides()
        self.dilation = self._dilation()
        uneven = self.method == PoolingParameter.AVE and self.pad_after != self.pad
        self.divides_anew = self.method == PoolingParameter.AVE_EXC_PAD or uneven
        self.traits = replace(
            self.traits,
            recomputable=not stochastic,
            in_kernels=not (stochastic or self.divides_anew or self.dilation != (1, 1)),
        )
        self.traits = replace(self.traits, pixels=self.traits.in_kernels)
        self._check_windows()
        if stochastic and any(self.pad):
            raise LayerError("STOCHASTIC pooling takes no pad", (_PARAM, "pad"))
        if len(self.spec.top) > 1 and self.method != PoolingParameter.MAX:
            raise LayerError("only MAX pooling has a second top, the mask", ("top", 1))
        if len(self.spec.top) > 1:
            self.traits = replace(
                self.traits, low_precision=LowPrecision.NEVER, in_kernels=False, pixels=False
            )

    @property
    def is_mean(self) -> bool:
        """Whether it computes means."""
        return self.method in _MEANS

    def _check_windows(self) -> None:
        """Refuse invalid kernels, strides and pads."""
        if self.spec.pooling_param.global_pooling:
            if any(self.kernel):
                raise LayerError("global_pooling takes its kernel from the bottom", (_PARAM,))
            if any((*self.pad, *self.pad_after)) or self.stride != (1, 1):
                raise LayerError("global_pooling needs pad 0 and stride 1", (_PARAM,))
        elif not all(self.kernel):
            raise LayerError("pooling_param needs a kernel_size above 0", (_PARAM, "kernel_size"))
        elif any(
            p >= k for p, k in zip((*self.pad, *self.pad_after), self.kernel * 2, strict=True)
        ):
            raise LayerError(
                f"pad {shape_text(self.pad)} must be below the kernel, {shape_text(self.kernel)}",
                (_PARAM, "pad"),
            )
        for name, pair in (
            ("kernel_size", self.kernel),
            ("stride", self.stride),
            ("pad", (*self.pad, *self.pad_after)),
        ):
            check_numbers(pair, (_PARAM, name))
        if not all(self.stride):
            raise LayerError("stride must be above 0", (_PARAM, "stride"))

    def _dilation(self) -> Shape:
        """How far the values of a window are apart."""
        found, path = self._pair("dilation", "dilation"), (_PARAM, "dilation")
        if not all(found):
            raise LayerError("dilation must be above 0", path)
        if found != (1, 1) and self.method != PoolingParameter.MAX:
            raise LayerError("only MAX pooling has a dilation", path)
        check_numbers(found, path)
        return found

    def _sides(self) -> Shape:
        """The padding at the end of axes; if given by side, ``pad`` is set to that at the start."""
        param = self.spec.pooling_param
        given = [side for side in ("pad_l", "pad_r", "pad_t", "pad_b") if param.HasField(side)]
        if not any(getattr(param, side) for side in given):
            return self.pad
        if any(param.HasField(field) for field in ("pad", "pad_h", "pad_w")):
            raise LayerError(
                f"pad and {given[0]} are both given; give one of the two forms", (_PARAM, given[0])
            )
        self.pad = (param.pad_t, param.pad_l)
        return param.pad_b, param.pad_r

    def _pair(self, name: str, listed: str) -> tuple[int, int]:
        """A setting for height and width, from either of its two forms."""
        param = self.spec.pooling_param
        if h_w_fields(param, _PARAM, name, listed):
            return getattr(param, f"{name}_h"), getattr(param, f"{name}_w")
        return getattr(param, listed), getattr(param, listed)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shape) != 4:
            raise LayerError(
                f"expected a bottom of 4 axes, N x C x H x W, got {shape_text(shape)}",
                ("bottom", 0),
            )
        windows = self.windows_over(shape[2:])
        return [(*shape[:2], *windows.outputs)] * len(self.spec.top)

    def windows_over(self, spatial: Shape) -> Windows:
        """The windows over a plane."""
        param = self.spec.pooling_param
        whole = spatial if param.global_pooling else self.kernel
        down = param.round_mode == PoolingParameter.FLOOR
        if param.HasField("ceil_mode"):
            down = not param.ceil_mode
        return pool_windows(
            spatial,
            whole,
            self.stride,
            self.pad,
            pad_after=self.pad_after,
            dilation=self.dilation,
            down=down,
        )

    def share_over(self, spatial: Shape) -> np.ndarray:
        """Factors for the means of windows: the kernel's window size over the one that counts."""
        w = self.windows_over(spatial)
        shares = []
        for i, k, s, p, q, out in zip(
            spatial, w.kernel, w.stride, w.pad, self.pad_after, w.outputs, strict=True
        ):
            start = np.arange(out) * s - p
            size = np.minimum(start + k, i + q) - start
            if self.method == PoolingParameter.AVE_EXC_PAD:
                size = np.minimum(start + k, i) - np.maximum(start, 0)
            # 0 / 0, as in Caffe, if a window begins outside the plane: with stride > kernel.
            with np.errstate(invalid="ignore"):
                shares.append((np.minimum(start + k, i + p) - start) / size)
        rows, columns = shares
        return np.outer(rows, columns)

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        windows = self.windows_over(shape[2:])
        geometry = (windows, shape[0], shape[1])
        top = (*shape[:2], *windows.outputs)
        if self.pixels is not Pixels.NONE:
            self._build_for_pixels(*geometry)
            return
        if self.is_mean:
            self._average = AveragePool.make(self.device, self.dtype, *geometry)
            if self.divides_anew:
                self._share, self._shared = self.scratch(windows.outputs), self.scratch(top)
                self.device.put(self.share_over(shape[2:]), self._share)
            return
        # The indices of maxima are needed for gradients only.
        keeps = self.gradients or len(self.spec.top) > 1
        self._places: Array | None = None
        if self.method == PoolingParameter.MAX:
            self._pick: MaxPool | StochasticPool = MaxPool.make(self.device, self.dtype, *geometry)
        else:
            self._pick = StochasticPool.make(self.device, self.dtype, *geometry)
            self._numbers, self._sums = self.scratch(top, np.float32), self.scratch(top)
            keeps = self.training
        if keeps:
            self._places = self.scratch(top, np.int32)

    def _build_for_pixels(self, *geometry: Any) -> None:
        from protonet.kernels.pixels import AveragePoolPixels, MaxPoolPixels  # to answer

        self._places = None
        if self.is_mean:
            self._average = AveragePoolPixels.make(self.device, self.dtype, *geometry)
        else:
            self._pick = MaxPoolPixels.make(self.device, self.dtype, *geometry)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, y = bottoms[0], tops[0]
        if self.is_mean:
            self._average.forward(x, y)
            if self.divides_anew:
                self.xp.multiply(y, self._share, out=y)
        elif isinstance(self._pick, MaxPool):
            self._pick.forward(x, y, self._places)
            if len(tops) > 1:
                tops[1][...] = self._places
        elif self._places is not None:
            self.random.uniform(self._numbers)
            self._pick.draw(x, y, self._places, self._numbers, self._sums)
        else:
            self._pick.weigh(x, y, self._sums)

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
            if self.divides_anew:
                dy = self.xp.multiply(dy, self._share, out=self._shared)
            self._average.backward(dy, dx)
        else:
            self._pick.backward(dy, self._places, dx)
