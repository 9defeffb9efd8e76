"""Layers that compute in 8-bit integers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Shape
from protonet.kernels.int8 import MOST_PRODUCTS
from protonet.layers.base import Kind, Layer
from protonet.layers.combine import Eltwise
from protonet.layers.common import InnerProduct
from protonet.layers.convolution import Convolution
from protonet.layers.pooling import Pooling
from protonet.layers.utility import Concat
from protonet.proto.caffe_pb2 import EltwiseParameter, PoolingParameter

_POOLS = (PoolingParameter.MAX, PoolingParameter.AVE)


def can_take_codes(layer: Layer, shapes: Sequence[Shape]) -> bool:
    """Whether a layer can compute on bottoms of these shapes in 8-bit integers."""
    if any(len(shape) < 2 or not math.prod(shape) for shape in shapes):
        return False
    if type(layer) is Convolution:
        axes = len(shapes[0]) - 2
        windows = axes in (1, 2) and layer.traits.kind is Kind.CONVOLUTION
        return windows and math.prod(layer.declare(shapes)[0].shape[1:]) <= MOST_PRODUCTS
    if type(layer) is InnerProduct:
        spec, shape = layer.spec.inner_product_param, shapes[0]
        rows = layer.axis_of(shape) == 1 and not (spec.transpose or spec.normalize)
        return rows and math.prod(shape[1:]) <= MOST_PRODUCTS
    if type(layer) is Pooling:
        return layer.method in _POOLS and len(layer.spec.top) == 1 and not layer.divides_anew
    if type(layer) is Concat:
        return layer.axis_of(shapes[0]) == 1
    return type(layer) is Eltwise and layer.operation == EltwiseParameter.SUM
