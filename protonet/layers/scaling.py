"""Scale and Bias: products and sums with a smaller array, learned or given."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import BiasParameter, FillerParameter, ScaleParameter


class Spread(Layer):
    """What Scale and Bias share: a smaller array that is laid along some axes of the bottom.

    The bottom is seen as outer x count x inner, count the elements of the smaller array.
    """

    recomputable = True
    bottoms = (1, 2)
    field = ""

    @property
    def param(self) -> ScaleParameter | BiasParameter:
        """The layer's message."""
        found: ScaleParameter | BiasParameter = getattr(self.spec, self.field)
        return found

    @property
    def given(self) -> bool:
        """Whether the smaller array is the second bottom, not a parameter."""
        return len(self.spec.bottom) > 1

    def laid(self, shapes: Sequence[Shape]) -> tuple[int, Shape]:
        """The first axis that the smaller array lies along, and its shape."""
        shape, path = shapes[0], (self.field, "axis")
        axis = self.axis(shape, self.param.axis, path)
        if len(shapes) > 1:
            small = shapes[1]
            axis = axis if small else 0
            if shape[axis : axis + len(small)] != small:
                raise LayerError(
                    f"expected a second bottom that begins {shape_text(shape[axis:])} at axis "
                    f"{axis} of {shape_text(shape)}, got {shape_text(small)}",
                    ("bottom", 1),
                )
            return axis, small
        axes = self.param.num_axes
        if axes < -1 or axis + axes > len(shape):
            raise LayerError(
                f"num_axes {axes} from axis {axis} is out of range for a bottom of shape "
                f"{shape_text(shape)}",
                (self.field, "num_axes"),
            )
        return axis, shape[axis:] if axes == -1 else shape[axis : axis + axes]

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.laid(shapes)
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis, small = self.laid(shapes)
        count, outer = math.prod(small), math.prod(shapes[0][:axis])
        self._seen = (outer, count, math.prod(shapes[0]) // max(1, outer * count))
        self._grown = self.scratch((count,))

    def add_up(self, values: Array, out: Array) -> None:
        """Write the sums of (outer, count, inner) over outer and inner to the smaller ``out``."""
        self.xp.sum(values, axis=(0, 2), out=out.reshape(-1))

    def learn(self, place: int, values: Array) -> None:
        """Add the sums of ``values`` to the gradient of a parameter."""
        param = self.params[place]
        if param.wanted:
            self.add_up(values, self._grown)
            self.xp.add(param.diff, self._grown.reshape(param.shape), out=param.diff)


@register("Bias")
class Bias(Spread):
    """y = x + b, with b laid along some axes of x; dx = dy, db = the sum of dy over the others.

    Bottom:
        0: x, any shape.
        1 (optional): b, the shape of x's axes from ``axis`` on, or of the first of them.
    Top:
        0: y, the shape of x.
    Params:
        0 (with one bottom): b, the ``num_axes`` axes of x from ``axis`` on.
    Spec:
        bias_param: axis (1), num_axes (1; 0 = a scalar, -1 = all that follow), filler (constant 0).
    Raises:
        LayerError: for axes that x lacks, or a b that does not fit.
    Differs:
        no.
    """

    field = "bias_param"
    in_place = True
    backward_reads = frozenset()

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        if self.given:
            return []
        small = self.laid(shapes)[1]
        return [filled_weight(small, self.spec.bias_param.filler, ("bias_param", "filler"))]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        b = bottoms[1] if self.given else self.params[0].data
        x, y = bottoms[0].reshape(self._seen), tops[0].reshape(self._seen)
        self.xp.add(x, b.reshape(-1, 1), out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dy = dtops[0].reshape(self._seen)
        if not self.given:
            self.learn(0, dy)
        elif dbottoms[1] is not None:
            self.add_up(dy, dbottoms[1])
        dx = dbottoms[0]
        if dx is not None and dx is not dtops[0]:
            dx[...] = dtops[0]


@register("Scale")
class Scale(Spread):
    """y = s x + b, with s and b laid along some axes of x; dx = s dy, ds = the sum of x dy over the
    others, db = the sum of dy.

    Bottom:
        0: x, any shape.
        1 (optional): s, the shape of x's axes from ``axis`` on, or of the first of them.
    Top:
        0: y, the shape of x.
    Params:
        with one bottom: s, the ``num_axes`` axes of x from ``axis`` on.
        then, with bias_term: b, the shape of s.
    Spec:
        scale_param: axis (1), num_axes (1; 0 = a scalar, -1 = all that follow), filler (constant
        1), bias_term (false), bias_filler (constant 0).
    Raises:
        LayerError: for axes that x lacks, or an s that does not fit.
    Differs:
        no.
    """

    field = "scale_param"
    backward_reads = frozenset({Reads.BOTTOMS})

    def setup(self) -> None:
        # in training the gradient of s needs x as it was
        self.in_place = not self.training

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        param, small = self.spec.scale_param, self.laid(shapes)[1]
        weights = []
        if not self.given:
            filler = param.filler if param.HasField("filler") else FillerParameter(value=1)
            weights.append(filled_weight(small, filler, ("scale_param", "filler")))
        if param.bias_term:
            path = ("scale_param", "bias_filler")
            weights.append(filled_weight(small, param.bias_filler, path))
        return weights

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._product = self.scratch(self._seen)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        s = bottoms[1] if self.given else self.params[0].data
        x, y = bottoms[0].reshape(self._seen), tops[0].reshape(self._seen)
        self.xp.multiply(x, s.reshape(-1, 1), out=y)
        if self.spec.scale_param.bias_term:
            self.xp.add(y, self.params[-1].data.reshape(-1, 1), out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy, x = self.xp, dtops[0].reshape(self._seen), bottoms[0].reshape(self._seen)
        s = bottoms[1] if self.given else self.params[0].data
        if self.spec.scale_param.bias_term:
            self.learn(len(self.params) - 1, dy)
        xp.multiply(x, dy, out=self._product)
        if not self.given:
            self.learn(0, self._product)
        elif dbottoms[1] is not None:
            self.add_up(self._product, dbottoms[1])
        if dbottoms[0] is not None:
            xp.multiply(dy, s.reshape(-1, 1), out=dbottoms[0].reshape(self._seen))
