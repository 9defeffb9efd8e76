"""The divisor of losses."""

from __future__ import annotations

from protonet.blob import Array
from protonet.layers.base import Layer
from protonet.proto.caffe_pb2 import LossParameter


class Normalizer:
    """The divisor Z of a loss by ``loss_param``; at least 1.

    VALID: the items not ignored; FULL: all ``items``; BATCH_SIZE: ``batch``; NONE: 1; PRE_FIXED:
    ``pre_fixed_normalizer``; WEIGHTS: the sum of the weights of the items not ignored, or 1 if that
    is 0. The older ``normalize`` means VALID or BATCH_SIZE. ``default`` holds where neither is
    given; None for the schema's.

    ``value`` is a scalar array on the device. On a rank with a part of the batch it is the divisor
    over all ranks times the part's share, with which the loss is multiplied. (A fixed divisor is of
    the sum of the parts: times the part's fraction of the batch.)
    """

    def __init__(self, layer: Layer, items: int, batch: int, default: int | None = None) -> None:
        spec = layer.spec.loss_param
        mode: int = spec.normalization
        if not spec.HasField("normalization"):
            if spec.HasField("normalize"):
                mode = LossParameter.VALID if spec.normalize else LossParameter.BATCH_SIZE
            elif default is not None:
                mode = default
        fixed: dict[int, float] = {
            LossParameter.FULL: items,
            LossParameter.VALID: items,
            LossParameter.BATCH_SIZE: batch,
            LossParameter.NONE: 1,
            LossParameter.PRE_FIXED: spec.pre_fixed_normalizer,
            LossParameter.WEIGHTS: items,
        }
        self._ranks, part = layer.context.ranks, layer.random.part
        self._share = 1.0 if part is None else part.share
        fraction = 1.0 if part is None else part.fraction
        of_batch = mode not in (LossParameter.NONE, LossParameter.PRE_FIXED)
        self._weighs = mode == LossParameter.WEIGHTS
        self._counts = self._weighs or mode == LossParameter.VALID
        self._xp = layer.xp
        self.value: Array = layer.scratch(())
        self._none: Array = layer.scratch(())
        self.value.fill(max(1, fixed[mode]) * (1.0 if of_batch else fraction))

    def count(self, valid: Array | None, weights: Array | None = None) -> None:
        """Read which items count (1.0) in this pass and which do not (0.0), and their weights, 0
        for those that do not count; None if all count, or all weights are 1.
        """
        if self._weighs and weights is not None:
            weights.sum(out=self.value)
            self._ranks.sum(self.value)
            self._xp.equal(self.value, 0.0, out=self._none)
            self._xp.add(self.value, self._none, out=self.value)
        elif self._counts and valid is not None:
            valid.sum(out=self.value)
            self._ranks.sum(self.value)
            self._xp.maximum(self.value, 1.0, out=self.value)
        else:
            return
        if self._share != 1.0:
            self._xp.multiply(self.value, self._share, out=self.value)


def divisor(layer: Layer, mode: int, valid: float, items: float, batch: float) -> float:
    """The divisor Z of a loss that is computed on the host, as that of ``Normalizer``: for VALID
    ``valid`` items of this pass.
    """
    part = layer.random.part
    share, fraction = (1.0, 1.0) if part is None else (part.share, part.fraction)
    if mode in (LossParameter.NONE, LossParameter.PRE_FIXED):
        fixed = layer.spec.loss_param.pre_fixed_normalizer
        return max(1.0, 1.0 if mode == LossParameter.NONE else fixed) * fraction
    if mode == LossParameter.VALID:
        (valid,) = layer.context.ranks.sums([valid])
        return max(1.0, valid) * share
    return max(1.0, items if mode == LossParameter.FULL else batch)
