"""Convolutions of listed pairs of channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from protonet.blob import Array, Param, Shape
from protonet.errors import LayerError
from protonet.kernels.rows import take_rows
from protonet.layers.base import Layer, LowPrecision, Reads, Traits, Weight, shape_text
from protonet.layers.convolution import Convolution, ConvolutionBase, Deconvolution
from protonet.layers.fillers import filled_weight
from protonet.layers.instantiation import instantiate
from protonet.layers.limits import check_numbers
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LayerParameter

_PARAM = "connection_param"


class _OfTable(Layer):
    """Base: a convolution whose weights are 0 but for the kernels of the table."""

    whole: ClassVar[type[ConvolutionBase]]
    """The layer with a kernel for each pair."""
    outputs_first: ClassVar[bool] = True
    """Whether the weights of that have the outputs at axis 0."""
    traits = Traits(
        backward_reads=frozenset({Reads.BOTTOMS}), low_precision=LowPrecision.WITH_BOTTOMS
    )

    def setup(self) -> None:
        table, param = self.spec.connection_param, self.spec.convolution_param
        pairs = list(zip(table.input, table.output, strict=False))
        if not pairs or len(table.input) != len(table.output):
            raise LayerError(
                f"{_PARAM} needs as many input as output, and at least one, got "
                f"{len(table.input)} and {len(table.output)}",
                (_PARAM,),
            )
        check_numbers(table.output, (_PARAM, "output"))
        doubled = next((pair for pair in pairs if pairs.count(pair) > 1), None)
        if doubled is not None:
            raise LayerError(
                f"input {doubled[0]} is connected to output {doubled[1]} twice", (_PARAM, "input")
            )
        if param.group != 1:
            raise LayerError(
                f"the table says what is connected: there is no group, got {param.group}",
                ("convolution_param", "group"),
            )
        most = max(table.output)
        if param.HasField("num_output") and param.num_output <= most:
            raise LayerError(
                f"expected a num_output above the greatest output, {most}, got {param.num_output}",
                ("convolution_param", "num_output"),
            )
        spec = LayerParameter(name=self.name, type=self.whole.type, bottom=["x"], top=["y"])
        spec.convolution_param.CopyFrom(param)
        if not param.HasField("num_output"):
            spec.convolution_param.num_output = most + 1
        self._layer = self.whole(spec, self.phase, self.context)
        self._layer.setup()
        self.pairs = pairs

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        channels, most = self._channels(shapes), max(self.spec.connection_param.input)
        if most >= channels:
            raise LayerError(
                f"input {most} is not one of the channels of a bottom of shape "
                f"{shape_text(shapes[0])}: 0 to {channels - 1}",
                (_PARAM, "input"),
            )
        return self._layer.infer(shapes)

    def _channels(self, shapes: Sequence[Shape]) -> int:
        return shapes[0][self._layer.channel_axis(shapes)]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        whole, *bias = self._layer.declare(shapes)
        filler, path = self.spec.convolution_param.weight_filler, "weight_filler"
        shape = (len(self.pairs), *whole.shape[2:])
        return [filled_weight(shape, filler, ("convolution_param", path)), *bias]

    def build(self, shapes: Sequence[Shape]) -> None:
        channels = self._channels(shapes)
        shape = self._layer.declare(shapes)[0].shape
        self._kernels = (shape[0] * shape[1], math.prod(shape[2:]))
        inputs, outputs = np.array(self.pairs, np.int64).T
        rows = outputs * channels + inputs
        if not self.outputs_first:
            rows = inputs * self._layer.outputs + outputs
        self._rows = self.scratch(rows.shape, np.int64)
        self.device.put(rows, self._rows)
        data = self.scratch(shape, self.real)
        data.fill(0)
        own = self.params[0]
        diff = self.scratch(shape, self.real) if self.gradients else None
        self._weight = Param("W", data, diff, own.lr_mult)
        self._part = self.scratch((len(rows), self._kernels[1]), self.real)
        self._inner = instantiate(
            self._layer, self.device, self.dtype, self.random, gradients=self.gradients
        )
        self._inner.params = [self._weight, *self.params[1:]]
        self._inner.build(shapes)

    def whole_layer(self) -> Layer:
        """The convolution of all pairs, with the weights of the table."""
        self._weight.data.reshape(self._kernels)[self._rows] = self._own(self.params[0].data)
        return self._inner

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.whole_layer().forward(bottoms, tops)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dweight = self._weight.diff
        if dweight is not None:
            dweight.fill(0)
        self._inner.backward(dtops, bottoms, tops, dbottoms)
        if self.params[0].wanted and dweight is not None:
            take_rows(self.xp, dweight.reshape(self._kernels), self._rows, self._part)
            diff = self._own(self.params[0].diff)
            self.xp.add(diff, self._part, out=diff)

    def _own(self, array: Array) -> Array:
        """The weights of the table, a row for each kernel."""
        return array.reshape(self._part.shape)


@register("TableConvolution")
class TableConvolution(_OfTable):
    """A convolution in which an output sees only the channels that a table connects it with.

    y_o = the sum of w_k * x_i over the pairs k = (i, o) of the table, + b_o.

    Bottom:
        x, ... x C x spatial axes (any number of them).
    Top:
        y, ... x num_output x places, as of Convolution.
    Params:
        0: W, pairs x kernel.
        1 (bias_term): b, num_output.
    Spec:
        connection_param: input and output, a number each for every pair, from 0;
        convolution_param, as for Convolution; num_output defaults to the greatest output + 1.
    Raises:
        LayerError: as Convolution; for an empty or uneven table, a pair given twice, an input that
        the bottom does not have, a num_output below the table's, or groups.
    Differs:
        Caffe has no such layer; Torch7 has.
    """

    whole = Convolution


@register("TableDeconvolution")
class TableDeconvolution(_OfTable):
    """A deconvolution of the pairs of channels of a table.

    y_o = the sum over the pairs k = (i, o) of x_i spread by w_k, + b_o.

    Bottom:
        x, ... x C x spatial axes (any number of them).
    Top:
        y, ... x num_output x places, as of Deconvolution.
    Params:
        0: W, pairs x kernel.
        1 (bias_term): b, num_output.
    Spec:
        as for TableConvolution.
    Raises:
        LayerError: as TableConvolution, and for an empty top.
    Differs:
        Caffe has no such layer; Torch7 has.
    """

    whole = Deconvolution
    outputs_first = False
