"""Layers that look up rows by index, and the Parameter layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.bias import BiasGradient
from protonet.kernels.rows import AddRows, take_rows
from protonet.layers.base import Layer, Traits, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.layers.row_options import BoundedRows, WeightedRows
from protonet.proto.caffe_pb2 import EmbedParameter


class Rows:
    """A bottom's values, which count from ``first``, as a vector of indices 0 to ``limit`` - 1."""

    def __init__(self, layer: Layer, place: int, shape: Shape, limit: int, first: int = 0) -> None:
        self.layer, self.place, self.limit, self.first = layer, place, limit, first
        self.indices: Array = layer.scratch((math.prod(shape),), np.int64)

    def read(self, values: Array) -> None:
        """Read the indices of this pass; fractions are truncated.

        Raises:
            LayerError: for an index out of range; on the CPU only, since a GPU would have to
                wait for the answer.
        """
        layer, first, end = self.layer, self.first, self.first + self.limit
        if layer.device.is_cpu:
            low, high = values.min(), values.max()
            if not (low > first - 1 and high < end):
                raise LayerError(
                    f'layer "{layer.name}" ({layer.type}): index '
                    f"{high if low > first - 1 else low:g} in "
                    f"'{layer.spec.bottom[self.place]}' is not one of {first} to {end - 1}",
                    ("bottom", self.place),
                    f"indices count from {first}",
                )
        layer.xp.copyto(self.indices, values.reshape(-1), casting="unsafe")
        if first:
            layer.xp.subtract(self.indices, first, out=self.indices)


@register("Embed")
class Embed(Layer):
    """y = row x of W, plus b: an InnerProduct of the one-hot vector of x.

    Gradients: dy is added to row x of dW; db += the sum of dy. The
    indices get none.

    With max_norm, rows whose p-norm is above it are scaled to it, in W too, when they are used.

    Bottom:
        x: indices 0 to input_dim - 1, of any shape; with first_index they count from that.
    Top:
        y: the shape of x, then num_output (N).
    Params:
        W: input_dim x N; b: N, unless bias_term is false.
    Spec:
        embed_param: num_output (required), input_dim (required), bias_term (true),
        weight_filler, bias_filler (both constant 0), padding_index (none: its row of dW gets
        nothing), max_norm (0: any), norm_type (2: the p of the norm), scale_grad_by_freq (false:
        dy is divided by the number of times that x has the index), first_index (0: the index of
        row 0).
    Raises:
        LayerError: without num_output or input_dim, for an invalid filler, a padding_index
        out of range, a max_norm below 0, a norm_type of 0 or less, and, while running on the CPU,
        an index out of range.
    Differs:
        An index out of range is an error, not a stray read. The last five fields are of
        Torch7's LookupTable (nn).
    """

    no_gradient = frozenset({0})
    traits = Traits(backward_reads=frozenset())

    def setup(self) -> None:
        spec = self.spec.embed_param
        for field in ("num_output", "input_dim"):
            if getattr(spec, field) == 0:
                raise LayerError(
                    f"{field} is missing: expected a count of 1 or more",
                    ("embed_param", field) if spec.HasField(field) else ("embed_param",),
                    "such as embed_param { input_dim: 1000 num_output: 10 }",
                )
        self.inputs, self.outputs = spec.input_dim, spec.num_output
        self.bias_term = spec.bias_term
        self._check_options(spec)

    def _check_options(self, spec: EmbedParameter) -> None:
        self.padding = None
        if spec.HasField("padding_index"):
            first = spec.first_index
            self.padding = spec.padding_index - first
            if not 0 <= self.padding < self.inputs:
                raise LayerError(
                    f"expected a padding_index of {first} to {first + self.inputs - 1}, got "
                    f"{spec.padding_index}",
                    ("embed_param", "padding_index"),
                )
        if not spec.max_norm >= 0:
            raise LayerError(
                f"expected max_norm of 0 or more, got {spec.max_norm:g}",
                ("embed_param", "max_norm"),
            )
        if not 0 < spec.norm_type < math.inf:
            raise LayerError(
                f"expected norm_type above 0, got {spec.norm_type:g}", ("embed_param", "norm_type")
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(*shapes[0], self.outputs)]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        spec, field = self.spec.embed_param, "embed_param"
        shape = (self.inputs, self.outputs)
        weights = [filled_weight(shape, spec.weight_filler, (field, "weight_filler"))]
        if self.bias_term:
            weights.append(filled_weight((self.outputs,), spec.bias_filler, (field, "bias_filler")))
        return weights

    def build(self, shapes: Sequence[Shape]) -> None:
        first = self.spec.embed_param.first_index
        self._rows = Rows(self, 0, shapes[0], self.inputs, first)
        self._y_shape = (math.prod(shapes[0]), self.outputs)
        self._add = AddRows.make(self.device, self.dtype, *self._y_shape)
        self._bias = BiasGradient.make(self.device, self.dtype, *self._y_shape, 1)
        spec, seen, self._bounded, self._weighted = self.spec.embed_param, self._y_shape, None, None
        if spec.max_norm:
            self._bounded = BoundedRows(self, seen, spec.max_norm, spec.norm_type)
        if self.padding is not None or spec.scale_grad_by_freq:
            mean = spec.scale_grad_by_freq
            self._weighted = WeightedRows(self, seen, self.inputs, self.padding, mean)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        y = tops[0].reshape(self._y_shape)
        self._rows.read(bottoms[0])
        take_rows(self.xp, self.params[0].data, self._rows.indices, y)
        if self._bounded is not None:
            self._bounded.bound(self.params[0].data, self._rows.indices, y)
        if self.bias_term:
            self.xp.add(y, self.params[1].data, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        weight, dy = self.params[0], dtops[0].reshape(self._y_shape)
        if weight.diff is not None and weight.wanted:
            rows = self._rows.indices
            given = dy if self._weighted is None else self._weighted.weigh(rows, dy)
            self._add.add(weight.diff, rows, given)
        if self.bias_term:
            bias = self.params[1]
            if bias.wanted:
                self._bias.learn(dy, None, bias.diff)


@register("BatchReindex")
class BatchReindex(Layer):
    """y[i] = x[index[i]]: items selected by index.

    Gradient: dx[n] = the sum of dy[i] over all i whose index is n. The indices get none.

    Bottom:
        x: N x ...; index: M, indices 0 to N - 1.
    Top:
        y: M x ..., the other axes as those of x.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        LayerError: when x is a scalar, when index has not one axis, and, while running on the
        CPU, for an index out of range.
    Differs:
        not at all.
    """

    bottoms = (2, 2)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset())

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, index = shapes
        if not x:
            raise LayerError("expected at least 1 axis, got a scalar", ("bottom", 0))
        if len(index) != 1:
            raise LayerError(
                f"expected indices with 1 axis, got '{self.spec.bottom[1]}' {shape_text(index)}",
                ("bottom", 1),
            )
        return [(*index, *x[1:])]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._rows = Rows(self, 1, shapes[1], shapes[0][0])
        length = math.prod(shapes[0][1:])
        self._add = AddRows.make(self.device, self.dtype, shapes[1][0], length)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._rows.read(bottoms[1])
        take_rows(self.xp, bottoms[0], self._rows.indices, tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            dbottoms[0].fill(0.0)
            self._add.add(dbottoms[0], self._rows.indices, dtops[0])


@register("Parameter")
class Parameter(Layer):
    """y = W, a learned parameter. Gradient: dW += dy.

    Bottom:
        none.
    Top:
        y: the shape of W.
    Params:
        W: as ``shape`` says.
    Spec:
        parameter_param: shape (required; without a dim, a scalar), blob_filler (constant 0; of
        happynear's fork).
    Raises:
        LayerError: without a shape, for an extent below 1, or an invalid filler.
    Differs:
        A shape is required, and its extents are 1 or more. In training y is a copy of W; in a net
        whose memory is not packed y is W itself, gradient included, as in Caffe.
    """

    bottoms = (0, 0)
    traits = Traits(backward_reads=frozenset(), tops_are_params=True)

    def setup(self) -> None:
        spec = self.spec.parameter_param
        if not spec.HasField("shape"):
            raise LayerError(
                "shape is missing",
                ("parameter_param",),
                "such as parameter_param { shape { dim: 3 dim: 4 } }",
            )
        for place, dim in enumerate(spec.shape.dim):
            if dim < 1:
                raise LayerError(
                    f"expected a dim of 1 or more, got {dim}",
                    ("parameter_param", "shape", "dim", place),
                )
        self._shape = tuple(spec.shape.dim)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [self._shape]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        filler = self.spec.parameter_param.blob_filler
        return [filled_weight(self._shape, filler, ("parameter_param", "blob_filler"))]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.copyto(tops[0], self.params[0].data)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        weight = self.params[0]
        if weight.diff is not None and weight.wanted:
            self.xp.add(weight.diff, dtops[0], out=weight.diff)
