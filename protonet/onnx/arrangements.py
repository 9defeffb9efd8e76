"""Converters of layers that only move data: reshape, transpose, slice, concatenate, gather."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from protonet.onnx.conversion import Conversion, OnnxError, converts
from protonet.proto.caffe_pb2 import PadParameter


@converts("Dropout", "Split")
def same(c: Conversion) -> list[str]:
    if c.spec.dropout_param.sample_weights_test:
        raise OnnxError(
            "draws at random, which a model cannot repeat",
            ("dropout_param", "sample_weights_test"),
            "without it, values pass as they are",
        )
    return c.bottoms[:1] * len(c.top_shapes)


@converts("Gather")
def gather(c: Conversion) -> list[str]:
    return c.bottoms


@converts("Silence")
def silence(_: Conversion) -> list[str]:
    return []


@converts("Pad")
def pad(c: Conversion) -> str:
    """First the border, then the cropping: values that are mirrored may be among the cropped."""
    param = c.layer.spec.pad_param
    before, after = list(param.paddings[::2]), list(param.paddings[1::2])
    border = c.constant([max(0, each) for each in (*before, *after)], np.int64)
    mode = PadParameter.Mode.Name(param.mode).lower()
    value = [c.constant(param.constant_values)] if mode == "constant" else []
    y = str(c.op("Pad", c.bottoms[0], border, *value, mode=mode))
    if min(before + after) >= 0:
        return y
    first = [max(0, -each) for each in before]
    last = [np.iinfo(np.int64).max if each >= 0 else each for each in after]
    axes = list(range(len(before)))
    return str(c.op("Slice", y, c.integers(first), c.integers(last), c.integers(axes)))


@converts("Flatten", "Reshape", "Squeeze")
def reshape(c: Conversion) -> str:
    if c.spec.reshape_param.pixelshuffler > 1:
        block = c.spec.reshape_param.pixelshuffler
        return str(c.op("DepthToSpace", c.bottoms[0], blocksize=block, mode="CRD"))
    return c.reshape(c.bottoms[0], c.top_shapes[0])


@converts("Concat")
def concat(c: Conversion) -> str:
    return str(c.op("Concat", *c.bottoms, axis=c.layer.axis_of(c.shapes[0])))


@converts("Slice")
def slices(c: Conversion) -> list[str]:
    axis = c.layer.axis_of(c.shapes[0])
    if len(c.top_shapes) == 1:
        return c.bottoms[:1]
    sizes = c.integers([shape[axis] for shape in c.top_shapes])
    parts: list[str] = c.op("Split", c.bottoms[0], sizes, outputs=len(c.top_shapes), axis=axis)
    return parts


@converts("Crop")
def crop(c: Conversion) -> str:
    x, top = c.shapes[0], c.top_shapes[0]
    axis = c.spec.crop_param.axis % len(x)
    starts = c.layer.offsets(len(x) - axis)
    ends = [start + extent for start, extent in zip(starts, top[axis:], strict=True)]
    axes = range(axis, len(x))
    return str(c.op("Slice", c.bottoms[0], c.integers(starts), c.integers(ends), c.integers(axes)))


@converts("Tile")
def tile(c: Conversion) -> str:
    repeats = [1] * len(c.shapes[0])
    repeats[c.layer.axis_of(c.shapes[0])] = c.layer.tiles
    return str(c.op("Tile", c.bottoms[0], c.integers(repeats)))


@converts("Permute")
def permute(c: Conversion) -> str:
    return str(c.op("Transpose", c.bottoms[0], perm=list(c.layer.order_of(c.shapes[0]))))


@converts("Flip")
@converts("Reverse")
def turn_round(c: Conversion) -> str:
    axes = sorted(c.layer.reversed_axes(c.shapes[0]))
    if not axes:
        return str(c.op("Identity", c.bottoms[0]))
    places = ([each] * len(axes) for each in (-1, -(2**63)))
    first, last = (c.integers(each) for each in places)
    return str(
        c.op("Slice", c.bottoms[0], first, last, c.integers(axes), c.integers([-1] * len(axes)))
    )


@converts("ShuffleChannel")
def shuffle_channels(c: Conversion) -> str:
    shape, group = c.shapes[0], c.spec.shuffle_channel_param.group
    inner = math.prod(shape[2:])
    x = c.reshape(c.bottoms[0], (shape[0], group, shape[1] // group, inner))
    return c.reshape(c.op("Transpose", x, perm=[0, 2, 1, 3]), shape)


@converts("Reorg")
def blocks_to_channels(c: Conversion) -> str:
    (items, channels, height, width), s = c.shapes[0], c.spec.reorg_param.stride
    planes = channels // s**2
    if c.spec.reorg_param.reverse:
        x = c.reshape(c.bottoms[0], (items, s, s, planes, height, width))
        moved = c.op("Transpose", x, perm=[0, 3, 4, 1, 5, 2])
        return c.reshape(moved, (items, planes, height * s, width * s))
    x = c.reshape(c.bottoms[0], (items, planes, height, s, width, s))
    moved = c.op("Transpose", x, perm=[0, 3, 5, 1, 2, 4])
    return c.reshape(moved, (items, channels * s**2, height // s, width // s))


@converts("BatchReindex")
def pick_items(c: Conversion) -> str:
    x, index = c.bottoms
    return str(c.op("Gather", x, c.cast(index, TensorProto.INT64), axis=0))


@converts("Filter")
def keep_items(c: Conversion) -> list[str]:
    *values, selector = c.bottoms
    marks = c.cast(c.reshape(selector, c.shapes[-1][:1]), TensorProto.BOOL)
    return [c.op("Compress", x, marks, axis=0) for x in values]


@converts("SeLuDropout")
def self_normalizing_dropout(c: Conversion) -> str:
    return c.bottoms[0]


@converts("DepthToSpace")
def channels_to_blocks(c: Conversion) -> str:
    layer, x = c.layer, c.bottoms[0]
    if layer.form != "NHWC":
        mode = "CRD" if layer.form == "CRD" else "DCR"
        return str(c.op("DepthToSpace", x, blocksize=layer.block, mode=mode))
    first = c.op("Transpose", x, perm=[0, 3, 1, 2])
    y = c.op("DepthToSpace", first, blocksize=layer.block, mode="DCR")
    return str(c.op("Transpose", y, perm=[0, 2, 3, 1]))


@converts("SpaceToBatchND")
def blocks_to_items(c: Conversion) -> str:
    """Places in a block come before items: the batch's axis is not the first one."""
    layer, shape, top = c.layer, c.shapes[0], c.top_shapes[0]
    rest = len(shape) - 1 - len(layer.blocks)
    sides = ((0, *each, *(0,) * rest) for each in (layer.before, layer.after))
    border = c.constant([each for side in sides for each in side], np.int64)
    split, order = _block_axes(layer, shape, top)
    x = c.reshape(c.op("Pad", c.bottoms[0], border), split)
    return c.reshape(c.op("Transpose", x, perm=list(order)), top)


@converts("BatchToSpaceND")
def items_to_blocks(c: Conversion) -> str:
    layer, shape, top = c.layer, c.shapes[0], c.top_shapes[0]
    split, order = _block_axes(layer, top, shape)
    whole = [shape[1 + place] * block for place, block in enumerate(layer.blocks)]
    x = c.reshape(c.bottoms[0], tuple(split[axis] for axis in order))
    moved = c.op("Transpose", x, perm=[order.index(axis) for axis in range(len(order))])
    padded = c.reshape(moved, (top[0], *whole, *top[1 + len(whole) :]))
    ends = [extent - cut for extent, cut in zip(whole, layer.after, strict=True)]
    axes = list(range(1, 1 + len(whole)))
    return str(c.op("Slice", padded, c.integers(layer.before), c.integers(ends), c.integers(axes)))


def _block_axes(
    layer: Any, space: tuple[int, ...], items: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padded space with its blocks as axes of their own, and the order of axes of items."""
    count = len(layer.blocks)
    parts = (part for i in range(count) for part in (items[1 + i], layer.blocks[i]))
    split = (space[0], *parts, *space[1 + count :])
    spaces = range(1, 2 * count, 2)
    return split, (*(each + 1 for each in spaces), 0, *spaces, *range(1 + 2 * count, len(split)))
