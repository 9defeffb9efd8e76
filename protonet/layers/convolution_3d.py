"""3D convolution over frames, rows and columns, of forks for video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protonet.blob import Shape
from protonet.errors import LayerError
from protonet.layers.alternative_fields import one_of_two_messages
from protonet.layers.base import shape_text
from protonet.layers.convolution import Convolution, Deconvolution
from protonet.layers.limits import check_numbers
from protonet.layers.registry import register
from protonet.layers.sliding import SlidingWindow
from protonet.proto.caffe_pb2 import (
    Convolution3DParameter,
    ConvolutionParameter,
    Pooling3DParameter,
)

AXES = 3
_DEPTHS = ("kernel_depth", "temporal_stride", "temporal_pad")


def _of_frames(param: Pooling3DParameter, field: str, temporal: str, other: str) -> str:
    """C3D's name of a field for frames, or P3D's if that is given."""
    if not has_field(param, other):
        return temporal
    if has_field(param, temporal):
        raise LayerError(f"{temporal} and {other} are both given; give one of them", (field, other))
    return other


def extents(param: Any, field: str, name: str, temporal: str, default: int) -> list[int]:
    """A setting for frames, rows and columns: three numbers, one for all, or none.

    C3D's form, recognized by any field for frames, has a number for frames (``temporal``) and
    one for rows and columns; both default to ``default``.
    """
    short = name.removesuffix("_size")
    if has_field(param, f"{short}_shape"):
        shape = [int(extent) for extent in getattr(param, f"{short}_shape").dim]
        check_numbers(shape, (field, f"{short}_shape"))
        return shape
    sides = [f"{short}_{part}" for part in "hw" if has_field(param, f"{short}_{part}")]
    plane = [int(getattr(param, side)) for side in sides] or _listed(param, name)
    if not isinstance(param, Convolution3DParameter | Pooling3DParameter) and not any(
        has_field(param, depth) for depth in _DEPTHS
    ):
        if sides:
            raise LayerError(
                f"{sides[0]} gives no number for frames",
                (field, sides[0]),
                "give kernel_depth as well",
            )
        return plane
    if len(plane) > 2:
        raise LayerError(
            f"expected one {name} for rows and columns and one for frames, got {len(plane)}",
            (field, name),
        )
    if isinstance(param, Pooling3DParameter):
        temporal = _of_frames(param, field, temporal, f"{short}_l")
    depth = int(getattr(param, temporal)) if has_field(param, temporal) else default
    check_numbers([depth], (field, temporal))
    check_numbers(plane, (field, name))
    return [depth, *((plane or [default]) * 2)[:2]]


def has_field(param: Any, field: str) -> bool:
    """Whether a message type defines a field, and the message has it."""
    return field in param.DESCRIPTOR.fields_by_name and param.HasField(field)


def _listed(param: Any, name: str) -> list[int]:
    """The numbers of a field that may be repeated; empty if not given."""
    if param.DESCRIPTOR.fields_by_name[name].is_repeated:
        return [int(each) for each in getattr(param, name)]
    return [int(getattr(param, name))] if param.HasField(name) else []


class _Volumetric(SlidingWindow):
    """A convolution with the settings of forks for video."""

    @property
    def settings(self) -> ConvolutionParameter:
        """``convolution_param`` or ``convolution3d_param``, in the form of Convolution."""
        return self._settings

    def setup(self) -> None:
        param, field = one_of_two_messages(self, "convolution_param", "convolution3d_param")
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
            found.output_padding.extend(param.output_padding)
            found.axis, found.engine = param.axis, param.engine
        super().setup()

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axes = max(len(self.settings.kernel_size), len(self.settings.stride))
        found = len(shapes[0]) - 2
        if axes > 1 and self.settings.axis == 1 and axes != found:
            raise LayerError(
                f"expected {axes} axes after the channels, N x C x ..., got "
                f"{shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return super().infer(shapes)


@register("Convolution3D")
class Convolution3D(_Volumetric, Convolution):
    """Convolution over frames, rows and columns, under C3D's name and with its fields.

    Bottom:
        one or more of the same shape: x, N x C x L x H x W.
    Top:
        one for each bottom, as for Convolution.
    Params:
        0: W, num_output x C / group x kernel_depth x kernel_size x kernel_size.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param or convolution3d_param: as for Convolution, and kernel_depth,
        temporal_stride (1), temporal_pad (0) for frames; with any of them, kernel_size, stride
        and pad are of rows and columns. kernel_shape, stride_shape and pad_shape say all at once.
        filter_group is accepted and ignored.
    Raises:
        LayerError: as Convolution; for both messages, or a form without a number for frames.
    Differs:
        Caffe has no such layer; C3D's forks do, and ignore group.
    """


@register("NdConvolution")
class NdConvolution(_Volumetric, Convolution):
    """Convolution over any number of axes, under the name of a fork for video.

    Bottom:
        one or more of the same shape: x, N x C x spatial axes.
    Top:
        one for each bottom, as for Convolution.
    Params:
        0: W, num_output x C / group x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param: as for Convolution, or kernel_shape, stride_shape and pad_shape with a
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
        one or more of the same shape: x, N x C x L x H x W.
    Top:
        one for each bottom, as of Deconvolution.
    Params:
        0: W, C x num_output / group x kernel_depth x kernel_size x kernel_size.
        1 (bias_term): b, num_output.
    Spec:
        as for Convolution3D.
    Raises:
        LayerError: as Convolution3D and Deconvolution.
    Differs:
        Caffe has no such layer; C3D's fork has. It ignores group.
    """
