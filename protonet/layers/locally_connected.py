"""LocallyConnected: windows with weights of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.product import BatchProduct
from protonet.layers.base import LowPrecision, Weight
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.layers.sliding import SlidingWindow

_PARAM = "convolution_param"


@register("LocallyConnected")
class LocallyConnected(SlidingWindow):
    """A convolution whose weights differ from place to place: y_p = W_p x_p + b_p for the window
    x_p at each place p of the top.

    Gradients: dx = the sums of W_p^T dy_p, dW_p = dy_p x_p^T, db_p = dy_p.

    Bottom:
        one or more of the same shape: x, ... x C x spatial axes (any number of them).
    Top:
        one for each bottom: ... x num_output x places, as of a Convolution.
    Params:
        0: W, places x num_output x C x kernel.
        1 (bias_term): b, num_output x places.
    Spec:
        convolution_param, as for Convolution; group must be 1, engine is ignored. Fillers that
        count inputs take all of W but its first axis for them.
    Raises:
        LayerError: as Convolution, and for groups.
    Differs:
        Caffe has no such layer; Torch7 and Keras have.
    """

    traits = replace(SlidingWindow.traits, low_precision=LowPrecision.WITH_BOTTOMS)

    def setup(self) -> None:
        super().setup()
        if not self.settings.num_output:
            raise LayerError(f"{_PARAM} needs num_output above 0", (_PARAM, "num_output"))
        if self.settings.group != 1:
            raise LayerError(
                f"LocallyConnected has no groups, got group {self.settings.group}",
                (_PARAM, "group"),
            )
        if self.settings.output_padding:
            raise LayerError("output_padding is for Deconvolution only", (_PARAM, "output_padding"))
        self.outputs = int(self.settings.num_output)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.channel_axis(shapes)
        places = self.windows(shapes[0][axis + 1 :]).outputs
        return [(*shapes[0][:axis], self.outputs, *places)] * len(shapes)

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        axis, param = self.channel_axis(shapes), self.settings
        windows = self.windows(shapes[0][axis + 1 :])
        shape = (*windows.outputs, self.outputs, shapes[0][axis], *windows.kernel)
        weights = [filled_weight(shape, param.weight_filler, (_PARAM, "weight_filler"))]
        if param.bias_term:
            path = (_PARAM, "bias_filler")
            weights.append(filled_weight((self.outputs, *windows.outputs), param.bias_filler, path))
        return weights

    def build(self, shapes: Sequence[Shape]) -> None:
        axis, spatial = self.channel_axis(shapes), len(shapes[0]) - self.channel_axis(shapes) - 1
        items, channels = math.prod(shapes[0][:axis]), shapes[0][axis]
        self._windows = windows = self.windows(shapes[0][axis + 1 :])
        places, inputs = math.prod(windows.outputs), channels * math.prod(windows.kernel)
        self._planes = (items * channels, *windows.inputs)
        self._top = (items, self.outputs, places)
        self._weight = (places, self.outputs, inputs)
        # windows by place; planes, kernel and places are the axes that im2col writes
        self._columns = self.scratch((*windows.outputs, items * channels, *windows.kernel))
        self._columns.fill(0)
        if self.gradients:
            self._dcolumns = self.scratch(self._columns.shape)
            self._dweight = self.scratch(self._weight, self.real)
            self._dbias = self.scratch((self.outputs, places), self.real)
        self._axes = (*range(spatial, 2 * spatial + 1), *range(spatial))
        self._rows = (places, items, inputs)
        self._products = self.scratch((places, items, self.outputs))
        self._forward, self._back, self._learn = (
            BatchProduct.make(self.device, self.dtype, places, *sizes)
            for sizes in (
                (items, inputs, self.outputs),
                (items, self.outputs, inputs),
                (self.outputs, items, inputs),
            )
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, products = self.xp, self._products
        weight = self.params[0].data.reshape(self._weight)
        for x, y in zip(bottoms, tops, strict=True):
            self._windows.im2col(x.reshape(self._planes), self._columns.transpose(self._axes))
            rows, out = self._columns.reshape(self._rows), y.reshape(self._top)
            self._forward.forward(rows, weight, products, transpose_b=True)
            xp.copyto(out, products.transpose(1, 2, 0))
            if self.settings.bias_term:
                xp.add(out, self.params[1].data.reshape(self._top[1:]), out=out)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dproducts, weight = self.xp, self._products, self.params[0]
        for dy, x, dx in zip(dtops, bottoms, dbottoms, strict=True):
            dout = dy.reshape(self._top)
            xp.copyto(dproducts, dout.transpose(2, 0, 1))
            if self.settings.bias_term and self.params[1].wanted:
                dout.sum(axis=0, out=self._dbias)
                dbias = self._gradient(1, self._top[1:])
                xp.add(dbias, self._dbias, out=dbias)
            if weight.wanted:
                self._windows.im2col(x.reshape(self._planes), self._columns.transpose(self._axes))
                rows = self._columns.reshape(self._rows)
                self._learn.forward(dproducts, rows, self._dweight, transpose_a=True)
                dweight = self._gradient(0, self._weight)
                xp.add(dweight, self._dweight, out=dweight)
            if dx is not None:
                drows = self._dcolumns.reshape(self._rows)
                self._back.forward(dproducts, weight.data.reshape(self._weight), drows)
                columns = self._dcolumns.transpose(self._axes)
                self._windows.col2im(xp, columns, dx.reshape(self._planes))

    def _gradient(self, index: int, shape: Shape) -> Array:
        """The gradient of a parameter that is wanted, seen as ``shape``."""
        diff: Array = self.params[index].diff
        return diff.reshape(shape)
