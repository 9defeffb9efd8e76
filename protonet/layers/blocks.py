"""Blocks of pixels that become channels or items, of Synopsys' fork."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register

_MOVES = Traits(
    backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True
)


@register("DepthToSpace")
class DepthToSpace(Layer):
    """Each pixel's channels become a square of block_size x block_size pixels.

    With b = block_size and C channels of y: y[n, c, b i + p, b j + q] is x[n, (b p + q) C + c,
    i, j] for NCHW and DCR, and x[n, (c b + p) b + q, i, j] for CRD. NHWC is as NCHW, with the
    channels last. Gradient: dx = dy, moved back.

    Bottom:
        x: N x (b b C) x H x W; for NHWC N x H x W x (b b C).
    Top:
        y: N x C x (b H) x (b W); for NHWC N x (b H) x (b W) x C.
    Params:
        none.
    Spec:
        depth_to_space_param: block_size (required), data_format (NHWC).
    Raises:
        LayerError: without block_size, for another data_format, or channels that are no multiple
        of block_size block_size.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient.
    """

    traits = _MOVES

    def setup(self) -> None:
        param = self.spec.depth_to_space_param
        self.block, self.form = int(param.block_size), param.data_format
        if self.block < 1:
            raise LayerError(
                f"expected block_size of 1 or more, got {self.block}",
                ("depth_to_space_param", "block_size")
                if param.HasField("block_size")
                else ("depth_to_space_param",),
            )
        if self.form not in ("NHWC", "NCHW", "DCR", "CRD"):
            raise LayerError(
                f"unknown data_format '{self.form}'; there are NHWC, NCHW, DCR, CRD",
                ("depth_to_space_param", "data_format"),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, last, b = shapes[0], self.form == "NHWC", self.block
        if len(shape) != 4 or shape[3 if last else 1] % b**2:
            form = "N x H x W x C" if last else "N x C x H x W"
            raise LayerError(
                f"expected {form} with C a multiple of {b**2}, got '{self.spec.bottom[0]}' "
                f"{shape_text(shape)}",
                ("bottom", 0),
            )
        if last:
            return [(shape[0], shape[1] * b, shape[2] * b, shape[3] // b**2)]
        return [(shape[0], shape[1] // b**2, shape[2] * b, shape[3] * b)]

    def build(self, shapes: Sequence[Shape]) -> None:
        (n, *rest), b = shapes[0], self.block
        if self.form == "NHWC":
            height, width, channels = rest[0], rest[1], rest[2] // b**2
            self._split: Shape = (n, height, width, b, b, channels)
            self._order = (0, 1, 3, 2, 4, 5)
            self._joined: Shape = (n, height, b, width, b, channels)
            return
        channels, height, width = rest[0] // b**2, rest[1], rest[2]
        if self.form == "CRD":
            self._split, self._order = (n, channels, b, b, height, width), (0, 1, 4, 2, 5, 3)
        else:
            self._split, self._order = (n, b, b, channels, height, width), (0, 3, 4, 1, 5, 2)
        self._joined = (n, channels, height, b, width, b)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        moved = bottoms[0].reshape(self._split).transpose(self._order)
        self.xp.copyto(tops[0].reshape(self._joined), moved)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            moved = dbottoms[0].reshape(self._split).transpose(self._order)
            self.xp.copyto(moved, dtops[0].reshape(self._joined))


class _Blocks(Layer):
    """Base: space, padded or cropped, and the items that its pixels are shared out to."""

    traits = _MOVES
    field: ClassVar[str]
    sides: ClassVar[str]

    def setup(self) -> None:
        param = getattr(self.spec, self.field)
        self.blocks, borders = list(param.block_shape), list(getattr(param, self.sides))
        if not self.blocks or 0 in self.blocks:
            raise LayerError(
                f"expected a block_shape of numbers above 0, got {self.blocks or 'none'}",
                (self.field,),
            )
        if len(borders) != 2 * len(self.blocks):
            raise LayerError(
                f"expected two {self.sides} for each of {len(self.blocks)} block_shape, got "
                f"{len(borders)}",
                (self.field,),
            )
        self.before, self.after = borders[::2], borders[1::2]

    def check_axes(self, shape: Shape) -> None:
        """LayerError unless there is an axis for each block, after that of items."""
        if len(shape) <= len(self.blocks):
            raise LayerError(
                f"expected {len(self.blocks) + 1} axes or more for {len(self.blocks)} "
                f"block_shape, got '{self.spec.bottom[0]}' {shape_text(shape)}",
                ("bottom", 0),
            )

    def lay_out(self, space: Shape, items: Shape) -> None:
        """Prepare the moves between ``space`` (unpadded) and ``items``."""
        count = len(self.blocks)
        padded: Shape = (
            space[0],
            *(items[1 + i] * self.blocks[i] for i in range(count)),
            *space[1 + count :],
        )
        self._padded = self.scratch(padded)
        self._inside = tuple(
            slice(self.before[i], self.before[i] + space[1 + i]) for i in range(count)
        )
        self._split: Shape = (
            space[0],
            *(part for i in range(count) for part in (items[1 + i], self.blocks[i])),
            *space[1 + count :],
        )
        spaces = [1 + 2 * i for i in range(count)]
        rest = range(1 + 2 * count, len(self._split))
        self._order = (*(each + 1 for each in spaces), 0, *spaces, *rest)
        self._joined: Shape = (*self.blocks, space[0], *items[1:])

    def share_out(self, space: Array, items: Array) -> None:
        """Write the pixels of ``space`` to ``items``; borders are 0."""
        self._padded.fill(0)
        self.xp.copyto(self._padded[(slice(None), *self._inside)], space)
        moved = self._padded.reshape(self._split).transpose(self._order)
        self.xp.copyto(items.reshape(self._joined), moved)

    def gather(self, items: Array, space: Array) -> None:
        """Write the pixels of ``items`` to ``space``, without borders."""
        moved = self._padded.reshape(self._split).transpose(self._order)
        self.xp.copyto(moved, items.reshape(self._joined))
        self.xp.copyto(space, self._padded[(slice(None), *self._inside)])


@register("SpaceToBatchND")
class SpaceToBatchND(_Blocks):
    """Each place in a block of pixels becomes items of its own, of the pixels there.

    The axes after the first, one for each of block_shape, are padded with zeros; item
    (p N + n), where p counts the places in a block, last axis fastest, has every block's pixel at
    p. Gradient: dx = dy, moved back.

    Bottom:
        x: N x D1 x D2 x ..., with D + paddings a multiple of the block.
    Top:
        y: (N B) x (padded D1 / block 1) x ..., with B pixels in a block.
    Params:
        none.
    Spec:
        space_to_batch_nd_param: block_shape (required), paddings (before and after, of each axis).
    Raises:
        LayerError: for another number of paddings, blocks of 0, too few axes, or axes that are no
        multiple of the block.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient.
    """

    field = "space_to_batch_nd_param"
    sides = "paddings"

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        self.check_axes(shape)
        extents = list(shape)
        extents[0] *= math.prod(self.blocks)
        for place, block in enumerate(self.blocks):
            whole = shape[1 + place] + self.before[place] + self.after[place]
            if whole % block:
                raise LayerError(
                    f"expected axis {1 + place} with its paddings, {whole}, to be a multiple of "
                    f"block_shape {block}",
                    (self.field, "block_shape", place),
                )
            extents[1 + place] = whole // block
        return [tuple(extents)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self.lay_out(shapes[0], self.infer(shapes)[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.share_out(bottoms[0], tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.gather(dtops[0], dbottoms[0])


@register("BatchToSpaceND")
class BatchToSpaceND(_Blocks):
    """The inverse of SpaceToBatchND: items become the places in blocks of pixels, then cropped.

    Gradient: dx = dy, moved back, and 0 for what is cropped.

    Bottom:
        x: (N B) x D1 x D2 x ..., with B pixels in a block.
    Top:
        y: N x (D1 block 1 - crops) x ....
    Params:
        none.
    Spec:
        batch_to_space_nd_param: block_shape (required), crops (before and after, of each axis).
    Raises:
        LayerError: for another number of crops, blocks of 0, too few axes, items that are no
        multiple of B, or crops that leave nothing.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient.
    """

    field = "batch_to_space_nd_param"
    sides = "crops"

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, extents = shapes[0], list(shapes[0])
        self.check_axes(shape)
        pixels = math.prod(self.blocks)
        if shape[0] % pixels:
            raise LayerError(
                f"expected a multiple of {pixels} items in '{self.spec.bottom[0]}', got "
                f"{shape_text(shape)}",
                ("bottom", 0),
            )
        extents[0] //= pixels
        for place, block in enumerate(self.blocks):
            cut = self.before[place] + self.after[place]
            extents[1 + place] = shape[1 + place] * block - cut
            if extents[1 + place] < 1:
                raise LayerError(
                    f"crops of {cut} leave nothing of {shape[1 + place] * block} pixels along "
                    f"axis {1 + place}",
                    (self.field, "crops", 2 * place),
                )
        return [tuple(extents)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self.lay_out(self.infer(shapes)[0], shapes[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.gather(bottoms[0], tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.share_out(dtops[0], dbottoms[0])
