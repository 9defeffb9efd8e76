"""Convolution on a GPU: through cuDNN, or with kernels of our own and cuBLAS."""

from __future__ import annotations

import math
from typing import Any

from protonet.blob import Array, Shape
from protonet.device import Device
from protonet.kernels.convolution import DEPTHWISE, Convolve
from protonet.kernels.cuda.convert import CastWeights
from protonet.kernels.cuda.convolution_algorithms import (
    OWN_ALGORITHMS,
    ConvolutionAlgorithm,
    Epilogue,
    apply_epilogue,
    as_two_axes,
)
from protonet.kernels.cuda.dnn import (
    BACKWARD,
    FORWARD,
    LEARN,
    Dnn,
    NotSupportedError,
    Plan,
    dnn,
)
from protonet.kernels.cuda.launch import DTYPES, MOST, compiled
from protonet.kernels.kernel import Algorithm, Condition, select_algorithm
from protonet.kernels.windows import Windows


def _can_be_counted(
    windows: Windows, items: int, channels: int, outputs: int, group: int, *_: str
) -> bool:
    counts = (
        outputs * (channels // group) * math.prod(windows.kernel),
        items * channels * math.prod(windows.inputs),
        items * outputs * math.prod(windows.outputs),
    )
    return all(0 < count <= MOST for count in counts)


USES_CUDNN = Condition(
    "one or two axes, and engine is CUDNN, or it is not CAFFE and no channel is a group of its own",
    lambda windows, channels, group, engine: (
        len(windows.inputs) <= 2
        and (engine == "CUDNN" or (engine != "CAFFE" and not DEPTHWISE.holds(channels, group)))
    ),
)


class CudaConvolve(Convolve, processor="cuda"):
    """The algorithm is selected by ``engine`` and the shapes."""

    dtypes = DTYPES
    requires = (Condition("1 to 2^31 - 1 elements in weights, bottom and top", _can_be_counted),)
    algorithms = (
        Algorithm("cuDNN where it is installed and has a plan", USES_CUDNN),
        *OWN_ALGORITHMS,
    )

    def __init__(
        self,
        device: Device,
        dtype: Any,
        windows: Windows,
        items: int,
        channels: int,
        outputs: int,
        group: int,
        engine: str = "",
    ) -> None:
        super().__init__(device, dtype, windows, items, channels, outputs, group, engine)
        self._own: ConvolutionAlgorithm | None = None
        self._extents = channels, outputs, group
        library = dnn(device) if USES_CUDNN.holds(windows, channels, group, engine) else None
        self._cudnn = _Cudnn(self, library, channels, outputs, group) if library else None

    def forward(
        self,
        x: Array,
        w: Array,
        bias: Array | None,
        y: Array,
        *,
        factor: Array | None = None,
        rectify: bool = False,
        addend: Array | None = None,
    ) -> None:
        epilogue = Epilogue(factor, bias, rectify and addend is None)
        if self._cudnn is None or not self._cudnn.forward(x, w, y, epilogue):
            self._algorithm.forward(x, w, y, epilogue)
        if addend is not None:
            self.add(y, addend, rectify=rectify)

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        if self._cudnn is None or not self._cudnn.backward(dy, w, dx):
            self._algorithm.backward(dy, w, dx)

    def learn(self, dy: Array, x: Array, dw: Array) -> None:
        if self._cudnn is None or not self._cudnn.learn(dy, x, dw):
            self._algorithm.learn(dy, x, dw)

    @property
    def _algorithm(self) -> ConvolutionAlgorithm:
        """Our own kernels for these shapes, allocated on first use."""
        if self._own is None:
            channels, _, group = self._extents
            self._own = select_algorithm(OWN_ALGORITHMS, self.windows, channels, group)(
                self, *self._extents
            )
        return self._own


class _Cudnn:
    """cuDNN's convolutions. Each returns False where cuDNN has no plan: use our own."""

    def __init__(self, of: Convolve, library: Dnn, channels: int, outputs: int, group: int) -> None:
        self._of, self._library, windows = of, library, of.windows
        flat = len(windows.inputs) == 1
        self._windows = as_two_axes(windows) if flat else windows
        w = self._windows
        self._x = (of.items, channels, *w.inputs)
        self._y = (of.items, outputs, *w.outputs)
        self._w = (outputs, channels // group, *w.kernel)
        self._source = compiled(of.device, "convolution", of.dtype)
        self._cast_weights = CastWeights(of, math.prod(self._w))
        self._dw: Array | None = None
        self._plans: dict[str, Plan | None] = {}

    def _plan(self, operation: str, first: Shape, second: Shape, result: Shape) -> Plan | None:
        """The plan of an operation; None where cuDNN has none."""
        if operation not in self._plans:
            try:
                plan = self._library.plan(
                    operation, first, second, result, self._windows, self._of.dtype
                )
            except NotSupportedError:
                plan = None
            self._plans[operation] = plan
        return self._plans[operation]

    def forward(self, x: Array, w: Array, y: Array, epilogue: Epilogue) -> bool:
        plan = self._plan(FORWARD, self._x, self._w, self._y)
        if plan is None:
            return False
        plan(x, self._cast_weights(w), y)
        apply_epilogue(self._source, y, epilogue, (*self._y[:2], math.prod(self._y[2:])))
        return True

    def backward(self, dy: Array, w: Array, dx: Array) -> bool:
        plan = self._plan(BACKWARD, self._y, self._w, self._x)
        if plan is not None:
            plan(dy, self._cast_weights(w), dx)
        return plan is not None

    def learn(self, dy: Array, x: Array, dw: Array) -> bool:
        plan = self._plan(LEARN, self._x, self._y, self._w)
        if plan is None:
            return False
        if self._dw is None:
            self._dw = self._of.scratch(dw.shape)
        plan(x, dy, self._dw)
        self._source.packs(dw.size, "add", self._dw, dw, dw.size)
        return True
