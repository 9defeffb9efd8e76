"""Batch normalization."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import TRAIN
from protonet.torch7.builder import Bound, NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.modules.sliding import with_batch
from protonet.torch7.objects import Tensor


@module("nn.BatchNormalization")
class BatchNormalization(Module):
    """``y = w (x - mean) / sqrt(var + eps) + b`` for each feature.

    In training mean and var are the batch's; the running statistics move towards them by the
    momentum, the variance as that of n - 1. A batch of a single item is normalized with the
    running statistics.
    """

    axes: ClassVar[int] = 2

    def construct(
        self,
        nOutput: int,
        eps: float | None = None,
        momentum: float | None = None,
        affine: bool | None = None,
    ) -> None:
        name = self.object.typename
        if isinstance(nOutput, bool) or not isinstance(nOutput, int | float) or nOutput < 1:
            raise LayerError(f"{name}: nOutput must be a whole number of 1 or more, got {nOutput}")
        if affine is not None and not isinstance(affine, bool):
            raise LayerError(f"{name}: affine must be true or false, got {affine}")
        self["affine"] = affine is None or affine
        self["eps"] = 1e-5 if eps is None else eps
        self["train"] = True
        self["momentum"] = 0.1 if momentum is None else momentum
        self["running_mean"] = self.tensor(int(nOutput))
        self["running_var"] = self.tensor(int(nOutput), fill=1)
        if self["affine"]:
            self.with_gradient("weight", int(nOutput))
            self.with_gradient("bias", int(nOutput))
            self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        if self.get("weight") is not None:
            self.session.random.draw(self["weight"], "uniform", 0, 1)
        for name, value in (("bias", 0), ("running_mean", 0), ("running_var", 1)):
            if isinstance(self.get(name), Tensor):
                self[name].array[...] = value

    def layers(self, net: NetBuilder, x: Value) -> Value:
        given = self.one(x)
        if len(given.shape) != self.axes and net.phase == TRAIN:
            raise LayerError(f"expected a batch, of {self.axes} axes, got {given}")
        blob, undone = with_batch(net, given, self.axes)
        features = self.tensor_field("running_mean").count
        if blob.shape[1] != features:
            raise LayerError(f"expected {features} features, got {given}")
        affine = self.get("weight") is not None
        settings: dict[str, Any] = {
            "eps": self.number("eps", 1e-5),
            "moving_average_fraction": 1 - self.number("momentum", 0.1),
            "running_averages": True,
        }
        if affine:
            settings["scale_bias"] = True
        weights = [self.bound("running_mean"), self._variance(), self._weight_of_averages()]
        weights += [self.bound("weight"), self.bound("bias")] if affine else []
        return undone(net.layer("BatchNorm", blob, weights=weights, batch_norm_param=settings))

    def _variance(self) -> Bound:
        """The running variance; old files have 1 / sqrt(var + eps) instead."""
        if self.get("running_var") is None and isinstance(self.get("running_std"), Tensor):
            inverse = self.object.fields.pop("running_std").array
            self["running_var"] = Tensor.of(inverse**-2.0 - self.number("eps", 1e-5))
        return self.bound("running_var")

    def _weight_of_averages(self) -> Bound:
        """What the layer divides its statistics by: they are averages."""
        one = Tensor.of(np.ones(1))
        return Bound(self.object, "running_weight", one, learned=False)


@module("nn.SpatialBatchNormalization")
class SpatialBatchNormalization(BatchNormalization):
    """BatchNormalization of planes."""

    axes = 4


@module("nn.VolumetricBatchNormalization")
class VolumetricBatchNormalization(BatchNormalization):
    """BatchNormalization of volumes."""

    axes = 5
