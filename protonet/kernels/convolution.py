"""Convolution and its gradients, as products of weights and unrolled windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import OTHERWISE, STORED, Algorithm, Call, Condition, Kernel
from protonet.kernels.windows import MODEST, Windows

if TYPE_CHECKING:
    from protonet.kernels.combine import Combine

DEPTHWISE = Condition(
    "every channel is a group of its own", lambda channels, group: group == channels > 1
)
"""Matrix products have nothing to gain then."""


ConvolutionShape = tuple[Windows, int, int, int, int]
"""Windows, items, channels, outputs and groups."""


class Stage(NamedTuple):
    """What a convolution does: its weights, and then a factor (1), a shift (0) and a ReLU."""

    weights: Array
    factor: Array | None
    shift: Array | None
    rectify: bool


class Convolve(Kernel):
    """The three products of a convolution, for ``items`` images of ``channels`` channels.

    With the windows of an image as columns X, for each group: Y = W X + b, dX = W^T dY,
    dW += dY X^T. A transposed convolution is the same with forward and backward exchanged.

    Args:
        windows: the windows over one plane.
        items: images in a batch.
        channels: of an image.
        outputs: channels of the result.
        group: the number of groups.
        engine: ``"CAFFE"`` for our own kernels, ``"CUDNN"`` for those of cuDNN on a GPU that has
            it, empty for the fastest.
    """

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
        super().__init__(device, dtype)
        self.windows, self.items, self.engine = windows, items, engine
        kernel, places = math.prod(windows.kernel), math.prod(windows.outputs)
        self._image = (channels, *windows.inputs)
        self._columns_shape = (channels, *windows.kernel, *windows.outputs)
        self._matrix = (group, channels // group * kernel, places)
        self._result = (group, outputs // group, places)
        self._flat = (items, outputs, places)
        self._weight = (group, outputs // group, channels // group * kernel)
        self._columns: Array | None = None
        if type(self) is Convolve and not windows.is_identity:
            self._columns = device.zeros(
                self._columns_shape, dtype
            )  # so that the memory is counted
        self._dcolumns: Array | None = None
        self._dw: Array | None = None
        self._sum: Combine | None = None
        self.forms = {}

    keeps_weights = False
    """Whether weights and factors change before ``forget_weights`` only, and may be kept packed."""
    forms: MutableMapping[str, Array]
    """Where weights are kept packed, by the name of the form; several convolutions may share it."""

    @cached_property
    def _native(self) -> Any:
        """The compiled convolution, of a version that packs weights."""
        return None

    @cached_property
    def _form(self) -> str:
        """The name of the form in which weights are packed; empty if they are not."""
        return ""

    @property
    def _packed_type(self) -> np.dtype[Any]:
        """Of packed weights: pairs of bfloat16, or float32."""
        return np.dtype(np.uint32) if self.dtype.itemsize == 2 else self.dtype

    @property
    def packed_bytes(self) -> int:
        """What the packed weights take; 0 where ``forward`` reads the weights as they are."""
        if not (self.keeps_weights and self._form):
            return 0
        return int(self._native.packed_size()) * self._packed_type.itemsize

    @property
    def is_packed(self) -> bool:
        """Whether the weights are packed as ``forward`` reads them."""
        return self._form in self.forms

    def pack(self, w: Array) -> None:
        """Pack the weights; ``forward`` does not read them as they are then."""
        if not self.is_packed:
            size = self._packed_type.itemsize * self._native.packed_size()
            self.forms[self._form] = self.device.aligned_bytes(size).view(self._packed_type)
        self._native.pack(w, self.forms[self._form])

    def packed(self, w: Array) -> Array:
        """The packed weights, those that are kept or else packed now."""
        if not (self.keeps_weights and self.is_packed):
            self.pack(w)
        return self.forms[self._form]

    def forget_weights(self) -> None:
        """The weights have changed."""
        self.forms.clear()

    def call(self, x: Array, stage: Stage, y: Array, addend: Array | None = None) -> Call | None:
        """What ``forward`` calls, as long as weights are kept; None if that is not one function."""
        return None

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
        """Write ``factor`` (1) times the convolution of ``x``, plus ``bias`` (0) and ``addend``
        (0), to ``y``: ``factor`` and ``bias`` are per output, ``addend`` has the shape of ``y``.
        With ``rectify`` negative values become 0.
        """
        xp, weight = self.xp, w.reshape(self._weight)
        results = y.reshape(self.items, *self._result)
        for image, result in zip(x.reshape(self.items, -1), results, strict=True):
            xp.matmul(weight, self._columns_of(image), out=result)
        flat = y.reshape(self._flat)
        if factor is not None:
            xp.multiply(flat, factor[:, None], out=flat)
        if bias is not None:
            xp.add(flat, bias[:, None], out=flat)
        if addend is not None:
            xp.add(y, addend, out=y)
        if rectify:
            xp.maximum(y, 0.0, out=y)

    def add(self, y: Array, addend: Array, *, rectify: bool) -> None:
        """Add to a result, in a pass of its own."""
        if self._sum is None:
            from protonet.kernels.combine import Combine  # for convolutions behind which a sum is

            self._sum = Combine.make(self.device, self.dtype, self._flat, 2)
        self._sum.weighted_sum([y, addend], (1.0, 1.0), y, rectify=rectify)

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        """Write the gradient of ``x`` to ``dx``."""
        xp, weight = self.xp, w.reshape(self._weight).swapaxes(1, 2)
        dresults = dy.reshape(self.items, *self._result)
        for dresult, dimage in zip(dresults, dx.reshape(self.items, -1), strict=True):
            if self.windows.is_identity:
                xp.matmul(weight, dresult, out=dimage.reshape(self._matrix))
                continue
            if self._dcolumns is None:
                self._dcolumns = self.scratch(self._columns_shape)
            xp.matmul(weight, dresult, out=self._dcolumns.reshape(self._matrix))
            self.windows.col2im(xp, self._dcolumns, dimage.reshape(self._image))

    def learn(self, dy: Array, x: Array, dw: Array) -> None:
        """Add the gradient of the weight to ``dw``."""
        xp, diff = self.xp, dw.reshape(self._weight)
        if self._dw is None:
            self._dw = self.scratch(self._weight)
        dresults = dy.reshape(self.items, *self._result)
        for dresult, image in zip(dresults, x.reshape(self.items, -1), strict=True):
            xp.matmul(dresult, self._columns_of(image).swapaxes(1, 2), out=self._dw)
            xp.add(diff, self._dw, out=diff)

    def _columns_of(self, image: Array) -> Array:
        """The columns of one image as (group, rows, places)."""
        if self.windows.is_identity:
            return image.reshape(self._matrix)
        if self._columns is None:
            self._columns = self.device.zeros(self._columns_shape, self.dtype)
        self.windows.im2col(image.reshape(self._image), self._columns)
        return self._columns.reshape(self._matrix)


class NativeConvolve(Convolve, processor="native"):
    """In one or two axes, with implicit im2col."""

    dtypes = STORED
    instructions: ClassVar[Mapping[str, str]] = {"bfloat16": "avx512_bf16"}
    requires = (
        Condition("one or two axes", lambda windows, *_, **__: len(windows.inputs) <= 2),
        MODEST,
    )
    algorithms = (
        Algorithm("a plane at a time", DEPTHWISE),
        Algorithm("products of matrices; of bfloat16 by AMX or AVX512_BF16", OTHERWISE),
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
        weights = 4 * math.prod(self._weight)
        if windows.kernel in ((3, 3), (5, 5)) and windows.stride == windows.dilation == (1, 1):
            weights = weights * 36 // math.prod(windows.kernel)  # transformed
        device.note_workspace(weights, weights)
        self._scaled: Array | None = None
        self._depthwise = DEPTHWISE.holds(channels, group)
        self._counts = (channels, outputs, group)
        self._adds = self.dtype == np.float32 and not self._depthwise

    @cached_property
    def _native(self) -> Any:
        """Constructed lazily: a memory estimate needs none of its tables."""
        module, w = native.of(self.dtype), self.windows.effective.in_two_axes
        channels, outputs, group = self._counts
        return (module.Depthwise if self._depthwise else module.Convolution)(
            self.items,
            channels,
            w.inputs,
            outputs,
            group,
            w.kernel,
            w.stride,
            w.pad,
            w.dilation,
            w.outputs,
        )

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
        if addend is not None and not self._adds:
            self.forward(x, w, bias, y, factor=factor)
            self.add(y, addend, rectify=rectify)
            return
        if self._depthwise:
            self._native.forward(x, self._scaled_by(factor, w), bias, y, rectify)
            return
        packs = self.keeps_weights and self._form
        function = self._native.forward_packed if packs else self._native.forward
        given = () if addend is None else (addend,)
        function(x, self.packed(w) if packs else w, factor, bias, y, rectify, *given)

    def call(self, x: Array, stage: Stage, y: Array, addend: Array | None = None) -> Call | None:
        if self._depthwise or not (self.keeps_weights and self._form):
            return None
        w, factor, shift, rectify = stage
        given = () if addend is None else (addend,)
        return self._native.forward_packed, (x, self.packed(w), factor, shift, y, rectify, *given)

    @cached_property
    def _form(self) -> str:
        form: str = "" if self._depthwise else self._native.packed_form()
        return form and f"{form} {self._weight}"

    def forget_weights(self) -> None:
        super().forget_weights()
        self._scaled = None

    def _scaled_by(self, factor: Array | None, w: Array) -> Array:
        """The weights times ``factor``."""
        if factor is None:
            return w
        kept = self._scaled is not None and self.keeps_weights
        if self._scaled is None:
            self._scaled = self.scratch(w.shape, self.real)
        if not kept:
            self.xp.multiply(w, factor.reshape(-1, *(1,) * (w.ndim - 1)), out=self._scaled)
        return self._scaled

    def backward(self, dy: Array, w: Array, dx: Array) -> None:
        self._native.backward(dy, w, dx)

    def learn(self, dy: Array, x: Array, dw: Array) -> None:
        self._native.learn(dy, x, dw)
