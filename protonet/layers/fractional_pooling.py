"""FractionalPooling: the maxima of windows at random places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.rows import take_rows
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.limits import check_numbers
from protonet.layers.registry import register

_PARAM = "fractional_pooling_param"


@register("FractionalPooling")
class FractionalPooling(Layer):
    """y = max of windows whose distances alternate at random, so that the top may have any size
    (Graham, 2014). dx = dy where the maximum was (the first wins).

    Along each axis of a channel, window i begins at floor((i + u) a) - floor(u a), with
    a = (extent - kernel) / (out - 1) and one random number u of [0, 1); the last one ends with the
    axis.

    Bottom:
        x: N x C x one axis for each kernel_size.
    Top:
        y: N x C x output_size; or the extents times output_ratio, rounded down.
    Params:
        none.
    Spec:
        fractional_pooling_param: kernel_size (one for each axis), output_size or output_ratio
        (as many).
    Raises:
        LayerError: for a kernel_size of 0, both or none of the two, other numbers of them or of
        axes, a ratio that is not between 0 and 1, or windows and a top that are too large.
    Differs:
        Caffe has no such layer; Torch7 has. The random numbers are protonet's.
    """

    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        param = self.spec.fractional_pooling_param
        self.kernel = tuple(param.kernel_size)
        check_numbers(self.kernel, (_PARAM, "kernel_size"))
        if not self.kernel or not all(self.kernel):
            raise LayerError(f"{_PARAM} needs kernel_size above 0", (_PARAM, "kernel_size"))
        self.sizes, self.ratios = tuple(param.output_size), tuple(param.output_ratio)
        given = self.sizes or self.ratios
        if bool(self.sizes) == bool(self.ratios) or len(given) != len(self.kernel):
            raise LayerError(
                f"{_PARAM} needs {len(self.kernel)} of output_size or of output_ratio, got "
                f"{len(self.sizes)} and {len(self.ratios)}",
                (_PARAM,),
            )
        if not all(0 < ratio < 1 for ratio in self.ratios) or 0 in self.sizes:
            raise LayerError(
                "expected output_size above 0, and output_ratio between 0 and 1", (_PARAM,)
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shape) != len(self.kernel) + 2:
            raise LayerError(
                f"expected a bottom of {len(self.kernel) + 2} axes, got {shape_text(shape)}",
                ("bottom", 0),
            )
        outputs = self.sizes or tuple(
            math.floor(extent * ratio) for extent, ratio in zip(shape[2:], self.ratios, strict=True)
        )
        for extent, kernel, out in zip(shape[2:], self.kernel, outputs, strict=True):
            if out < 1 or (extent and out + kernel - 1 > extent):
                raise LayerError(
                    f"{out} windows of {kernel} do not fit an axis of {extent}", ("bottom", 0)
                )
        return [(*shape[:2], *outputs)]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape, (top,) = shapes[0], self.infer(shapes)
        self._extents = shape[2:]
        self._numbers = self.scratch((*shape[:2], len(self.kernel)), np.float32)
        self._steps, self._starts, self._places_along = [], [], []
        for out in top[2:]:
            steps = self.scratch((out,), np.float32)
            self.device.put(np.arange(out, dtype=np.float32), steps)
            self._steps.append(steps)
            self._places_along.append(self.scratch((*shape[:2], out), np.float32))
            self._starts.append(self.scratch((*shape[:2], out), np.int64))
        self._shift = self.scratch((*shape[:2], 1), np.float32)
        self._corner, self._index, self._places = (self.scratch(top, np.int64) for _ in range(3))
        self._values, self._hits = self.scratch(top), self.scratch(top, bool)
        first = self.scratch((*shape[:2], *(1 for _ in self.kernel)), np.int64)
        planes = np.arange(math.prod(shape[:2])) * math.prod(self._extents)
        self.device.put(planes.reshape(first.shape), first)
        self._first = first

    def _begin(self) -> None:
        """Draw where windows begin, as indices of the bottom."""
        xp, corner = self.xp, self._corner
        self.random.uniform(self._numbers)
        xp.copyto(corner, self._first)
        for axis, (extent, kernel) in enumerate(zip(self._extents, self.kernel, strict=True)):
            steps, along, starts = (
                self._steps[axis], self._places_along[axis], self._starts[axis],
            )  # fmt: skip
            number, out = self._numbers[:, :, axis : axis + 1], along.shape[2]
            a = (extent - kernel) / max(out - 1, 1)
            xp.add(steps, number, out=along)
            xp.multiply(along, a, out=along)
            xp.floor(along, out=along)
            xp.multiply(number, a, out=self._shift)
            xp.floor(self._shift, out=self._shift)
            xp.subtract(along, self._shift, out=along)
            along[:, :, -1].fill(extent - kernel)
            xp.copyto(starts, along, casting="unsafe")
            xp.minimum(starts, extent - kernel, out=starts)
            xp.multiply(starts, math.prod(self._extents[axis + 1 :]), out=starts)
            seen = [1] * len(self.kernel)
            seen[axis] = out
            xp.add(corner, starts.reshape(*starts.shape[:2], *seen), out=corner)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, x, y, index, places = self.xp, bottoms[0], tops[0], self._index, self._places
        self._begin()
        y.fill(-np.inf)
        xp.copyto(places, self._corner)
        for place in product(*map(range, self.kernel)):
            offset = 0
            for each, extent in zip(place, self._extents, strict=True):
                offset = offset * extent + each
            xp.add(self._corner, offset, out=index)
            take_rows(xp, x.reshape(-1), index.reshape(-1), self._values.reshape(-1))
            xp.greater(self._values, y, out=self._hits)
            xp.copyto(y, self._values, where=self._hits)
            xp.copyto(places, index, where=self._hits)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            dbottoms[0].fill(0)
            self.xp.add.at(dbottoms[0].reshape(-1), self._places.reshape(-1), dtops[0].reshape(-1))
