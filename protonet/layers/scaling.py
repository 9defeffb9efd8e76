"""Scale and Bias: products and sums with a smaller operand, a parameter or a bottom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.scaling import Scaling
from protonet.layers.affine import AffineChain
from protonet.layers.base import Kind, Layer, LowPrecision, Reads, Traits, Weight, shape_text
from protonet.layers.factors import Factors
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import BiasParameter, FillerParameter, ScaleParameter


class BroadcastLayer(Layer):
    """Base of Scale and Bias: a smaller operand, broadcast to the shape of the bottom.

    The bottom is viewed as outer x count x inner, with count the elements of the operand.
    """

    traits = Traits(
        recomputable=True, low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True, absorbs=True
    )
    bottoms = (1, 2)
    field = ""
    _kernel: Scaling

    @property
    def param(self) -> ScaleParameter | BiasParameter:
        """The layer's message."""
        found: ScaleParameter | BiasParameter = getattr(self.spec, self.field)
        return found

    @property
    def operand_is_bottom(self) -> bool:
        """Whether the operand is the second bottom, not a parameter."""
        return len(self.spec.bottom) > 1

    def operand_axes(self, shapes: Sequence[Shape]) -> tuple[int, Shape]:
        """The axis of the bottom that the operand begins at, and the operand's shape."""
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
        self.operand_axes(shapes)
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        split = self._outer_count_inner(shapes)
        self._kernel = Scaling.make(self.device, self.dtype, *split)
        if self.operand_is_bottom:
            self._factors = Factors(self, shapes[1])
        self._chain = AffineChain(self.device, self.real, split[1], self.fused.layers)

    def _outer_count_inner(self, shapes: Sequence[Shape]) -> tuple[int, int, int]:
        """The bottom as outer x count x inner."""
        axis, small = self.operand_axes(shapes)
        count, outer = math.prod(small), math.prod(shapes[0][:axis])
        return outer, count, math.prod(shapes[0]) // max(1, outer * count)

    @property
    def per_channel(self) -> bool:
        """Whether the operand is a parameter with an element for each channel."""
        return not self.operand_is_bottom and self.param.axis == 1 and self.param.num_axes == 1

    def rectified_top(self, tops: Sequence[Array]) -> Array | None:
        """The top if a ReLU is fused, whose backward pass reads it; else None."""
        return tops[0] if self.fused.rectify else None

    def operand_gradient(self, place: int, dbottom: Array | None) -> Array | None:
        """The array that gradients of the operand are added to; None if not needed."""
        if self.operand_is_bottom:
            return self._factors.sums(dbottom)
        return self.params[place].diff if self.params[place].wanted else None


@register("Bias")
class Bias(BroadcastLayer):
    """y = x + b, with b broadcast to the shape of x; dx = dy, db = the sum of dy over the others.

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
        LayerError: for an axis out of range, or a b of another shape.
    Differs:
        no.
    """

    field = "bias_param"
    traits = replace(BroadcastLayer.traits, backward_reads=frozenset(), in_place=True)

    def setup(self) -> None:
        kind = Kind.SHIFT if self.per_channel else Kind.RECTIFIABLE
        self.traits = replace(self.traits, kind=kind)

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        if self.operand_is_bottom:
            return []
        small = self.operand_axes(shapes)[1]
        return [filled_weight(small, self.spec.bias_param.filler, ("bias_param", "filler"))]

    def affine(self) -> tuple[None, Array]:
        return None, self.params[0].data

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        b = self._factors.read(bottoms[1]) if self.operand_is_bottom else self.params[0].data
        s, b = self._chain.compose(None, b)
        self._kernel.forward(bottoms[0], s, b, tops[0], rectify=self.fused.rectify)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        y = self.rectified_top(tops)
        dx = dbottoms[0] if dbottoms[0] is not dtops[0] or y is not None else None
        db = self.operand_gradient(0, dbottoms[-1])
        self._kernel.backward(dtops[0], None, None, dx, None, db, y=y)
        if self.operand_is_bottom:
            self._factors.write(dbottoms[-1])


@register("Scale")
class Scale(BroadcastLayer):
    """y = s x + b, with s and b broadcast to the shape of x; dx = s dy, ds = the sum of x dy over
    the other axes, db = the sum of dy.

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
        1), bias_term (false), bias_filler (constant 0), min_value and max_value (none; of
        happynear's fork: s is clipped to them in place before it is used).
    Raises:
        LayerError: for an axis out of range, an s of another shape, or a min_value or max_value
        with two bottoms.
    Differs:
        no.
    """

    field = "scale_param"
    traits = replace(BroadcastLayer.traits, backward_reads=frozenset({Reads.BOTTOMS}))

    def setup(self) -> None:
        kind = Kind.RECTIFIABLE
        param = self.spec.scale_param
        ends = [name for name in ("min_value", "max_value") if param.HasField(name)]
        if ends and self.operand_is_bottom:
            raise LayerError(
                f"{ends[0]} needs a learned scale, got two bottoms", (self.field, ends[0])
            )
        low = param.min_value if param.HasField("min_value") else -math.inf
        high = param.max_value if param.HasField("max_value") else math.inf
        self.bounds = (low, high) if ends else None
        if self.per_channel and not ends:
            kind = Kind.SCALE_AND_SHIFT if self.spec.scale_param.bias_term else Kind.SCALE
        # in TRAIN the gradient of s needs x
        self.traits = replace(self.traits, in_place=not self.training, kind=kind)

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        param, small = self.spec.scale_param, self.operand_axes(shapes)[1]
        weights = []
        if not self.operand_is_bottom:
            filler = param.filler if param.HasField("filler") else FillerParameter(value=1)
            weights.append(filled_weight(small, filler, ("scale_param", "filler")))
        if param.bias_term:
            path = ("scale_param", "bias_filler")
            weights.append(filled_weight(small, param.bias_filler, path))
        return weights

    def affine(self) -> tuple[Array, Array | None]:
        bias = self.params[1].data if self.spec.scale_param.bias_term else None
        return self.params[0].data, bias

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        s = self._factors.read(bottoms[1]) if self.operand_is_bottom else self.params[0].data
        if self.bounds is not None:
            self.xp.clip(s, *self.bounds, out=s)
        b = self.params[-1].data if self.spec.scale_param.bias_term else None
        s, b = self._chain.compose(s, b)
        self._kernel.forward(bottoms[0], s, b, tops[0], rectify=self.fused.rectify)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        s = self._factors.read(bottoms[1]) if self.operand_is_bottom else self.params[0].data
        bias = self.params[-1] if self.spec.scale_param.bias_term else None
        if self.fused.layers and isinstance(self.fused.layers[0], Bias):
            bias = self.fused.layers[0].params[0]
        db = bias.diff if bias is not None and bias.wanted else None
        ds = self.operand_gradient(0, dbottoms[-1])
        y = self.rectified_top(tops)
        self._kernel.backward(dtops[0], bottoms[0], s, dbottoms[0], ds, db, y=y)
        if self.operand_is_bottom:
            self._factors.write(dbottoms[-1])
