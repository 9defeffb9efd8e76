"""Pooling over features instead of places."""

from __future__ import annotations

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real, whole
from protonet.torch7.axes import drop, insert, merge, replace_axes
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, module


@module("nn.FeatureLPPooling")
class FeatureLPPooling(Module):
    """``y = (sum x^p)^(1/p)`` over windows of the features: the first axis of an item."""

    def construct(
        self, width: int, stride: int, power: float, batch_mode: bool | None = None
    ) -> None:
        for name, value, most in (("width", width, 16), ("stride", stride, 4)):
            least = 2 if name == "width" else 1
            if not least <= whole(name, value) <= most:
                raise LayerError(f"{name} must be {least} to {most}, got {value}")
        self["width"], self["stride"] = whole("width", width), whole("stride", stride)
        self["power"] = real("power", power)
        self["batch_mode"] = flag("batch_mode", batch_mode)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, width, power = self.one(x), self.integer("width"), self.number("power")
        axis = int(bool(self.get("batch_mode")))
        rest = blob.shape[axis + 1 :]
        if not 0 <= len(rest) <= 2 or len(blob.shape) <= axis or blob.shape[axis] < width:
            raise LayerError(
                f"expected at least {width} features and at most 2 axes behind them, got {blob}"
            )
        plane = merge(net, blob, axis + 1, len(rest)) if rest else insert(net, blob, axis + 1)
        for _ in range(2 - axis):
            plane = insert(net, plane, 0 if axis == 0 else 1)
        pooling = {
            "pool": "AVE", "kernel_h": width, "kernel_w": 1, "stride_h": self.integer("stride"),
            "stride_w": 1, "round_mode": "FLOOR",
        }  # fmt: skip
        powers = net.layer("Power", plane, power_param={"power": power})
        means = net.layer("Pooling", powers, pooling_param=pooling)
        y = net.layer("Power", means, power_param={"scale": width, "power": 1 / power})
        for _ in range(2 - axis):
            y = drop(net, y, 0 if axis == 0 else 1)
        return replace_axes(net, y, axis + 1, 1, rest)
