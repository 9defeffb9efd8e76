"""Activations on a GPU: one pass in each direction."""

from __future__ import annotations

import math

from protonet.blob import Array
from protonet.kernels.activations import (
    ELU,
    Absolute,
    Activation,
    Bounds,
    Rectifier,
    Sigmoid,
    Softplus,
    Swish,
    TanH,
)
from protonet.kernels.cuda.launch import DTYPES, ELEMENTS, compiled


class Elements(Activation):
    """Shared base of elementwise functions; follows the definition among a version's bases.

    ``source`` names the CUDA source, ``numbers`` the attributes that its functions take.
    """

    dtypes = DTYPES
    source = "activations"
    numbers: tuple[str, ...] = ()

    requires = (ELEMENTS,)

    def launch(self, function: str, *arrays: Array | None, flags: tuple[bool, ...] = ()) -> None:
        """Launch a function over arrays with the count of elements, the numbers and flags."""
        count = math.prod(self._shape)
        numbers = [float(getattr(self, name)) for name in self.numbers]
        source = compiled(self.device, self.source, self.dtype)
        source.packs(count, function, *arrays, count, *numbers, *flags)


class CudaRectifier(Rectifier, Elements, processor="cuda"):
    """One pass."""

    numbers = ("slope",)

    def forward(self, x: Array, y: Array) -> None:
        self.launch("rectify", x, y)

    def backward(self, dy: Array, sided: Array, dx: Array) -> None:
        self.launch("rectify_back", dy, sided, dx)


class CudaBounds(Bounds, Elements, processor="cuda"):
    """One pass."""

    numbers = ("low", "high")

    def forward(self, x: Array, y: Array) -> None:
        self.launch("clip", x, y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        self.launch("clip_back", dy, x, dx, flags=(self.is_open,))


class CudaELU(ELU, Elements, processor="cuda"):
    """One pass."""

    numbers = ("alpha",)

    def forward(self, x: Array, y: Array) -> None:
        self.launch("elu", x, y)

    def backward(self, dy: Array, y: Array, sided: Array, dx: Array) -> None:
        self.launch("elu_back", dy, y, sided, dx)


class CudaSwish(Swish, Elements, processor="cuda"):
    """One pass."""

    numbers = ("beta",)

    def forward(self, x: Array, y: Array) -> None:
        self.launch("swish", x, y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        self.launch("swish_back", dy, x, dx)


class CudaSigmoid(Sigmoid, Elements, processor="cuda"):
    """One pass."""

    def forward(self, x: Array, y: Array) -> None:
        self.launch("sigmoid_forward", x, y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        self.launch("sigmoid_back", dy, y, dx)


class CudaTanH(TanH, Elements, processor="cuda"):
    """One pass."""

    def forward(self, x: Array, y: Array) -> None:
        self.launch("tanh_forward", x, y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        self.launch("tanh_back", dy, y, dx)


class CudaSoftplus(Softplus, Elements, processor="cuda"):
    """One pass."""

    def forward(self, x: Array, y: Array) -> None:
        self.launch("softplus", x, y)

    def backward(self, dy: Array, y: Array, dx: Array) -> None:
        self.launch("softplus_back", dy, y, dx)


class CudaAbsolute(Absolute, Elements, processor="cuda"):
    """One pass."""

    def forward(self, x: Array, y: Array) -> None:
        self.launch("absolute", x, y)

    def backward(self, dy: Array, x: Array, dx: Array) -> None:
        self.launch("absolute_back", dy, x, dx)
