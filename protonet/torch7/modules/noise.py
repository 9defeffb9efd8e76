"""Modules that draw random numbers in training."""

from __future__ import annotations

from typing import Any, ClassVar

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.objects import Tensor


class Dropping(Module):
    """Values are set to 0 at random, with probability p."""

    @lua
    def setp(self, p: float) -> None:
        """Set another p."""
        self["p"] = real("p", p)

    def dropped(self, net: NetBuilder, x: Blob, **param: Any) -> Blob:
        """What is kept is divided by 1 - p in training."""
        fields = {"dropout_ratio": self.number("p", 0.5), **param}
        if self.get("stochastic_inference"):
            fields["sample_weights_test"] = True
        return net.layer("Dropout", x, dropout_param=fields)

    def scaled(self, net: NetBuilder, x: Blob) -> Blob:
        """Times 1 - p: then what is kept is as it was in training, and all is scaled without."""
        return net.layer("Power", x, power_param={"scale": 1 - self.number("p", 0.5)})


@module("nn.Dropout")
class Dropout(Dropping):
    """Values are dropped; of version 1, all are scaled by 1 - p in ``evaluate`` instead of in
    training.
    """

    def construct(
        self,
        p: float | None = None,
        v1: bool | None = None,
        inplace: bool | None = None,
        stochasticInference: bool | None = None,
    ) -> None:
        self["p"] = real("p", p, 0.5)
        self["train"] = True
        self["inplace"] = inplace
        self["stochastic_inference"] = flag("stochasticInference", stochasticInference)
        self["v2"] = not v1
        if not 0 <= self["p"] < 1:
            raise LayerError(f"expected 0 <= p < 1, got {self['p']:g}")
        self["noise"] = Tensor(self.session.kind)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        if self.number("p", 0.5) == 0:
            return blob
        y = self.dropped(net, blob)
        return y if self.get("v2") else self.scaled(net, y)


class DroppingPlanes(Dropping):
    """Planes are dropped as a whole; all are scaled by 1 - p in ``evaluate``."""

    item_axes: ClassVar[int] = 0

    def construct(self, p: float | None = None, stochasticInference: bool | None = None) -> None:
        self["p"] = real("p", p, 0.5)
        if not 0 <= self["p"] <= 1:
            raise LayerError(f"expected 0 <= p <= 1, got {self['p']:g}")
        self["train"] = True
        self["stochastic_inference"] = flag("stochasticInference", stochasticInference)
        self["noise"] = Tensor(self.session.kind)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        batch = len(blob.shape) - self.item_axes
        if batch not in (0, 1):
            raise LayerError(
                f"expected {self.item_axes + 1} dimensions, or {self.item_axes} without a batch, "
                f"got {blob}"
            )
        return self.scaled(net, self.dropped(net, blob, mask_axes=batch + 1))


@module("nn.SpatialDropout")
class SpatialDropout(DroppingPlanes):
    """Of images."""

    item_axes = 3


@module("nn.VolumetricDropout")
class VolumetricDropout(DroppingPlanes):
    """Of volumes."""

    item_axes = 4


@module("nn.WhiteNoise")
class WhiteNoise(Module):
    """Normal random numbers are added in training, and their mean in ``evaluate``."""

    def construct(self, mean: float | None = None, std: float | None = None) -> None:
        self["mean"], self["std"] = real("mean", mean, 0), real("std", std, 0.1)
        self["noise"] = Tensor(self.session.kind)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        param = {"mean": self.number("mean", 0), "std": self.number("std", 0.1)}
        return net.layer("GaussianNoise", self.one(x), gaussian_noise_param=param)
