"""Layers that upsample or resize planes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.product import BatchProduct
from protonet.kernels.rows import take_rows
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register


class MaskUnpooling(Layer):
    """Base of layers that scatter values to the indices in a mask, the second bottom."""

    bottoms = (1, 2)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset())
    sized_by = ""
    """The fields that give the size of the top."""

    def check_mask(self, shapes: Sequence[Shape]) -> None:
        """Raise LayerError unless x has 4 axes, and the mask its shape."""
        shape = shapes[0]
        check_planes(self, shape)
        if len(shapes) == 2 and shapes[1] != shape:
            names = self.spec.bottom
            raise LayerError(
                f"expected a mask of the shape of '{names[0]}', {shape_text(shape)}, got "
                f"'{names[1]}' {shape_text(shapes[1])}",
                ("bottom", 1),
            )

    def build_indices(self, shape: Shape, size: Shape) -> None:
        """Allocate the indices of values of ``shape`` in planes of ``size``."""
        planes = shape[0] * shape[1]
        self._size, self._plane = size, math.prod(size)
        self._planes = (planes, math.prod(shape[2:]))
        self._indices = self.scratch(self._planes, np.int64)
        self._starts = self.scratch((planes, 1), np.int64)
        self.device.put_lazily(lambda: np.arange(planes) * self._plane, self._starts)

    def scatter(self, x: Array, mask: Array, y: Array) -> None:
        """Write zeros to ``y``, and each value of ``x`` at its index."""
        xp, indices = self.xp, self._indices
        if self.device.is_cpu:
            low, high = mask.min(), mask.max()
            if not (low > -1 and high < self._plane):
                raise LayerError(
                    f'layer "{self.name}" ({self.type}): index '
                    f"{low if not low > -1 else high:g} in '{self.spec.bottom[1]}' is not one of 0 "
                    f"to {self._plane - 1}, those of a plane of {shape_text(self._size)}",
                    ("bottom", 1),
                    f"the top must have the size of the pooled blob: see {self.sized_by}",
                )
        xp.copyto(indices, mask.reshape(self._planes), casting="unsafe")
        xp.add(indices, self._starts, out=indices)
        y.fill(0)
        y.reshape(-1)[indices.reshape(-1)] = x.reshape(-1)

    def gather(self, dy: Array, dx: Array) -> None:
        """Write to ``dx`` the values of ``dy`` at the indices of the last ``scatter``."""
        take_rows(self.xp, dy.reshape(-1), self._indices.reshape(-1), dx.reshape(-1))


@register("Upsample")
class Upsample(MaskUnpooling):
    """With a mask, unpooling: y is 0 but for y[mask[i]] = x[i] in each plane; dx[i] = dy[mask[i]].
    Without one, each value is repeated: y[i, j] = x[i / scale_h, j / scale_w], rounded down;
    dx = the sum of dy over the repeats.

    Bottom:
        0: x, N x C x H x W.
        1 (optional): mask, the shape of x: indices into a plane of y, counted from 0, as the second
        top of a MAX Pooling gives them. Gets no gradient.
    Top:
        y: N x C x upsample_h x upsample_w; else N x C x (H scale_h) x (W scale_w), less 1 where
        pad_out_h or pad_out_w is true.
    Params:
        none.
    Spec:
        upsample_param: upsample_h and upsample_w, or scale (2), or scale_h and scale_w;
        pad_out_h, pad_out_w (false). Without a mask, a scale only.
    Raises:
        LayerError: for one of a pair without the other, scale with scale_h, a size of 0,
        pad_out with another scale than 2, sizes without a mask, bottoms of invalid shapes, and,
        while running on the CPU, an index outside the plane.
    Differs:
        BVLC Caffe has no such layer. With a mask it is SegNet's, without one that of forks for
        YOLO. A scale of 1 is accepted. An index that occurs twice holds the value that comes
        last (on a GPU, any of them), and each of them gets the gradient, as in SegNet.
    """

    traits = replace(MaskUnpooling.traits, low_precision=LowPrecision.WITH_BOTTOMS)
    sized_by = "upsample_h and upsample_w"

    def setup(self) -> None:
        param, path = self.spec.upsample_param, "upsample_param"
        for name in ("upsample", "scale"):
            given = [part for part in "hw" if param.HasField(f"{name}_{part}")]
            if len(given) == 1:
                missing = "w" if given[0] == "h" else "h"
                raise LayerError(
                    f"{name}_{given[0]} needs {name}_{missing} as well",
                    (path, f"{name}_{given[0]}"),
                )
        if param.HasField("scale") and param.HasField("scale_h"):
            raise LayerError("expected scale, or scale_h and scale_w, got both", (path, "scale"))
        self.size = (param.upsample_h, param.upsample_w) if param.HasField("upsample_h") else None
        self.scale = (param.scale, param.scale)
        if param.HasField("scale_h"):
            self.scale = (param.scale_h, param.scale_w)
        self.pad_out = (int(param.pad_out_h), int(param.pad_out_w))
        for name, values in (("upsample", self.size), ("scale", self.scale)):
            if values is not None and not all(values):
                one = name == "scale" and param.HasField("scale")
                field = name if one else f"{name}_{'hw'[values.index(0)]}"
                raise LayerError(f"expected {field} of 1 or more, got 0", (path, field))
        self._check_pads()

    def _check_pads(self) -> None:
        """Raise LayerError for settings that contradict the form (with or without a mask)."""
        path = "upsample_param"
        if len(self.spec.bottom) == 1 and (self.size or any(self.pad_out)):
            name = "upsample_h" if self.size else f"pad_out_{'hw'[self.pad_out.index(1)]}"
            raise LayerError(
                f"{name} needs a second bottom, the mask; without one there is only the scale",
                (path, name),
            )
        for part, pad, scale in zip("hw", self.pad_out, self.scale, strict=True):
            if self.size is None and pad and scale != 2:
                raise LayerError(
                    f"pad_out_{part} needs a scale of 2, got {scale}",
                    (path, f"pad_out_{part}"),
                    "give the size by upsample_h and upsample_w",
                )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        self.check_mask(shapes)
        size = self.size or tuple(
            extent * scale - pad
            for extent, scale, pad in zip(shape[2:], self.scale, self.pad_out, strict=True)
        )
        return [(*shape[:2], *size)]

    def build(self, shapes: Sequence[Shape]) -> None:
        (items, channels, height, width), (y_shape,) = shapes[0], self.infer(shapes)
        self._repeated = (items * channels, height, self.scale[0], width, self.scale[1])
        if len(shapes) == 2:
            self.build_indices(shapes[0], y_shape[2:])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, y = bottoms[0], tops[0]
        if len(bottoms) == 1:
            once = x.reshape(*self._repeated[:2], 1, self._repeated[3], 1)
            self.xp.copyto(y.reshape(self._repeated), once)
        else:
            self.scatter(x, bottoms[1], y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dx = dbottoms[0]
        if dx is None:
            return
        if len(dbottoms) == 1:
            dy = dtops[0].reshape(self._repeated)
            dy.sum(axis=(2, 4), out=dx.reshape(self._repeated[0], *self._repeated[1:4:2]))
        else:
            self.gather(dtops[0], dx)


@register("Interp")
class Interp(Layer):
    """Bilinear resizing with aligned corners: y = R x C^T in each plane.

    Row i of R mixes rows floor(p) and floor(p) + 1 of x, p = i (H - 1) / (out - 1), by the
    fraction of p (p = 0 where out is 1); C does the same for columns. Gradient: dx = R^T dy C.

    Bottom:
        x: N x C x H x W.
    Top:
        y: N x C x out x out. After cropping, an extent i becomes, by what is given:
        shrink_factor: floor((i - 1) / shrink_factor) + 1; zoom_factor: i + (i - 1)
        (zoom_factor - 1); height and width; both factors: shrunk, then zoomed.
    Params:
        none.
    Spec:
        interp_param: height and width, zoom_factor, shrink_factor; pad_beg, pad_end (0; a
        negative number crops x on all sides), use_blob_size (false: H and W of a second bottom,
        which gets no gradient).
    Raises:
        LayerError: without a size, for height without width, a size or factor below 1, a pad
        above 0, a second bottom without use_blob_size, or with another size, or when x has not 4
        axes or is cropped away.
    Differs:
        BVLC Caffe has no such layer; this is the one of DeepLab and PSPNet. A value that is not
        finite spreads over its row and column.
    """

    bottoms = (1, 2)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset(), low_precision=LowPrecision.WITH_BOTTOMS)

    def setup(self) -> None:
        param, path = self.spec.interp_param, "interp_param"
        for name in ("pad_beg", "pad_end"):
            if getattr(param, name) > 0:
                raise LayerError(
                    f"expected a {name} of 0 or less, which crops, got {getattr(param, name)}",
                    (path, name),
                )
        factors = [name for name in ("shrink_factor", "zoom_factor") if param.HasField(name)]
        sizes = [name for name in ("height", "width") if param.HasField(name)]
        self.by_blob = param.use_blob_size
        if self.by_blob != (len(self.spec.bottom) > 1) or (self.by_blob and (factors or sizes)):
            raise LayerError(
                "a second bottom, whose size y gets, goes with use_blob_size: true and no other "
                "size",
                (path,),
            )
        if self.by_blob:
            self.factors = []
            return
        if not factors and len(sizes) < 2:
            raise LayerError(
                "expected height and width, zoom_factor or shrink_factor, got "
                + (f"{sizes[0]} alone" if sizes else "none of them"),
                (path, *sizes),
            )
        # A single factor takes precedence over height and width, as in the forks; both do not.
        self.factors = factors if len(sizes) < 2 or len(factors) == 1 else []
        for name in self.factors or sizes:
            if getattr(param, name) < 1:
                raise LayerError(
                    f"expected {name} of 1 or more, got {getattr(param, name)}", (path, name)
                )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, param = shapes[0], self.spec.interp_param
        check_planes(self, shape)
        crop = param.pad_beg + param.pad_end
        extents = [extent + crop for extent in shape[2:]]
        if min(extents) < 1:
            raise LayerError(
                f"cropping by {-crop} leaves nothing of a plane of {shape_text(shape[2:])}",
                ("bottom", 0),
            )
        if self.by_blob:
            if len(shapes[1]) != 4:
                raise LayerError(
                    f"expected 4 axes, got '{self.spec.bottom[1]}' {shape_text(shapes[1])}",
                    ("bottom", 1),
                )
            return [(*shape[:2], *shapes[1][2:])]
        if not self.factors:
            return [(*shape[:2], param.height, param.width)]
        if "shrink_factor" in self.factors:
            extents = [(extent - 1) // param.shrink_factor + 1 for extent in extents]
        if "zoom_factor" in self.factors:
            extents = [extent + (extent - 1) * (param.zoom_factor - 1) for extent in extents]
        return [(*shape[:2], *extents)]

    def build(self, shapes: Sequence[Shape]) -> None:
        (y_shape,) = self.infer(shapes)
        sizes = zip(shapes[0][2:], y_shape[2:], strict=True)
        self.build_products(shapes[0], y_shape, [partial(self.mixture, *size) for size in sizes])

    def build_products(
        self, x_shape: Shape, y_shape: Shape, mixtures: Sequence[Callable[[], np.ndarray]]
    ) -> None:
        """Prepare the products with the matrices of both axes, out x extent."""
        planes = math.prod(y_shape[:2])
        self._x_shape, self._y_shape = (planes, *x_shape[2:]), (planes, *y_shape[2:])
        self._wide = self.scratch((planes, x_shape[2], y_shape[3]))
        self._mix = []
        for extent, out, mixture in zip(x_shape[2:], y_shape[2:], mixtures, strict=True):
            mix = self.scratch((out, extent))
            self.device.put_lazily(mixture, mix)
            self._mix.append(mix)
        (_, height, width), (_, high, wide) = self._x_shape, self._y_shape

        def product(rows: int, inner: int, columns: int) -> BatchProduct:
            return BatchProduct.make(self.device, self.dtype, planes, rows, inner, columns)

        self._widen, self._heighten = product(height, width, wide), product(high, height, wide)
        self._lower, self._narrow = product(height, high, wide), product(height, wide, width)

    def mixture(self, extent: int, out: int) -> np.ndarray:
        """The matrix that resizes one axis: out x extent."""
        first, param = -self.spec.interp_param.pad_beg, self.spec.interp_param
        last = extent - 1 + param.pad_end
        # In integers, so that positions on a value take it exactly.
        steps, rest = np.divmod(np.arange(out) * (last - first), max(out - 1, 1))
        low, share = first + steps, rest / max(out - 1, 1)
        matrix = np.zeros((out, extent))
        places = np.arange(out)
        matrix[places, low] = 1 - share
        matrix[places, np.minimum(low + 1, last)] += share
        return matrix

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        wide, (rows, columns) = self._wide, self._mix
        x = bottoms[0].reshape(self._x_shape)
        self._widen.forward(x, columns, wide, transpose_b=True)
        self._heighten.forward(rows, wide, tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.mix_back(dtops[0], dbottoms[0])

    def mix_back(self, dy: Array, dx: Array) -> None:
        """Write the gradient of the planes that were mixed."""
        wide, (rows, columns) = self._wide, self._mix
        self._lower.forward(rows, dy.reshape(self._y_shape), wide, transpose_a=True)
        self._narrow.forward(wide, columns, dx)


def check_planes(layer: Layer, shape: Shape) -> None:
    """Raise LayerError unless a bottom has 4 axes."""
    if len(shape) != 4:
        raise LayerError(
            f"expected 4 axes, N x C x H x W, got '{layer.spec.bottom[0]}' {shape_text(shape)}",
            ("bottom", 0),
        )
