"""Local response normalization, over channels or over space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from protonet.blob import Array, Pixels, Shape
from protonet.errors import LayerError
from protonet.kernels.lrn import LRNAcrossChannels, LRNWithinChannel
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LRNParameter

_PARAM = "lrn_param"


@register("LRN")
class LRN(Layer):
    """ACROSS_CHANNELS: s = k + alpha / n sum x^2 over n neighbouring channels, y = x s^-beta,
    dx = dy s^-beta - 2 alpha beta / n x sum (dy y / s);
    WITHIN_CHANNEL: s = 1 + alpha m with m the mean of x^2 in an n x n window, y = x s^-beta,
    dx = dy s^-beta - 2 alpha beta x mean^T (dy x s^(-beta - 1)).

    Bottom:
        0: x, N x C x H x W.
    Top:
        0: y, the shape of x.
    Params:
        none.
    Spec:
        lrn_param: local_size n (5, odd), alpha (1), beta (0.75), k (1), norm_region
        (ACROSS_CHANNELS). engine is accepted and ignored.
    Raises:
        LayerError: for an even local_size, or a bottom without 4 axes.
    Differs:
        no. As in Caffe, WITHIN_CHANNEL ignores k, and its mean counts the padding.
    """

    traits = Traits(recomputable=True, low_precision=LowPrecision.WITH_BOTTOMS, in_kernels=True)

    def setup(self) -> None:
        param = self.spec.lrn_param
        if param.local_size % 2 == 0:
            raise LayerError(
                f"local_size must be odd, got {param.local_size}", (_PARAM, "local_size")
            )
        self.size = int(param.local_size)
        self.alpha, self.beta, self.k = (float(v) for v in (param.alpha, param.beta, param.k))
        self._within = param.norm_region == LRNParameter.WITHIN_CHANNEL
        self.traits = replace(self.traits, pixels=not self._within)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) != 4:
            raise LayerError(
                f"expected a bottom of 4 axes, N x C x H x W, got {shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._normalize = self._family.make(
            self.device, self.dtype, *self._made_for(shapes[0]), keeps=self.gradients
        )

    @property
    def _family(self) -> type[LRNWithinChannel] | type[LRNAcrossChannels]:
        """The kernel of the region."""
        if self.pixels is not Pixels.NONE:
            from protonet.kernels.pixels import LRNAcrossPixels  # for nets that only answer

            return LRNAcrossPixels
        return LRNWithinChannel if self._within else LRNAcrossChannels

    def _made_for(self, shape: Shape) -> tuple[Any, ...]:
        """The arguments of the kernel."""
        return shape, self.size, self.alpha, self.beta, self.k

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._normalize.forward(bottoms[0], tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self._normalize.backward(dtops[0], bottoms[0], tops[0], dbottoms[0])
