"""Powers, exponentials and logarithms on a GPU."""

from __future__ import annotations

from protonet.blob import Array
from protonet.kernels.cuda.activations import Elements
from protonet.kernels.powers import Exponential, Logarithm, Power


class _Powers(Elements):
    """The functions of powers.cu."""

    source = "powers"


class CudaPower(Power, _Powers, processor="cuda"):
    """One pass."""

    numbers = ("power", "scale", "shift")

    def forward(self, x: Array, y: Array, *, rectify: bool = False) -> None:
        self.launch("power", x, y, flags=(rectify,))

    def backward(self, dy: Array, x: Array, dx: Array, *, y: Array | None = None) -> None:
        self.launch("power_back", dy, x, y, dx)


class CudaExponential(Exponential, _Powers, processor="cuda"):
    """One pass."""

    numbers = ("inner", "outer")

    def forward(self, x: Array, y: Array) -> None:
        self.launch("exponential", x, y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        self.launch("exponential_back", dy, y, dx)


class CudaLogarithm(Logarithm, _Powers, processor="cuda"):
    """One pass."""

    numbers = ("scale", "shift", "factor")

    def forward(self, x: Array, y: Array) -> None:
        self.launch("logarithm", x, y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        self.launch("logarithm_back", dy, x, dx)
