"""Layers that compute in 8-bit integers, in nets of inference; ``graph.int8`` chooses them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from protonet.blob import Array, Shape
from protonet.kernels.int8 import MOST_PRODUCTS, Coding, Int8Convolve, quantized_weights
from protonet.kernels.int8_values import Int8AveragePool, Int8Join, Int8MaxPool, Int8Sum
from protonet.kernels.windows import Windows
from protonet.layers.affine import AffineChain
from protonet.layers.base import Kind, Layer
from protonet.layers.combine import Eltwise
from protonet.layers.common import InnerProduct
from protonet.layers.convolution import Convolution
from protonet.layers.pooling import Pooling
from protonet.layers.rectifiers import ReLU
from protonet.layers.utility import Concat
from protonet.proto.caffe_pb2 import EltwiseParameter, PoolingParameter

_LEAST_OF_GROUP = 4
"""Channels of a group from which on convolutions of bytes are worth it: those of one product."""
_POOLS = (PoolingParameter.MAX, PoolingParameter.AVE)


class Codes(NamedTuple):
    """The codes of a layer's blobs: of bottoms, whether these hold them (else they hold floats),
    and of the top; None for floats.
    """

    bottoms: tuple[Coding, ...]
    taken: bool
    top: Coding | None


class IntegerLayer(Layer):
    """What layers in 8-bit integers have in common."""

    codes: Codes

    @property
    def target(self) -> Coding:
        """The codes of the top, where it must have them."""
        assert self.codes.top is not None
        return self.codes.top


class Int8Convolution(IntegerLayer, Convolution):
    """A convolution with BatchNorm, Scale and ReLU behind it."""

    def build(self, shapes: Sequence[Shape]) -> None:
        outputs = self.flat(shapes)[1]
        self._chain = AffineChain(self.device, self.real, outputs, self.fused.layers)
        (source,), takes, target = self.codes
        self._products = Int8Convolve.make(
            self.device, self.dtype, *self.kernel_for(shapes), source, target, takes
        )
        self._ready = False

    def forget_weights(self) -> None:
        self._ready = False

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if not self._ready:
            factor, shift = self._chain.compose(None, self.bias)
            prepare(self, self._products, factor, shift)
            self._ready = True
        self._products.forward(bottoms[0], tops[0], self.fused.rectify)


class Int8InnerProduct(IntegerLayer, InnerProduct):
    """A product as a convolution with one window, over all pixels of an image."""

    def build(self, shapes: Sequence[Shape]) -> None:
        items, channels, *extents = shapes[0]
        pixels = math.prod(extents)
        (source,), takes, target = self.codes
        if not takes:  # the order of floats is that of the weights
            channels, pixels = channels * pixels, 1
        windows = Windows((1, pixels), (1, pixels), (1, 1), (0, 0), (1, 1), (1, 1))
        shape = windows, items, channels, self.outputs, 1
        self._products = Int8Convolve.make(self.device, self.dtype, *shape, source, target, takes)
        self._ready = False

    def forget_weights(self) -> None:
        self._ready = False

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if not self._ready:
            prepare(self, self._products, None, self.params[1].data if self.bias_term else None)
            self._ready = True
        self._products.forward(bottoms[0], tops[0], self.fused.rectify)


class Int8Pooling(IntegerLayer, Pooling):
    """Maxima are codes of the bottom's coding; means have their own, or are floats."""

    def build(self, shapes: Sequence[Shape]) -> None:
        geometry = self.windows_over(shapes[0][2:]), *shapes[0][:2]
        self._kernel: Int8MaxPool | Int8AveragePool
        if self.method == PoolingParameter.MAX:
            self._kernel = Int8MaxPool.make(self.device, self.dtype, *geometry)
        else:
            how = self.codes.bottoms[0], self.codes.top
            self._kernel = Int8AveragePool.make(self.device, self.dtype, *geometry, *how)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._kernel.forward(bottoms[0], tops[0])


class Int8Concat(IntegerLayer, Concat):
    """Codes of one coding, copied."""

    def build(self, shapes: Sequence[Shape]) -> None:
        channels, pixels = [shape[1] for shape in shapes], math.prod(shapes[0][2:])
        self._join = Int8Join.make(self.device, self.dtype, shapes[0][0], channels, pixels)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._join.forward(bottoms, tops[0])


class Int8Eltwise(IntegerLayer, Eltwise):
    """The codes of a sum."""

    def build(self, shapes: Sequence[Shape]) -> None:
        items, channels, *extents = shapes[0]
        shape = items, channels, math.prod(extents)
        how = self.codes.bottoms, self.coeffs, self.target
        self._sum = Int8Sum.make(self.device, self.dtype, *shape, *how)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._sum.forward(bottoms, tops[0], self.fused.rectify)


class Int8ReLU(IntegerLayer, ReLU):
    """Nothing to compute: the codes that it reads begin with 0."""

    def setup(self) -> None:
        super().setup()
        self.traits = replace(self.traits, view=True)

    def build(self, shapes: Sequence[Shape]) -> None:
        """Nothing to prepare."""


_CLASSES: dict[type[Layer], type[IntegerLayer]] = {
    Convolution: Int8Convolution,
    InnerProduct: Int8InnerProduct,
    Pooling: Int8Pooling,
    Concat: Int8Concat,
    Eltwise: Int8Eltwise,
    ReLU: Int8ReLU,
}


def in_integers(layer: Layer, codes: Codes) -> IntegerLayer:
    """A layer that ``can_take_codes``, to compute with these codes."""
    made = _CLASSES[type(layer)](layer.spec, layer.phase, layer.context)
    made.setup()
    made.codes = codes
    return made


def prepare(
    layer: IntegerLayer, kernel: Int8Convolve, factor: Array | None, shift: Array | None
) -> None:
    """Give a kernel the weights, and what the sums are multiplied with and shifted by."""
    get = layer.device.get
    w = np.asarray(get(layer.params[0].data))
    weights, scales = quantized_weights(w, kernel.channels // kernel.group)
    scales = scales * np.float32(layer.codes.bottoms[0].scale)
    if factor is not None:
        scales = scales * np.asarray(get(factor), np.float32)
    plus = np.zeros_like(scales) if shift is None else np.array(get(shift), np.float32)
    kernel.prepare(weights, scales, plus)


def makes_codes(layer: Layer) -> bool:
    """Whether a layer in integers writes codes only, whoever reads them."""
    return type(layer) in (Concat, Eltwise) or keeps_coding(layer)


def keeps_coding(layer: Layer) -> bool:
    """Whether bottoms and tops have one coding."""
    if type(layer) is Pooling:
        return layer.method == PoolingParameter.MAX
    return type(layer) in (Concat, ReLU)


def takes_floats(layer: Layer) -> bool:
    """Whether a layer in integers makes the codes of its bottom itself."""
    return type(layer) in (Convolution, InnerProduct)


def can_take_codes(layer: Layer, shapes: Sequence[Shape]) -> bool:
    """Whether a layer can compute on bottoms of these shapes in 8-bit integers."""
    if any(len(shape) < 2 or not math.prod(shape) for shape in shapes):
        return False
    if type(layer) is Convolution:
        axes = len(shapes[0]) - 2
        windows = axes in (1, 2) and layer.traits.kind is Kind.CONVOLUTION
        weights = layer.declare(shapes)[0].shape
        # with fewer channels in a group, sums of bytes take longer than of floats
        depthwise = weights[1] == 1 and weights[0] == shapes[0][1]
        deep = depthwise or weights[1] >= _LEAST_OF_GROUP or weights[1] == shapes[0][1]
        return windows and deep and math.prod(weights[1:]) <= MOST_PRODUCTS
    if type(layer) is InnerProduct:
        spec, shape = layer.spec.inner_product_param, shapes[0]
        rows = layer.axis_of(shape) == 1 and not (spec.transpose or spec.normalize)
        return rows and math.prod(shape[1:]) <= MOST_PRODUCTS
    if type(layer) is Pooling:
        return _can_pool(layer)
    if type(layer) is Concat:
        return layer.axis_of(shapes[0]) == 1
    if type(layer) is ReLU:
        return layer.negative_slope == 0
    return type(layer) is Eltwise and layer.operation == EltwiseParameter.SUM


def _can_pool(layer: Pooling) -> bool:
    """Whether codes are pooled: no window lies outside of the image, where a stride exceeds it."""
    inside = layer.spec.pooling_param.global_pooling or all(
        s <= k for s, k in zip(layer.stride, layer.kernel, strict=True)
    )
    plain = not layer.divides_anew and layer.dilation == (1, 1) and layer.pad_after == layer.pad
    return inside and plain and layer.method in _POOLS and len(layer.spec.top) == 1
