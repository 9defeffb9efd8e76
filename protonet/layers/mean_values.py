"""Mean: a mean that is added or subtracted, of FlowNet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.transform import load_mean
from protonet.errors import DataError, LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.flow import check_images
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import MeanParameter

_PARAM = "mean_param"


@register("Mean")
class Mean(Layer):
    """y = output_scale (input_scale x + mean_scale m), or - with SUBTRACT, of each bottom.

    m is repeated over the channels. Gradient: dx = output_scale input_scale dy.

    Bottom:
        one or more: x, N x C x H x W.
    Top:
        one for each bottom, of its shape.
    Params:
        none.
    Spec:
        mean_param: operation (required: ADD or SUBTRACT), value (one for each channel, repeated),
        or file (a mean image of H x W), input_scale (1), mean_scale (1), output_scale (1).
    Raises:
        LayerError: without operation, without a value and a file, or with both, or for a bottom
        whose channels are no multiple of the mean's.
        DataError: for a file that cannot be used, or of another size than a bottom.
    Differs:
        BVLC Caffe has no such layer; this is the one of lmb-freiburg/flownet2, which has no
        gradient.
    """

    bottoms = (1, None)
    tops = (1, None)
    traits = Traits(backward_reads=frozenset(), one_to_one=True)

    def setup(self) -> None:
        param = self.spec.mean_param
        if not param.HasField("operation"):
            raise LayerError(f"{_PARAM} needs an operation: ADD or SUBTRACT", (_PARAM,))
        if bool(param.value) == bool(param.file):
            raise LayerError(
                "expected either values or a file, got " + ("both" if param.value else "neither"),
                (_PARAM,),
            )
        if param.file:
            mean = load_mean(self.context.find(param.file))
        else:
            mean = np.array(param.value, np.float32)[:, None, None]
        sign = 1 if param.operation == MeanParameter.ADD else -1
        self.shift = mean.astype(np.float64) * sign * param.mean_scale * param.output_scale
        self.factor = float(param.input_scale) * float(param.output_scale)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_images(self, shapes)
        count, *extents = self.shift.shape
        for place, shape in enumerate(shapes):
            name = self.spec.bottom[place]
            if shape[1] % count:
                raise LayerError(
                    f"expected a multiple of {count} channels in '{name}', got {shape_text(shape)}",
                    ("bottom", place),
                )
            if self.spec.mean_param.file and list(shape[2:]) != extents:
                raise DataError(
                    f"{self.spec.mean_param.file}: is {shape_text(self.shift.shape)}, but '{name}' "
                    f"is {shape_text(shape)}"
                )
        return list(shapes)

    def build(self, shapes: Sequence[Shape]) -> None:
        self._shifts = []
        for shape in shapes:
            times = (shape[1] // len(self.shift), 1, 1)
            self._shifts.append(self.scratch((shape[1], *self.shift.shape[1:])))
            self.device.put_lazily(partial(np.tile, self.shift, times), self._shifts[-1])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for x, y, shift in zip(bottoms, tops, self._shifts, strict=True):
            self.xp.multiply(x, self.factor, out=y)
            self.xp.add(y, shift, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dy, dx in zip(dtops, dbottoms, strict=True):
            if dx is not None:
                self.xp.multiply(dy, self.factor, out=dx)
