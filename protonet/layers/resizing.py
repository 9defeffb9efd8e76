"""Resizing of planes as TensorFlow has it, of Synopsys' fork."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from protonet.blob import Shape
from protonet.errors import LayerError
from protonet.layers.base import shape_text
from protonet.layers.limits import check_numbers
from protonet.layers.registry import register
from protonet.layers.upsampling import Interp
from protonet.proto.caffe_pb2 import ResizeBilinearParameter, ResizeNearestNeighborParameter


class _Resizing(Interp):
    """Base: sizes, and the places in x that each value of y looks at."""

    bottoms = (1, 1)
    no_gradient = frozenset()
    field: ClassVar[str]
    half: ClassVar[tuple[str, ...]]
    """The fields by which values lie in the middle of their places."""

    @property
    def param(self) -> ResizeBilinearParameter | ResizeNearestNeighborParameter:
        """The layer's own message."""
        found: ResizeBilinearParameter | ResizeNearestNeighborParameter = getattr(
            self.spec, self.field
        )
        return found

    def setup(self) -> None:
        param = self.param
        if param.data_format != "NCHW":
            raise LayerError(
                f'expected data_format: "NCHW", got "{param.data_format}"',
                (self.field, "data_format"),
                "put a Permute layer before and behind it",
            )
        given = [name for name in ("align_corners", *self.half) if getattr(param, name)]
        if len(given) > 1:
            raise LayerError(f"{' and '.join(given)} cannot be combined", (self.field, given[1]))
        for name in ("scale_height", "scale_width"):
            if not 0 < getattr(param, name) < math.inf:
                raise LayerError(
                    f"expected {name} above 0, got {getattr(param, name):g}", (self.field, name)
                )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        param, shape = self.param, shapes[0]
        if len(shape) != 4:
            raise LayerError(f"expected N x C x H x W, got {shape_text(shape)}", ("bottom", 0))
        extents = []
        for name, extent in zip(("height", "width"), shape[2:], strict=True):
            out = math.floor(np.float32(extent) * np.float32(getattr(param, f"scale_{name}")))
            if param.HasField(f"output_{name}"):
                out = getattr(param, f"output_{name}")
            if out < 1:
                raise LayerError(f"expected a {name} of 1 or more, got {out}", (self.field,))
            check_numbers([out], (self.field,))
            extents.append(out)
        return [(*shape[:2], *extents)]

    def step(self, extent: int, out: int) -> np.float32:
        """How far values of y are apart in x."""
        if self.param.align_corners and out > 1:
            return np.float32(extent - 1) / np.float32(out - 1)
        return np.float32(extent) / np.float32(out)


@register("ResizeBilinear")
class ResizeBilinear(_Resizing):
    """y of another size, each value mixed of its neighbours in x, as TensorFlow does it.

    Value k of an axis mixes x at floor(p) and ceil(p), within the plane, by the fraction of
    p = k s; with half pixels p = (k + 1/2) s - 1/2. s is in / out, or (in - 1) / (out - 1) with
    align_corners. Gradient: the same factors the other way round.

    Bottom:
        x: N x C x H x W.
    Top:
        y: N x C x output_height x output_width; without one, floor(extent scale).
    Params:
        none.
    Spec:
        resize_bilinear_param: data_format (NHWC; must be NCHW), output_height and output_width
        (none), scale_height and scale_width (1), align_corners, half_pixel_centers,
        pytorch_half_pixel (false; one at most).
    Raises:
        LayerError: for another data_format, two of the three, a scale or size that is not above
        0, or a bottom without 4 axes.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient.
    """

    field = "resize_bilinear_param"
    half = ("half_pixel_centers", "pytorch_half_pixel")

    def mixture(self, extent: int, out: int) -> np.ndarray:
        """The matrix that resizes one axis: out x extent."""
        param, k = self.spec.resize_bilinear_param, np.arange(out, dtype=np.float32)
        places = k * self.step(extent, out)
        if param.half_pixel_centers or param.pytorch_half_pixel:
            places = (k + np.float32(0.5)) * self.step(extent, out) - np.float32(0.5)
        if param.pytorch_half_pixel and out == 1:
            places = np.full(1, -0.5, np.float32)
        low = np.floor(places)
        share = places - low
        matrix, rows = np.zeros((out, extent)), np.arange(out)
        matrix[rows, np.clip(low, 0, extent - 1).astype(int)] += 1 - share
        matrix[rows, np.clip(np.ceil(places), 0, extent - 1).astype(int)] += share
        return matrix


@register("ResizeNearestNeighbor")
class ResizeNearestNeighbor(_Resizing):
    """y of another size, each value the one of a place in x, as TensorFlow does it.

    Value k of an axis is x at floor(k s), or round(k s) with align_corners; at floor((k + 1/2) s)
    with half_pixel_centers, at floor((k + 1/2) s - 1/2) with half_pixel_onnx; within the plane. s
    is in / out, or (in - 1) / (out - 1) with align_corners. Gradient: sums of what values gave.

    Bottom:
        x: N x C x H x W.
    Top:
        y: N x C x output_height x output_width; without one, floor(extent scale).
    Params:
        none.
    Spec:
        resize_nearest_neighbor_param: data_format (NHWC; must be NCHW), output_height and
        output_width (none), scale_height and scale_width (1), align_corners, half_pixel_centers,
        half_pixel_onnx (false; one at most).
    Raises:
        LayerError: for another data_format, two of the three, a scale or size that is not above
        0, or a bottom without 4 axes.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient. A
        value that is not finite spreads over its row and column.
    """

    field = "resize_nearest_neighbor_param"
    half = ("half_pixel_centers", "half_pixel_onnx")

    def mixture(self, extent: int, out: int) -> np.ndarray:
        """The matrix that resizes one axis: out x extent."""
        param, k = self.spec.resize_nearest_neighbor_param, np.arange(out, dtype=np.float32)
        places = k * self.step(extent, out)
        if param.align_corners:
            places = places + np.float32(0.5)  # rounds halves up
        elif param.half_pixel_centers or param.half_pixel_onnx:
            places = (k + np.float32(0.5)) * self.step(extent, out)
            places = places - np.float32(0.5 * param.half_pixel_onnx)
        matrix = np.zeros((out, extent))
        matrix[np.arange(out), np.clip(np.floor(places), 0, extent - 1).astype(int)] = 1
        return matrix
