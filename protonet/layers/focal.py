"""MultiBoxFocalLoss: a detector's loss that down-weights well-classified priors."""

from __future__ import annotations

import math

import numpy as np

from protonet.blob import Array
from protonet.errors import LayerError
from protonet.layers.multibox import MultiBoxLoss
from protonet.layers.registry import register

_PARAM = "focal_loss_param"


@register("MultiBoxFocalLoss")
class MultiBoxFocalLoss(MultiBoxLoss):
    """MultiBoxLoss with c = -alpha (1 - p)^gamma log p, p = softmax(x)[label], for SOFTMAX.

    Gradient: that of MultiBoxLoss, with dc/dx_k multiplied by
    alpha (1 - p)^gamma (1 - gamma p log(p) / (1 - p)). Hard negatives are chosen by -log p.

    Bottom:
        0: loc, 1: conf, 2: priors, 3: truths, as in MultiBoxLoss; the last two get no gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        focal_loss_param: alpha (0.25), gamma (2); all of MultiBoxLoss.
    Raises:
        LayerError: as MultiBoxLoss, and for a gamma below 0, or an alpha that is not above 0.
    Differs:
        BVLC Caffe has no such layer; this is the one of jiachen0212/ssd-focal_loss_caffe and
        jolibrain/caffe.
    """

    def setup(self) -> None:
        super().setup()
        self.alpha = self.spec.focal_loss_param.alpha
        self.gamma = self.spec.focal_loss_param.gamma
        if not 0 < self.alpha < math.inf:
            raise LayerError(f"expected an alpha above 0, got {self.alpha:g}", (_PARAM, "alpha"))
        if not 0 <= self.gamma < math.inf:
            raise LayerError(
                f"expected a gamma of 0 or more, got {self.gamma:g}", (_PARAM, "gamma")
            )
        if self.spec.focal_loss_param.axis != 1:
            raise LayerError(
                "the scores of a prior are contiguous; leave axis at 1", (_PARAM, "axis")
            )

    def _modulate(self, costs: Array) -> Array:
        if not self.softmax:
            return costs
        far = -np.expm1(-costs)
        # p log(p) / (1 - p) is -1 where p is 1.
        ratio = np.divide(-costs * np.exp(-costs), far, out=np.full_like(far, -1), where=far > 0)
        weights = self.alpha * far**self.gamma
        np.multiply(self._dconf, (weights * (1 - self.gamma * ratio))[..., None], out=self._dconf)
        weighed: Array = weights * costs
        return weighed
