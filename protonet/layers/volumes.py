"""Convolution and pooling of volumes (frames, rows, columns) as forks for video write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.pooling import AveragePool, MaxPool
from protonet.kernels.windows import Windows
from protonet.layers.base import Layer, Narrows, Traits, shape_text
from protonet.layers.convolution import Convolution, Deconvolution
from protonet.layers.limits import check_numbers
from protonet.layers.pooling import pool_windows
from protonet.layers.registry import register
from protonet.layers.sliding import Sliding
from protonet.proto.caffe_pb2 import (
    Convolution3DParameter,
    ConvolutionParameter,
    Pooling3DParameter,
    PoolingParameter,
)

_AXES = 3
_DEPTHS = ("kernel_depth", "temporal_stride", "temporal_pad")


def given_param(layer: Layer, field: str, other: str) -> tuple[Any, str]:
    """The parameters of a layer in whichever of two messages they are given, and its name."""
    if layer.spec.HasField(field) and layer.spec.HasField(other):
        raise LayerError(f"{field} and {other} are both given; give one of them", (other,))
    name = other if layer.spec.HasField(other) else field
    return getattr(layer.spec, name), name


def _of_frames(param: Pooling3DParameter, field: str, temporal: str, other: str) -> str:
    """C3D's name of a field of frames, or P3D's where that is given."""
    if not _has(param, other):
        return temporal
    if _has(param, temporal):
        raise LayerError(f"{temporal} and {other} are both given; give one of them", (field, other))
    return other


def extents(param: Any, field: str, name: str, temporal: str, default: int) -> list[int]:
    """A setting for frames, rows and columns: three numbers, one for all, or none.

    C3D's form, which any field of frames tells, has one number for frames (``temporal``) beside
    those for rows and columns; ``default`` is that of both.
    """
    short = name.removesuffix("_size")
    if _has(param, f"{short}_shape"):
        shape = [int(extent) for extent in getattr(param, f"{short}_shape").dim]
        check_numbers(shape, (field, f"{short}_shape"))
        return shape
    sides = [f"{short}_{part}" for part in "hw" if _has(param, f"{short}_{part}")]
    plane = [int(getattr(param, side)) for side in sides] or _listed(param, name)
    if not isinstance(param, Convolution3DParameter | Pooling3DParameter) and not any(
        _has(param, depth) for depth in _DEPTHS
    ):
        if sides:
            raise LayerError(
                f"{sides[0]} says nothing of frames",
                (field, sides[0]),
                "give kernel_depth beside it",
            )
        return plane
    if len(plane) > 2:
        raise LayerError(
            f"expected one {name} for rows and columns beside that of frames, got {len(plane)}",
            (field, name),
        )
    if isinstance(param, Pooling3DParameter):
        temporal = _of_frames(param, field, temporal, f"{short}_l")
    depth = int(getattr(param, temporal)) if _has(param, temporal) else default
    check_numbers([depth], (field, temporal))
    check_numbers(plane, (field, name))
    return [depth, *((plane or [default]) * 2)[:2]]


def _has(param: Any, field: str) -> bool:
    return field in param.DESCRIPTOR.fields_by_name and param.HasField(field)


def _listed(param: Any, name: str) -> list[int]:
    """The numbers of a field that may be repeated; none where it is not given."""
    if param.DESCRIPTOR.fields_by_name[name].is_repeated:
        return [int(each) for each in getattr(param, name)]
    return [int(getattr(param, name))] if param.HasField(name) else []


class _Volumetric(Sliding):
    """What gives a convolution the settings of the forks for video."""

    @property
    def settings(self) -> ConvolutionParameter:
        """``convolution_param`` or ``convolution3d_param``, in the form of Convolution."""
        return self._settings

    def setup(self) -> None:
        param, field = given_param(self, "convolution_param", "convolution3d_param")
        kernel = extents(param, field, "kernel_size", "kernel_depth", 0)
        stride = extents(param, field, "stride", "temporal_stride", 1)
        pad = extents(param, field, "pad", "temporal_pad", 0)
        if not kernel or 0 in kernel:
            raise LayerError(
                f"{field} needs a kernel_size and a kernel_depth above 0", (field, "kernel_size")
            )
        found = self._settings = ConvolutionParameter(
            num_output=param.num_output,
            bias_term=param.bias_term,
            group=param.group,
            weight_filler=param.weight_filler,
            bias_filler=param.bias_filler,
            kernel_size=kernel,
            stride=stride,
            pad=pad,
        )
        if isinstance(param, ConvolutionParameter):
            found.dilation.extend(param.dilation)
            found.axis, found.engine = param.axis, param.engine
        super().setup()

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axes = max(len(self.settings.kernel_size), len(self.settings.stride))
        found = len(shapes[0]) - 2
        if axes > 1 and self.settings.axis == 1 and axes != found:
            raise LayerError(
                f"expected {axes} axes behind the channels, N x C x ..., got "
                f"{shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return super().infer(shapes)


@register("Convolution3D")
class Convolution3D(_Volumetric, Convolution):
    """Convolution over frames, rows and columns, under C3D's name and with its fields.

    Bottom:
        one or more of one shape: x, N x C x L x H x W.
    Top:
        one for each bottom, as of Convolution.
    Params:
        0: W, num_output x C / group x kernel_depth x kernel_size x kernel_size.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param or convolution3d_param: as of Convolution, and kernel_depth,
        temporal_stride (1), temporal_pad (0) for frames; with any of them, kernel_size, stride
        and pad are of rows and columns. kernel_shape, stride_shape and pad_shape say all at once.
        filter_group is accepted and makes no difference.
    Raises:
        LayerError: as Convolution; for both messages, or a form that says nothing of frames.
    Differs:
        Caffe has no such layer; C3D's forks do. Theirs pass over group.
    """


@register("NdConvolution")
class NdConvolution(_Volumetric, Convolution):
    """Convolution over any number of axes, under the name of a fork for video.

    Bottom:
        one or more of one shape: x, N x C x spatial axes.
    Top:
        one for each bottom, as of Convolution.
    Params:
        0: W, num_output x C / group x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param: as of Convolution, or kernel_shape, stride_shape and pad_shape with a
        dim for each axis; or the fields of Convolution3D.
    Raises:
        LayerError: as Convolution3D.
    Differs:
        Caffe has no such layer; video-caffe has.
    """


@register("Deconvolution3D")
class Deconvolution3D(_Volumetric, Deconvolution):
    """Deconvolution over frames, rows and columns, under C3D's name and with its fields.

    Bottom:
        one or more of one shape: x, N x C x L x H x W.
    Top:
        one for each bottom, as of Deconvolution.
    Params:
        0: W, C x num_output / group x kernel_depth x kernel_size x kernel_size.
        1 (bias_term): b, num_output.
    Spec:
        as of Convolution3D.
    Raises:
        LayerError: as Convolution3D and Deconvolution.
    Differs:
        Caffe has no such layer; C3D's fork has. It passes over group.
    """


class _Pooling3D(Layer):
    """Pooling of volumes: of each plane, and then of what is left of frames."""

    traits = Traits(backward_reads=frozenset(), recomputable=True, narrows=Narrows.WITH_BOTTOMS)

    def setup(self) -> None:
        param, field = given_param(self, "pooling_param", "pooling3d_param")
        self.method = param.pool
        if self.method == PoolingParameter.STOCHASTIC:
            raise LayerError("STOCHASTIC pooling is of planes only", (field, "pool"))
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
        kernels = (
            *("kernel_size", "kernel_h", "kernel_w", "kernel_depth", "kernel_l", "kernel_shape"),
        )
        given = any(_has(param, each) for each in kernels)
        if self.whole and (given or self.pad != (0,) * _AXES or self.stride != (1,) * _AXES):
            raise LayerError("global_pooling takes no kernel, pad or stride", (field,))
        if not self.whole and (not given or 0 in self.kernel):
            raise LayerError(
                f"{field} needs a kernel_size and a kernel_depth above 0", (field, "kernel_size")
            )
        if 0 in self.stride:
            raise LayerError("stride must be above 0", (field, "stride"))
        if not self.whole and any(p >= k for p, k in zip(self.pad, self.kernel, strict=True)):
            raise LayerError(
                f"pad {shape_text(self.pad)} must be below the kernel, {shape_text(self.kernel)}",
                (field, "pad"),
            )

    def _three(self, found: list[int], default: int, path: tuple[str, str]) -> Shape:
        """A number for frames, rows and columns."""
        if len(found) not in (0, 1, _AXES):
            raise LayerError(f"expected 1 or {_AXES} {path[1]}, got {len(found)}", path)
        check_numbers(found, path)
        if len(found) == _AXES:
            return tuple(found)
        return tuple(found or [default]) * _AXES

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shape) != _AXES + 2:
            raise LayerError(
                f"expected a bottom of 5 axes, N x C x L x H x W, got {shape_text(shape)}",
                ("bottom", 0),
            )
        return [(*shape[:2], *self.windows_over(shape[2:]).outputs)]

    def windows_over(self, volume: Shape) -> Windows:
        """The windows over frames, rows and columns."""
        kernel = volume if self.whole else self.kernel
        return pool_windows(volume, kernel, self.stride, self.pad, down=self.down)

    def build(self, shapes: Sequence[Shape]) -> None:
        items, channels, frames, *plane = shapes[0]
        (top,) = self.infer(shapes)
        kernel = shapes[0][2:] if self.whole else self.kernel
        within = pool_windows(
            tuple(plane), kernel[1:], self.stride[1:], self.pad[1:], down=self.down
        )
        places = top[3] * top[4]
        across = pool_windows(
            (frames, places),
            (kernel[0], 1),
            (self.stride[0], 1),
            (self.pad[0], 0),
            down=self.down,
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
        if self.gradients:
            shapes = [self._left.shape, self._top]
            self._picked = [self.scratch(shape, np.int32) for shape in shapes]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, y, left = bottoms[0].reshape(self._planes), tops[0].reshape(self._top), self._left
        columns = left.reshape(self._columns)
        if self._max is not None:
            self._max[0].forward(x, left, self._picked[0])
            self._max[1].forward(columns, y, self._picked[1])
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
        0: y, N x C x out x out x out, with out as of Pooling.
    Params:
        none.
    Spec:
        pooling_param or pooling3d_param: as of Pooling, without its second top, and kernel_depth,
        temporal_stride (1) for frames; with any of them, kernel_size, stride and pad are of rows
        and columns. kernel_shape, stride_shape and pad_shape say all at once. pooling3d_param has
        P3D's names for frames too: kernel_l, stride_l, pad_l.
    Raises:
        LayerError: for STOCHASTIC, without a kernel, for both messages, a form that says nothing
        of frames, a pad that reaches the kernel, a kernel that leaves no window, global_pooling
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
        0: y, N x C x out x out x out, as of Pooling3D.
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
