"""Solver update rules on a GPU: one pass, whose varying numbers are in device memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import compiled
from protonet.kernels.updates import (
    AdaDeltaUpdate,
    AdaGradUpdate,
    AdamUpdate,
    AdamWUpdate,
    NesterovUpdate,
    RMSPropUpdate,
    SGDUpdate,
    TorchSGDUpdate,
    Update,
)


class _OnePass(Update):
    """A step that does not change ``g``."""

    capturable = True
    shares: ClassVar[tuple[str, ...]] = ()
    """The constants c for which 1 - c is passed too."""

    def __init__(
        self,
        device: Device,
        dtype: Any,
        w: Array,
        g: Array,
        history: Sequence[Array],
        decay: float,
        l1: bool,
        **constants: float,
    ) -> None:
        super().__init__(device, dtype, w, g, history, decay, l1, **constants)
        self._source = compiled(device, "updates")
        self._numbers = self.scratch((3,))
        # in float32, 1 - 0.999 cancels its last digits
        self._constants = [float(constants[name]) for name in self.order] + [
            1 - float(constants[name]) for name in self.shares
        ]

    def step(self, rate: float, iteration: int, share: float) -> None:
        self.prepare(rate, iteration)
        self.launch(share)

    def numbers(self, rate: float, iteration: int) -> tuple[float, float, float]:
        """What the source calls ``numbers``."""
        return float(rate), 0.0, 0.0

    def prepare(self, rate: float, iteration: int) -> None:
        # Arguments of a kernel are copied when it is launched: no host memory is read later.
        numbers = self.numbers(rate, iteration)
        self._source.blocks((1,), "set_numbers", self._numbers, *numbers)

    def launch(self, share: float) -> None:
        count = self.w.size
        arrays = (self.w, self.g, *self.history, self._numbers, self.halt)
        fixed = (float(share), float(self.decay), self.l1, *self._constants)
        if count:
            self._source.packs(count, self.name, *arrays, count, *fixed)


class CudaSGD(SGDUpdate, _OnePass, processor="cuda"):
    """One pass."""


class CudaNesterov(NesterovUpdate, _OnePass, processor="cuda"):
    """One pass."""


class CudaAdaGrad(AdaGradUpdate, _OnePass, processor="cuda"):
    """One pass."""


class CudaRMSProp(RMSPropUpdate, _OnePass, processor="cuda"):
    """One pass."""

    shares = ("rms_decay",)


class CudaAdaDelta(AdaDeltaUpdate, _OnePass, processor="cuda"):
    """One pass."""

    shares = ("momentum",)


class CudaAdam(AdamUpdate, _OnePass, processor="cuda"):
    """One pass."""

    shares = ("momentum", "momentum2")

    def numbers(self, rate: float, iteration: int) -> tuple[float, float, float]:
        return float(rate) * self.correction(iteration), 0.0, 0.0


class CudaAdamW(AdamWUpdate, _OnePass, processor="cuda"):
    """One pass."""

    shares = ("momentum", "momentum2")

    def numbers(self, rate: float, iteration: int) -> tuple[float, float, float]:
        of_mean, of_squares = self.bias_correction(iteration)
        return float(rate) / of_mean, float(rate), of_squares


class CudaTorchSGD(TorchSGDUpdate, _OnePass, processor="cuda"):
    """One pass."""

    def numbers(self, rate: float, iteration: int) -> tuple[float, float, float]:
        return float(rate), float(self.share_of_gradient(iteration)), 0.0
