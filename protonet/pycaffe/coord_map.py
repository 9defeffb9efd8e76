"""``caffe.coord_map``: maps coordinates of one blob to those of another, for crops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from protonet.pycaffe.net_spec import Top, layers

PASS_THROUGH = frozenset(
    {
        *("AbsVal", "BatchNorm", "Bias", "BNLL", "Clip", "Dropout", "ELU", "Eltwise", "Exp"),
        *("LRN", "Log", "MVN", "PReLU", "Power", "ReLU", "ReLU6", "Scale", "Sigmoid", "Split"),
        *("Swish", "TanH", "Threshold"),
    }
)
"""Types that keep coordinates."""

Axes = np.ndarray
Map = tuple[int | None, Any, Any]
"""The axis before the first that is mapped (None: all axes stay), factors and offsets:
place = factor * place + offset.
"""


class UndefinedMapException(Exception):  # noqa: N818  (its name in Caffe)
    """A layer without a coordinate map."""


class AxisMismatchException(Exception):  # noqa: N818  (its name in Caffe)
    """Maps over different axes."""


def conv_params(fn: Any) -> tuple[int, Axes, Axes, Axes]:
    """The axis of the channels, kernel extent, stride and pad of a convolution or pooling.

    Raises:
        AssertionError: for extents given by height and width, as in Caffe.
    """
    field = {"Pooling": "pooling_param"}.get(fn.type_name, "convolution_param")
    settings: Mapping[str, Any] = fn.params.get(field, fn.params)
    axis = settings.get("axis", 1)
    kernel = np.array(settings.get("kernel_size", 1), ndmin=1)
    dilation = np.array(settings.get("dilation", 1), ndmin=1)
    refused = {"pad_h", "pad_w", "kernel_h", "kernel_w", "stride_h", "stride_w"} & set(settings)
    if refused:
        raise AssertionError(
            f"{fn.type_name} with {', '.join(sorted(refused))} is not mapped: give kernel_size, "
            "stride and pad"
        )
    return (
        axis,
        (kernel - 1) * dilation + 1,
        np.array(settings.get("stride", 1), ndmin=1),
        np.array(settings.get("pad", 0), ndmin=1),
    )


def crop_params(fn: Any) -> tuple[int, Axes]:
    """The first cropped axis and the offsets of a Crop."""
    settings: Mapping[str, Any] = fn.params.get("crop_param", fn.params)
    return settings.get("axis", 2), np.array(settings.get("offset", 0), ndmin=1)


def coord_map(fn: Any) -> Map:
    """The map of one layer.

    Raises:
        UndefinedMapException: for a type that has none.
    """
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, kernel, stride, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, kernel, stride, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH:
        return None, 1, 0
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(fn.type_name)


def compose(base_map: Map, next_map: Map) -> Map:
    """First ``next_map``, then ``base_map``."""
    axis1, factor1, offset1 = base_map
    axis2, factor2, offset2 = next_map
    if axis1 is None:
        axis = axis2
    elif axis2 is None or axis1 == axis2:
        axis = axis1
    else:
        raise AxisMismatchException(f"axis {axis1} and axis {axis2}")
    return axis, factor1 * factor2, factor1 * offset2 + offset1


def inverse(coord: Map) -> Map:
    """The map back."""
    axis, factor, offset = coord
    return axis, 1 / factor, -offset / factor


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """How places of ``top_from`` lie in ``top_to``, by way of what both are made of.

    Raises:
        RuntimeError: where nothing connects them by layers that have a map, as in Caffe.
    """

    def bottoms(fn: Any) -> list[Top]:
        # The second bottom of a Crop gives a size, not places.
        return list(fn.inputs[:1] if fn.type_name == "Crop" else fn.inputs)

    maps: dict[Top, Map] = {top_from: (None, 1, 0)}
    pending = {top_from}
    while pending:
        top = pending.pop()
        try:
            for bottom in bottoms(top.fn):
                maps[bottom] = compose(maps[top], coord_map(top.fn))
                pending.add(bottom)
        except UndefinedMapException:
            pass
    reached: dict[Top, Map] = {top_to: (None, 1, 0)}
    pending = {top_to}
    while pending:
        top = pending.pop()
        if top in maps:
            return compose(reached[top], inverse(maps[top]))
        try:
            for bottom in bottoms(top.fn):
                reached[bottom] = compose(reached[top], coord_map(top.fn))
                pending.add(bottom)
        except UndefinedMapException:
            continue
    raise RuntimeError("no path of mapped layers connects the two blobs")


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop of ``top_from`` that lies on ``top_to``.

    Raises:
        AssertionError: where the two differ in scale, or the offset is negative or no whole
            number. Scripts for Caffe wait for this class.
        RuntimeError: where nothing connects them by layers that have a map.
    """
    axis, factor, offset = coord_map_from_to(top_from, top_to)
    factors, offsets = np.atleast_1d(factor), np.atleast_1d(offset)
    if (factors != 1).any():
        raise AssertionError(f"scale mismatch on crop (a = {factor})")
    if (offsets > 0).any():
        raise AssertionError(f"cannot crop negative offset (b = {offset})")
    if (np.round(offsets) != offsets).any():
        raise AssertionError(f"cannot crop noninteger offset (b = {offset})")
    made: Top = layers.Crop(
        top_from,
        top_to,
        crop_param={
            "axis": 2 if axis is None else axis + 1,
            "offset": [int(-each) for each in np.round(offsets)],
        },
    )
    return made
