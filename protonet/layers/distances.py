"""InnerDistance: distances of items to points, of NormFace."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Traits, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.layers.rows import UnitRows

_PARAM = "inner_distance_param"


@register("InnerDistance")
class InnerDistance(Layer):
    """y[m, n] = |x_m - w_n|^2 (L2), or sum |x_m - w_n| (L1), for each item m and point n.

    Gradients: L2: dx_m = 2 sum_n dy (x_m - w_n), dw_n = 2 sum_m dy (w_n - x_m); L1: with
    sign(x_m - w_n) in place of twice the difference.

    Bottom:
        0: x, items before ``axis``, K values after it. 1 (optional): w, N x K.
    Top:
        y: the axes of x before ``axis``, then N.
    Params:
        0 (with one bottom): W, num_output x K.
    Spec:
        inner_distance_param: num_output (N, required with one bottom), weight_filler (constant 0),
        axis (1), distance_type (L2; or L1), normalize (false: each row of W is normalized to length
        1 in place before it is used). bias_term and bias_filler have no effect.
    Raises:
        LayerError: without num_output, for an axis out of range, a w of another shape, another
        distance_type, transpose, or update_center_only.
    Differs:
        BVLC Caffe has no such layer; this is the one of happynear/caffe-windows. Squares are
        |x|^2 + |w|^2 - 2 x w, never below 0.
    """

    bottoms = (1, 2)
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}), capturable=False)

    def setup(self) -> None:
        param = self.spec.inner_distance_param
        self.given = len(self.spec.bottom) > 1
        if not self.given and not param.num_output:
            raise LayerError(f"{_PARAM} needs num_output above 0", (_PARAM,))
        for name in ("transpose", "update_center_only"):
            if getattr(param, name):
                raise LayerError(f"{name} is not supported", (_PARAM, name))
        if param.distance_type not in ("L1", "L2"):
            raise LayerError(
                f"expected distance_type L1 or L2, got '{param.distance_type}'",
                (_PARAM, "distance_type"),
            )
        self.squared = param.distance_type == "L2"
        self.normalizes = param.normalize and not self.given

    def _extents(self, shapes: Sequence[Shape]) -> tuple[int, int, int, int]:
        """The axis, items, values per item, and points."""
        param = self.spec.inner_distance_param
        axis = self.axis(shapes[0], param.axis, (_PARAM, "axis"))
        items, values = math.prod(shapes[0][:axis]), math.prod(shapes[0][axis:])
        if self.given and (not shapes[1] or math.prod(shapes[1][1:]) != values):
            raise LayerError(
                f"expected points of {values} values in '{self.spec.bottom[1]}', as the items of "
                f"'{self.spec.bottom[0]}' ({shape_text(shapes[0])}), got {shape_text(shapes[1])}",
                ("bottom", 1),
            )
        return axis, items, values, shapes[1][0] if self.given else param.num_output

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis, _, _, points = self._extents(shapes)
        return [(*shapes[0][:axis], points)]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        if self.given:
            return []
        _, _, values, points = self._extents(shapes)
        filler = self.spec.inner_distance_param.weight_filler
        return [filled_weight((points, values), filler, (_PARAM, "weight_filler"))]

    def build(self, shapes: Sequence[Shape]) -> None:
        _, items, values, points = self._extents(shapes)
        self._shapes = (items, values), (points, values), (items, points)
        self._of_items, self._of_points = (
            self.scratch((items, values)),
            self.scratch((points, values)),
        )
        self._items, self._row = self.scratch((items, 1)), self.scratch((items,))
        self._points = self.scratch((1, points))
        if self.normalizes:
            self._unit = UnitRows(self, points, values)

    def _matrices(self, bottoms: Sequence[Array]) -> tuple[Array, Array]:
        of_items, of_points, _ = self._shapes
        w = bottoms[1] if self.given else self.params[0].data
        return bottoms[0].reshape(of_items), w.reshape(of_points)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp = self.xp
        if self.normalizes:
            self._unit.bring(self.params[0].data)
        (x, w), y = self._matrices(bottoms), tops[0].reshape(self._shapes[2])
        if not self.squared:
            for n in range(len(w)):
                xp.subtract(x, w[n], out=self._of_items)
                xp.absolute(self._of_items, out=self._of_items)
                xp.sum(self._of_items, axis=1, out=self._row)
                y[:, n] = self._row
            return
        xp.matmul(x, w.T, out=y)
        xp.multiply(y, -2, out=y)
        xp.multiply(x, x, out=self._of_items)
        xp.sum(self._of_items, axis=1, keepdims=True, out=self._items)
        xp.multiply(w, w, out=self._of_points)
        xp.sum(self._of_points, axis=1, out=self._points[0])
        xp.add(y, self._items, out=y)
        xp.add(y, self._points, out=y)
        xp.maximum(y, 0, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        (x, w), dy = self._matrices(bottoms), dtops[0].reshape(self._shapes[2])
        dx = None if dbottoms[0] is None else dbottoms[0].reshape(x.shape)
        dw = self._of_points
        if self.squared:
            self._l2_gradients(dy, x, w, dx, dw)
        else:
            self._l1_gradients(dy, x, w, dx, dw)
        if self.given:
            if dbottoms[1] is not None:
                self.xp.copyto(dbottoms[1].reshape(w.shape), dw)
        elif self.params[0].wanted:
            self.xp.add(self.params[0].diff, dw, out=self.params[0].diff)

    def _l2_gradients(self, dy: Array, x: Array, w: Array, dx: Array | None, dw: Array) -> None:
        xp = self.xp
        if dx is not None:
            xp.sum(dy, axis=1, keepdims=True, out=self._items)
            xp.matmul(dy, w, out=self._of_items)
            xp.multiply(x, self._items, out=dx)
            xp.subtract(dx, self._of_items, out=dx)
            xp.multiply(dx, 2, out=dx)
        xp.matmul(dy.T, x, out=dw)
        xp.sum(dy, axis=0, out=self._points[0])
        for n in range(len(w)):
            # row by row, to avoid a third array of the size of the points
            dw[n] = 2 * (self._points[0, n] * w[n] - dw[n])

    def _l1_gradients(self, dy: Array, x: Array, w: Array, dx: Array | None, dw: Array) -> None:
        xp, sign = self.xp, self._of_items
        if dx is not None:
            dx.fill(0)
        for n in range(len(w)):
            xp.subtract(x, w[n], out=sign)
            xp.sign(sign, out=sign)
            xp.multiply(sign, dy[:, n : n + 1], out=sign)
            xp.sum(sign, axis=0, out=dw[n])
            if dx is not None:
                xp.add(dx, sign, out=dx)
        xp.negative(dw, out=dw)
