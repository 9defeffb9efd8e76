"""Solver update rules, over one long vector of weights w, their gradients g and history."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel


class Update(Kernel):
    """Updates w by its gradient and that of the regularization; g may be overwritten.

    Args:
        w: the weights; like g and history a vector at a fixed address.
        g: their gradients.
        history: the optimizer state, as many vectors as the rule has slots.
        decay: of the weights.
        l1: whether the penalty is L1, not L2.
        constants: those of the rule: ``momentum`` and others.
    """

    capturable: ClassVar[bool] = False
    """Whether a step may be divided into ``prepare`` and ``launch``; ``launch`` then leaves
    everything as it is where ``halt``, one number on the device, is not 0.
    """
    name: ClassVar[str]
    """What compiled sources call the rule."""
    order: ClassVar[tuple[str, ...]]
    """Its constants, in the argument order of those sources."""

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
        super().__init__(device, dtype)
        self.w, self.g, self.history, self.decay, self.l1 = w, g, tuple(history), decay, l1
        self.constants = constants
        self.halt: Array | None = None
        self._scratch: Array | None = None

    def step(self, rate: float, iteration: int, share: float) -> None:
        """Move ``w`` and the history by ``share`` times the gradients.

        Args:
            rate: the learning rate of these weights.
            iteration: counted from 0.
            share: a factor that is applied to the gradients first.
        """
        xp = self.xp
        if share != 1:
            xp.multiply(self.g, share, self.g)
        if self.decay:
            self.penalty(self.scratch_of_w())
            self.regularize(rate)
        self.move(rate, iteration)

    def prepare(self, rate: float, iteration: int) -> None:
        """Write the numbers that change from step to step to device memory."""
        raise NotImplementedError

    def launch(self, share: float) -> None:
        """Launch the rest of the step: the same work each time."""
        raise NotImplementedError

    def regularize(self, rate: float) -> None:
        """Apply the gradient of the penalty, which the scratch holds."""
        self.xp.add(self.g, self.scratch_of_w(), self.g)

    def move(self, rate: float, iteration: int) -> None:
        """Update ``w`` and the history; ``g`` may be overwritten."""
        raise NotImplementedError

    def penalty(self, out: Array) -> None:
        """Write decay w, or decay sign(w)."""
        source = self.xp.sign(self.w, out) if self.l1 else self.w
        self.xp.multiply(source, self.decay, out)

    def scratch_of_w(self) -> Array:
        """Scratch of w's size."""
        if self._scratch is None:
            self._scratch = self.scratch(self.w.shape)
        return self._scratch

    def average(self, mean: Array, keep: float, value: Array) -> None:
        """``mean = keep mean + (1 - keep) value``; overwrites ``value``."""
        xp = self.xp
        xp.multiply(value, 1 - keep, value)
        xp.multiply(mean, keep, mean)
        xp.add(mean, value, mean)

    def descend(self, direction: Array, squares: Array, rate: float) -> None:
        """``w -= rate direction / (sqrt(squares) + delta)``; overwrites ``g`` and the scratch."""
        xp, g, scratch = self.xp, self.g, self.scratch_of_w()
        xp.sqrt(squares, scratch)
        xp.add(scratch, self.constants["delta"], scratch)
        xp.divide(direction, scratch, g)
        xp.multiply(g, rate, g)
        xp.subtract(self.w, g, self.w)


class SGDUpdate(Update):
    """``h = momentum h + rate g; w -= h``."""

    name, order = "sgd", ("momentum",)

    def move(self, rate: float, iteration: int) -> None:
        xp, w, g, (h,) = self.xp, self.w, self.g, self.history
        xp.multiply(g, rate, g)
        xp.multiply(h, self.constants["momentum"], h)
        xp.add(h, g, h)
        xp.subtract(w, h, w)


class NesterovUpdate(Update):
    """``h' = momentum h + rate g; w -= (1 + momentum) h' - momentum h``."""

    name, order = "nesterov", ("momentum",)

    def move(self, rate: float, iteration: int) -> None:
        xp, w, g, (h,), coasted = self.xp, self.w, self.g, self.history, self.scratch_of_w()
        momentum = self.constants["momentum"]
        xp.multiply(h, momentum, coasted)
        xp.multiply(g, rate, g)
        xp.add(coasted, g, h)
        xp.multiply(h, 1 + momentum, g)
        xp.subtract(g, coasted, g)
        xp.subtract(w, g, w)


class AdaGradUpdate(Update):
    """``h += g^2; w -= rate g / (sqrt(h) + delta)``."""

    name, order = "adagrad", ("delta",)

    def move(self, rate: float, iteration: int) -> None:
        g, (h,), scratch = self.g, self.history, self.scratch_of_w()
        self.xp.multiply(g, g, scratch)
        self.xp.add(h, scratch, h)
        self.descend(g, h, rate)


class RMSPropUpdate(Update):
    """``h = d h + (1 - d) g^2; w -= rate g / (sqrt(h) + delta)``, with d = ``rms_decay``."""

    name, order = "rmsprop", ("delta", "rms_decay")

    def move(self, rate: float, iteration: int) -> None:
        g, (h,), scratch = self.g, self.history, self.scratch_of_w()
        self.xp.multiply(g, g, scratch)
        self.average(h, self.constants["rms_decay"], scratch)
        self.descend(g, h, rate)


class AdaDeltaUpdate(Update):
    """``h = m h + (1 - m) g^2; u = g sqrt((s + delta) / (h + delta)); s = m s + (1 - m) u^2;
    w -= rate u``, with m = ``momentum``.
    """

    name, order = "adadelta", ("delta", "momentum")

    def move(self, rate: float, iteration: int) -> None:
        xp, w, u, (h, s), scratch = self.xp, self.w, self.g, self.history, self.scratch_of_w()
        xp.multiply(u, u, scratch)
        self.average(h, self.constants["momentum"], scratch)
        for squares, scale in ((h, xp.divide), (s, xp.multiply)):
            xp.add(squares, self.constants["delta"], scratch)
            xp.sqrt(scratch, scratch)
            scale(u, scratch, u)
        xp.multiply(u, u, scratch)
        self.average(s, self.constants["momentum"], scratch)
        xp.multiply(u, rate, u)
        xp.subtract(w, u, w)


class AdamUpdate(Update):
    """``m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    w -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + delta)``, with b1 = ``momentum``,
    b2 = ``momentum2`` and t from 1.
    """

    name, order = "adam", ("delta", "momentum", "momentum2")

    def move(self, rate: float, iteration: int) -> None:
        g, (m, v), scratch = self.g, self.history, self.scratch_of_w()
        self.xp.multiply(g, g, scratch)
        self.average(v, self.constants["momentum2"], scratch)
        self.average(m, self.constants["momentum"], g)
        self.descend(m, v, rate * self.correction(iteration))

    def correction(self, iteration: int) -> float:
        """The bias correction of averages that start at 0."""
        of_mean, of_squares = self.bias_correction(iteration)
        return math.sqrt(of_squares) / of_mean

    def bias_correction(self, iteration: int) -> tuple[float, float]:
        """The bias correction of both averages: 1 - b1^t and 1 - b2^t."""
        b1, b2, t = self.constants["momentum"], self.constants["momentum2"], iteration + 1
        return 1 - b1**t, 1 - b2**t


class AdamWUpdate(AdamUpdate):
    """``w -= rate decay w``, then ``w -= rate / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + delta)``
    with the m and v of Adam.
    """

    name, order = "adamw", ("delta", "momentum", "momentum2")

    def regularize(self, rate: float) -> None:
        scratch = self.scratch_of_w()
        self.xp.multiply(scratch, rate, scratch)
        self.xp.subtract(self.w, scratch, self.w)

    def move(self, rate: float, iteration: int) -> None:
        xp, w, g, (m, v), scratch = self.xp, self.w, self.g, self.history, self.scratch_of_w()
        xp.multiply(g, g, scratch)
        self.average(v, self.constants["momentum2"], scratch)
        self.average(m, self.constants["momentum"], g)
        of_mean, of_squares = self.bias_correction(iteration)
        xp.divide(v, of_squares, scratch)
        xp.sqrt(scratch, scratch)
        xp.add(scratch, self.constants["delta"], scratch)
        xp.divide(m, scratch, g)
        xp.multiply(g, rate / of_mean, g)
        xp.subtract(w, g, w)


class TorchSGDUpdate(Update):
    """``h = momentum h + (1 - dampening) g; w -= rate h``, with ``nesterov``
    ``w -= rate (g + momentum h)``. The first gradient is taken undampened, and without momentum
    dampening has no effect: as in Torch7, optim/sgd.lua.
    """

    name, order = "torch_sgd", ("momentum", "nesterov")

    def move(self, rate: float, iteration: int) -> None:
        xp, w, g, (h,), scratch = self.xp, self.w, self.g, self.history, self.scratch_of_w()
        momentum = self.constants["momentum"]
        xp.multiply(g, self.share_of_gradient(iteration), scratch)
        xp.multiply(h, momentum, h)
        xp.add(h, scratch, h)
        if self.constants["nesterov"]:
            xp.multiply(h, momentum, scratch)
            xp.add(g, scratch, g)
            xp.multiply(g, rate, g)
        else:
            xp.multiply(h, rate, g)
        xp.subtract(w, g, w)

    def share_of_gradient(self, iteration: int) -> float:
        """1 - dampening, where that applies."""
        dampened = iteration > 0 and self.constants["momentum"] != 0
        return 1 - self.constants["dampening"] if dampened else 1.0


class _Compiled(Update):
    """A step in one pass that does not change ``g``. It is bound to the arrays."""

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
        held = native.load().Update(w, g, list(history), decay, l1)
        self._step = getattr(held, self.name)
        self._numbers = tuple(constants[name] for name in self.order)

    def step(self, rate: float, iteration: int, share: float) -> None:
        self._step(rate, share, *self._numbers)


class NativeSGD(SGDUpdate, _Compiled, processor="native"):
    """One pass."""


class NativeNesterov(NesterovUpdate, _Compiled, processor="native"):
    """One pass."""


class NativeAdaGrad(AdaGradUpdate, _Compiled, processor="native"):
    """One pass."""


class NativeRMSProp(RMSPropUpdate, _Compiled, processor="native"):
    """One pass."""


class NativeAdaDelta(AdaDeltaUpdate, _Compiled, processor="native"):
    """One pass."""


class NativeAdam(AdamUpdate, _Compiled, processor="native"):
    """One pass."""

    def step(self, rate: float, iteration: int, share: float) -> None:
        self._step(rate * self.correction(iteration), share, *self._numbers)


class NativeAdamW(AdamWUpdate, _Compiled, processor="native"):
    """One pass."""

    def step(self, rate: float, iteration: int, share: float) -> None:
        of_mean, of_squares = self.bias_correction(iteration)
        self._step(rate / of_mean, share, *self._numbers, rate, of_squares)


class NativeTorchSGD(TorchSGDUpdate, _Compiled, processor="native"):
    """One pass."""

    @classmethod
    def supports(cls, *args: Any, **more: Any) -> bool:
        """Not in a checkout whose compiled kernels are older than this rule."""
        return hasattr(native.load().Update, cls.name)

    def step(self, rate: float, iteration: int, share: float) -> None:
        momentum, nesterov = self._numbers
        self._step(rate, share, self.share_of_gradient(iteration), momentum, bool(nesterov))
