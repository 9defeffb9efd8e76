"""Converters of layers with sliding windows, and of resizing."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
from onnx import TensorProto

from protonet.kernels.windows import Windows
from protonet.layers.adaptive_pooling import picked
from protonet.onnx.conversion import Conversion, OnnxError, converts, part_of
from protonet.proto.caffe_pb2 import PoolingParameter


@converts(
    "Convolution", "Convolution3D", "ConvolutionDepthwise", "DepthwiseConvolution", "NdConvolution"
)
def convolution(c: Conversion) -> list[str]:
    return _convolve(c, "Conv")


@converts("Deconvolution", "Deconvolution3D")
def deconvolution(c: Conversion) -> list[str]:
    return _convolve(c, "ConvTranspose")


def _convolve(c: Conversion, kind: str) -> list[str]:
    """Both convolutions; axes before the channel axis are flattened."""
    layer, shape, top = c.layer, c.shapes[0], c.top_shapes[0]
    axis = layer.channel_axis(c.shapes)
    kernel, stride, pad, dilation = layer.geometry(len(shape) - axis - 1)
    items = math.prod(shape[:axis])
    more = list(layer.settings.output_padding)
    grown: dict[str, Any] = (
        {"output_padding": more * (len(kernel) if len(more) == 1 else 1)} if more else {}
    )
    params = [c.param(place) for place in range(2 if layer.settings.bias_term else 1)]
    tops = []
    for bottom in c.bottoms:
        y = c.op(
            kind,
            c.seen(bottom, shape, (items, *shape[axis:])),
            *params,
            kernel_shape=list(kernel),
            strides=list(stride),
            pads=[*pad, *pad],
            dilations=list(dilation),
            group=layer.groups(shape[axis]),
            **grown,
        )
        tops.append(c.seen(y, (items, *top[axis:]), top))
    return tops


@converts("TableConvolution", "TableDeconvolution")
def of_table(c: Conversion) -> list[str]:
    """The convolution of all pairs of channels; weights of pairs that are not connected are 0."""
    return _convolve(
        part_of(c, c.layer.whole_layer(), c.bottoms),
        "Conv" if c.layer.outputs_first else "ConvTranspose",
    )


@converts("Im2col")
def columns(c: Conversion) -> list[str]:
    """A convolution of every channel with one-hot kernels."""
    layer, shape, top = c.layer, c.shapes[0], c.top_shapes[0]
    axis = layer.channel_axis(c.shapes)
    kernel, stride, pad, dilation = layer.geometry(len(shape) - axis - 1)
    channels, places, items = shape[axis], math.prod(kernel), math.prod(shape[:axis])
    one_hot = np.tile(np.eye(places, dtype=np.float32), (channels, 1))
    weight = c.constant(one_hot.reshape(channels * places, 1, *kernel))
    tops = []
    for bottom in c.bottoms:
        y = c.op(
            "Conv",
            c.seen(bottom, shape, (items, *shape[axis:])),
            weight,
            kernel_shape=list(kernel),
            strides=list(stride),
            pads=[*pad, *pad],
            dilations=list(dilation),
            group=channels,
        )
        tops.append(c.seen(y, (items, *top[axis:]), top))
    return tops


@converts("NdPooling", "Pooling", "Pooling3D")
def pooling(c: Conversion) -> list[str]:
    windows: Windows = c.layer.windows_over(c.shapes[0][2:])
    for out, stride, extent, pad in zip(
        windows.outputs, windows.stride, windows.inputs, windows.pad, strict=True
    ):
        if (out - 1) * stride >= extent + pad:
            raise OnnxError(
                "has a last window that begins outside of the plane", ("pooling_param", "stride")
            )
    if c.layer.method == PoolingParameter.MAX:
        return _max_pool(c, windows)
    if c.layer.method in (PoolingParameter.AVE, PoolingParameter.AVE_EXC_PAD):
        y = _average_pool(c, windows)
        if getattr(c.layer, "divides_anew", False):
            y = c.op("Mul", y, c.constant(c.layer.share_over(c.shapes[0][2:])))
        return [y]
    return [_weighed_pool(c, windows)]


def _frame(windows: Windows) -> dict[str, Any]:
    """The windows as ONNX's attributes.

    Caffe rounds the number of windows up and drops one that begins outside, so the end padding is
    what the last window needs, not the value in the text.
    """
    behind = [
        max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - extent - pad)
        for out, stride, dilation, kernel, extent, pad in zip(
            windows.outputs, windows.stride, windows.dilation, windows.kernel, windows.inputs,
            windows.pad, strict=True,
        )
    ]  # fmt: skip
    apart = {"dilations": list(windows.dilation)} if max(windows.dilation) > 1 else {}
    return {
        "kernel_shape": list(windows.kernel),
        "strides": list(windows.stride),
        "pads": [*windows.pad, *behind],
        **apart,
    }


def _max_pool(c: Conversion, windows: Windows) -> list[str]:
    if len(c.top_shapes) == 1:
        return [c.op("MaxPool", c.bottoms[0], **_frame(windows))]
    y, places = c.op("MaxPool", c.bottoms[0], outputs=2, **_frame(windows))
    # ONNX indexes the whole blob, Caffe the plane.
    plane = c.constant(math.prod(windows.inputs), np.int64)
    return [y, c.cast(c.op("Mod", places, plane))]


def _average_pool(c: Conversion, windows: Windows) -> str:
    if not any(windows.pad):
        # Some engines ignore count_include_pad. Without it, the mean is over what is in the plane.
        return str(c.op("AveragePool", c.bottoms[0], **_frame(windows)))
    y = c.op("AveragePool", c.bottoms[0], count_include_pad=1, **_frame(windows))
    sizes = [
        np.minimum(np.arange(out) * stride - pad + kernel, extent + pad)
        - (np.arange(out) * stride - pad)
        for out, stride, kernel, extent, pad in zip(
            windows.outputs, windows.stride, windows.kernel, windows.inputs, windows.pad,
            strict=True,
        )
    ]  # fmt: skip
    share = math.prod(windows.kernel) / reduce(np.multiply.outer, sizes)
    if (share == 1).all():
        return str(y)
    # Caffe divides by the part of the window inside the padded plane.
    return str(c.op("Mul", y, c.constant(share)))


def _weighed_pool(c: Conversion, windows: Windows) -> str:
    """Stochastic pooling in phase TEST: the mean of the values weighted by themselves."""
    x, frame = c.bottoms[0], _frame(windows)
    squares = c.op("AveragePool", c.op("Mul", x, x), count_include_pad=1, **frame)
    mean = c.op("AveragePool", x, count_include_pad=1, **frame)
    tiny = c.constant(np.finfo(np.float32).tiny)
    return str(c.op("Div", squares, c.op("Max", mean, tiny)))


@converts("SPP")
def pyramid(c: Conversion) -> str:
    parts = []
    for layer in c.layer.levels(c.shapes[0]):
        level = part_of(c, layer, c.bottoms)
        (y,) = pooling(level)
        shape = level.top_shapes[0]
        parts.append(c.reshape(y, (shape[0], math.prod(shape[1:]))))
    return parts[0] if len(parts) == 1 else str(c.op("Concat", *parts, axis=1))


@converts("Interp", "ResizeBilinear", "ResizeNearestNeighbor")
def interp(c: Conversion) -> str:
    """Two matrix products, as in the layer; the matrices include cropping."""
    (height, width), (rows, columns) = c.shapes[0][2:], c.top_shapes[0][2:]
    wide = c.op("MatMul", c.bottoms[0], c.constant(c.layer.mixture(width, columns).T))
    return str(c.op("MatMul", c.constant(c.layer.mixture(height, rows)), wide))


@converts("LocallyConnected")
def locally_connected(c: Conversion) -> list[str]:
    """The windows are gathered, and multiplied place by place."""
    layer, shape, top = c.layer, c.shapes[0], c.top_shapes[0]
    axis = layer.channel_axis(c.shapes)
    windows, items = layer.windows(shape[axis + 1 :]), math.prod(shape[:axis])
    sides = [0, 0, *windows.pad]
    padded = tuple(i + 2 * p for i, p in zip(windows.inputs, windows.pad, strict=True))
    free = replace(windows, inputs=padded, pad=(0,) * len(padded))
    places = math.prod(windows.outputs)
    seen = np.zeros((shape[axis], *windows.kernel, *windows.outputs), np.int64)
    free.im2col(np.arange(math.prod((shape[axis], *padded))).reshape(shape[axis], *padded), seen)
    indices = c.integers(seen.reshape(-1, places).T.reshape(-1).tolist())
    weight = c.values(0).reshape(places, layer.outputs, -1).transpose(0, 2, 1)
    tops = []
    for bottom in c.bottoms:
        x = c.op("Pad", c.seen(bottom, shape, (items, *shape[axis:])), c.integers(sides * 2))
        flat = c.seen(x, (items, shape[axis], *padded), (items, shape[axis] * math.prod(padded)))
        rows = c.op("Gather", flat, indices, axis=1)
        rows = c.seen(rows, (items, seen.size), (items, places, seen.size // places))
        y = c.op("MatMul", c.op("Transpose", rows, perm=[1, 0, 2]), c.constant(weight))
        y = c.op("Transpose", y, perm=[1, 2, 0])
        if layer.settings.bias_term:
            y = c.op("Add", y, c.constant(c.values(1).reshape(layer.outputs, places)))
        tops.append(c.seen(y, (items, layer.outputs, places), top))
    return tops


@converts("KMaxPooling")
def greatest(c: Conversion) -> str:
    """The places of the greatest values, sorted, tell which values are taken."""
    layer, shape = c.layer, c.shapes[0]
    axis, k = layer.axis(shape, c.spec.k_max_pooling_param.axis), c.integers([layer.k])
    _, places = c.op("TopK", c.bottoms[0], k, outputs=2, axis=axis)
    ordered, _ = c.op("TopK", places, k, outputs=2, axis=axis, largest=0)
    return str(c.op("GatherElements", c.bottoms[0], ordered, axis=axis))


@converts("AdaptivePooling")
def adaptive(c: Conversion) -> str:
    """Means are matrix products; for maxima the windows are put side by side."""
    if c.layer.is_mean:
        return str(interp(c))
    shape, size, y = c.shapes[0], c.layer.size, c.bottoms[0]
    kernel = []
    for axis, extent, out in zip((2, 3), shape[2:], size, strict=True):
        places = picked(extent, out)
        kernel.append(len(places) // out)
        y = c.op("Gather", y, c.integers(places.tolist()), axis=axis)
    return str(c.op("MaxPool", y, kernel_shape=kernel, strides=kernel))


@converts("Upsample")
def upsample(c: Conversion) -> str:
    shape, top = c.shapes[0], c.top_shapes[0]
    planes, (height, width) = math.prod(shape[:2]), shape[2:]
    if len(c.bottoms) == 1:
        down, across = c.layer.scale
        x = c.reshape(c.bottoms[0], (planes, height, 1, width, 1))
        y = c.op("Expand", x, c.integers([1, 1, down, 1, across]))
        return c.reshape(y, top)
    return _placed(c)


@converts("Unpooling")
def unpool(c: Conversion) -> str:
    if len(c.bottoms) == 1:
        raise OnnxError(
            "has no mask, and is not converted without one",
            ("unpooling_param",),
            "name the second top of the Pooling that it undoes as its second bottom",
        )
    return _placed(c)


def _placed(c: Conversion) -> str:
    """Scatter each value to the index in the second bottom; other elements are 0."""
    shape, top = c.shapes[0], c.top_shapes[0]
    rows = (math.prod(shape[:2]), math.prod(shape[2:]))
    x = c.reshape(c.bottoms[0], rows)
    places = c.cast(c.reshape(c.bottoms[1], rows), TensorProto.INT64)
    size = c.op("Concat", c.op("Shape", x, end=1), c.integers([math.prod(top[2:])]), axis=0)
    zeros = c.op("Expand", c.constant(0.0), size)
    return c.reshape(c.op("ScatterElements", zeros, places, x, axis=1), top)


@converts("PriorBox")
def prior_boxes(c: Conversion) -> str:
    """A constant: boxes depend on shapes only."""
    boxes = np.empty(c.top_shapes[0], np.float32)
    c.layer.build(c.shapes)
    c.layer.forward([], [boxes])
    return str(c.op("Identity", c.constant(boxes)))


@converts("ROIPooling")
def roi_pooling(c: Conversion) -> str:
    param, regions = c.spec.roi_pooling_param, c.shapes[1]
    rois = c.seen(c.bottoms[1], regions, (regions[0], 5))
    if param.pad_ratio:
        # x1 - (x2 - x1 + 1) pad and x2 + (x2 - x1 + 1) pad, and y likewise
        moves, ends, pad = np.eye(5), ((1, 3), (2, 4)), param.pad_ratio
        for first, last in ends:
            moves[[first, last], [first, last]] += pad
            moves[[last, first], [first, last]] -= pad
        margins = np.array([0, -pad, -pad, pad, pad], np.float32)
        rois = c.op("Gemm", rois, c.constant(moves.astype(np.float32)), c.constant(margins))
    return str(
        c.op(
            "MaxRoiPool",
            c.bottoms[0],
            rois,
            pooled_shape=[param.pooled_h, param.pooled_w],
            spatial_scale=param.spatial_scale,
        )
    )


@converts("ROIAlign")
def roi_align(c: Conversion) -> str:
    regions, (rows, columns) = c.shapes[1], c.layer.size
    rois = c.seen(c.bottoms[1], regions, (regions[0], 5))
    images = c.reshape(c.op("Gather", rois, c.integers([0]), axis=1), (regions[0],))
    return str(
        c.op(
            "RoiAlign",
            c.bottoms[0],
            c.op("Gather", rois, c.integers([1, 2, 3, 4]), axis=1),
            c.cast(images, TensorProto.INT64),
            coordinate_transformation_mode="output_half_pixel",
            output_height=rows,
            output_width=columns,
            sampling_ratio=c.layer.points,
            spatial_scale=float(c.layer.scale),
        )
    )
