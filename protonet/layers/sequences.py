"""ContinuationIndicator: the continuation marks of sequences."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer
from protonet.layers.registry import register

_PARAM = "continuation_indicator_param"


@register("ContinuationIndicator")
class ContinuationIndicator(Layer):
    """cont[t, n] = 0 for t = 0, else 1: each of N streams is one sequence of T steps.

    Bottom:
        0 (optional): any blob, whose ``axis`` gives N instead of batch_size. No gradient.
    Top:
        0: cont, T x N.
    Params:
        none.
    Spec:
        continuation_indicator_param: time_step (T), batch_size (N); of jolibrain's fork: axis (0).
    Raises:
        LayerError: without a time_step, without a batch_size or a bottom, or for an axis that the
        bottom lacks.
    Differs:
        Caffe 1.0 has no such layer; its forks for text do (continuation_indicator_layer.cpp).
    """

    bottoms = (0, 1)
    no_gradient = frozenset({0})

    def setup(self) -> None:
        param = self.spec.continuation_indicator_param
        wanted = ["time_step"] if self.spec.bottom else ["time_step", "batch_size"]
        for name in wanted:
            if not getattr(param, name):
                raise LayerError(f"{_PARAM} needs {name} above 0", (_PARAM, name))
        self.steps, self.streams = int(param.time_step), int(param.batch_size)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if not shapes:
            return [(self.steps, self.streams)]
        if not shapes[0]:
            raise LayerError("expected at least 1 axis, got a scalar", ("bottom", 0))
        param = self.spec.continuation_indicator_param
        return [(self.steps, shapes[0][self.axis(shapes[0], param.axis, (_PARAM, "axis"))])]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        tops[0].fill(1)
        tops[0][0] = 0

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        """Nothing: the marks do not depend on values."""
