"""Converters of layers that compute: activations, elementwise operations, reductions, norms."""

from __future__ import annotations

import math

import numpy as np

from protonet.blob import Shape
from protonet.layers.rows import EPS
from protonet.onnx.conversion import Conversion, OnnxError, converts
from protonet.proto.caffe_pb2 import (
    EltwiseParameter,
    LRNParameter,
    ReductionParameter,
)

# Activations.


@converts("AbsVal")
def absolute(c: Conversion) -> str:
    return str(c.op("Abs", c.bottoms[0]))


@converts("BNLL")
def softplus(c: Conversion) -> str:
    return str(c.op("Softplus", c.bottoms[0]))


@converts("Clip", "ReLU6")
def clip(c: Conversion) -> str:
    return str(c.op("Clip", c.bottoms[0], c.constant(c.layer.low), c.constant(c.layer.high)))


@converts("ELU")
def elu(c: Conversion) -> str:
    return str(c.op("Elu", c.bottoms[0], alpha=c.layer.alpha))


@converts("SeLu")
def selu(c: Conversion) -> str:
    return str(c.op("Selu", c.bottoms[0], alpha=c.layer.alpha, gamma=c.layer.factor))


@converts("PReLU")
def prelu(c: Conversion) -> str:
    count = len(c.shapes[0])
    slope = c.param(0, (c.values(0).size, *(1,) * (count - 2)))
    return str(c.op("PRelu", c.bottoms[0], slope))


@converts("ReLU")
def relu(c: Conversion) -> str:
    slope = c.layer.negative_slope
    if slope == 0:
        return str(c.op("Relu", c.bottoms[0]))
    return str(c.op("LeakyRelu", c.bottoms[0], alpha=slope))


@converts("Sigmoid")
def sigmoid(c: Conversion) -> str:
    return str(c.op("Sigmoid", c.bottoms[0]))


@converts("Swish")
def swish(c: Conversion) -> str:
    x = c.bottoms[0]
    gate = c.op("Sigmoid", _times(c, x, c.layer.beta))
    return str(c.op("Mul", x, gate))


@converts("TanH")
def tanh(c: Conversion) -> str:
    return str(c.op("Tanh", c.bottoms[0]))


@converts("Softmax")
def softmax(c: Conversion) -> str:
    return str(c.op("Softmax", c.bottoms[0], axis=c.layer.axis_of(c.shapes[0])))


# Powers.


@converts("Power")
def power(c: Conversion) -> str:
    layer, x = c.layer, c.bottoms[0]
    if layer.constant is not None:
        return str(c.op("Expand", c.constant(layer.constant), c.op("Shape", x)))
    y = _plus(c, _times(c, x, layer.scale), layer.shift)
    if layer.power == 2:
        y = c.op("Mul", y, y)
    elif layer.power != 1:
        y = c.op("Pow", y, c.constant(layer.power))
    return y


@converts("Exp")
def exponential(c: Conversion) -> str:
    spec = c.spec.exp_param
    log_base = 1.0 if spec.base == -1 else math.log(spec.base)
    y = c.op("Exp", _times(c, c.bottoms[0], log_base * spec.scale))
    return _times(c, y, math.exp(log_base * spec.shift))


@converts("Log")
def logarithm(c: Conversion) -> str:
    spec = c.spec.log_param
    y = c.op("Log", _plus(c, _times(c, c.bottoms[0], spec.scale), spec.shift))
    return _times(c, y, 1.0 if spec.base == -1 else 1 / math.log(spec.base))


# Sums and products.


@converts("InnerProduct")
def inner_product(c: Conversion) -> str:
    layer, shape = c.layer, c.shapes[0]
    axis = layer.axis_of(shape)
    matrix = (math.prod(shape[:axis]), math.prod(shape[axis:]))
    x = c.seen(c.bottoms[0], shape, matrix)
    params = [c.param(place) for place in range(2 if layer.bias_term else 1)]
    if layer.spec.inner_product_param.normalize:
        weight = c.values(0)
        params[0] = c.constant(weight / np.sqrt((weight**2).sum(axis=1, keepdims=True) + EPS))
    y = c.op("Gemm", x, *params, transB=0 if layer.transpose else 1)
    return c.seen(y, (matrix[0], layer.outputs), c.top_shapes[0])


@converts("Parameter")
def parameter(c: Conversion) -> str:
    return str(c.op("Identity", c.param(0)))


@converts("Eltwise")
def eltwise(c: Conversion) -> str:
    operation = c.layer.operation
    if operation == EltwiseParameter.MAX:
        return str(c.op("Max", *c.bottoms))
    if operation == EltwiseParameter.PROD:
        y, *others = c.bottoms
        for x in others:
            y = c.op("Mul", y, x)
        return y
    pairs = zip(c.bottoms, c.layer.coeffs, strict=True)
    return str(c.op("Sum", *(_times(c, x, coeff) for x, coeff in pairs)))


@converts("Add", "Mul")
def of_two(c: Conversion) -> str:
    return str(c.op(c.layer.type, *c.bottoms))


@converts("HardSwish")
def hard_swish(c: Conversion) -> str:
    x = c.bottoms[0]
    gate = c.op("Clip", c.op("Add", x, c.constant(3.0)), c.constant(0.0), c.constant(6.0))
    return str(c.op("Div", c.op("Mul", x, gate), c.constant(6.0)))


@converts("Axpy")
def axpy(c: Conversion) -> str:
    a, x, y = c.bottoms
    channels = (*c.shapes[1][:2], *(1,) * (len(c.shapes[1]) - 2))
    return str(c.op("Add", c.op("Mul", c.seen(a, c.shapes[0], channels), x), y))


@converts("Bias")
def bias(c: Conversion) -> str:
    return str(c.op("Add", c.bottoms[0], _laid(c, 0)))


@converts("Scale")
def scale(c: Conversion) -> str:
    y = c.op("Mul", c.bottoms[0], _laid(c, 0))
    if not c.spec.scale_param.bias_term:
        return str(y)
    index = 0 if c.layer.operand_is_bottom else 1
    return str(c.op("Add", y, c.param(index, _broadcast(c))))


def _laid(c: Conversion, index: int) -> str:
    """The smaller array of Scale and Bias: a second bottom, or a parameter."""
    if getattr(c.layer, "bounds", None):
        return c.constant(np.clip(c.values(index), *c.layer.bounds).reshape(_broadcast(c)))
    if not c.layer.operand_is_bottom:
        return c.param(index, _broadcast(c))
    return c.seen(c.bottoms[1], c.shapes[1], _broadcast(c))


def _broadcast(c: Conversion) -> Shape:
    """The shape in which the smaller array spreads over the bottom."""
    axis, small = c.layer.operand_axes(c.shapes)
    return (*small, *(1,) * (len(c.shapes[0]) - axis - len(small)))


@converts("Reduction")
def reduction(c: Conversion) -> str:
    layer, shape = c.layer, c.shapes[0]
    kind = {
        ReductionParameter.SUM: "ReduceSum",
        ReductionParameter.ASUM: "ReduceL1",
        ReductionParameter.SUMSQ: "ReduceSumSquare",
        ReductionParameter.MEAN: "ReduceMean",
        ReductionParameter.MAX: "ReduceMax",
        ReductionParameter.MIN: "ReduceMin",
    }[layer.operation]
    axes = c.integers(range(*layer.axes_of(shape)))
    return _times(c, c.op(kind, c.bottoms[0], axes, keepdims=0), layer.coeff)


@converts("ArgMax")
def arg_max(c: Conversion) -> str:
    """Of equal values Caffe takes the last, ONNX the first: it is given them backwards."""
    layer, shape = c.layer, c.shapes[0]
    matrix = layer.matrix_of(shape)
    x = c.seen(c.bottoms[0], shape, matrix)
    back = c.op(
        "Slice",
        x,
        c.integers([-1]),
        c.integers([-matrix[1] - 1]),
        c.integers([1]),
        c.integers([-1]),
    )
    best, places = c.op("TopK", back, c.integers([layer.top_k]), outputs=2, axis=1)
    index = c.op("Sub", c.constant(matrix[1] - 1), c.cast(places))
    if layer.along_axis:
        kinds = [best if layer.values else index]
    else:
        kinds = [index, best] if layer.values else [index]
    y = kinds[0] if len(kinds) == 1 else c.op("Concat", *kinds, axis=1)
    return c.reshape(y, c.top_shapes[0])


# Norms.


@converts("BatchNorm")
def batch_norm(c: Conversion) -> str:
    layer, shape = c.layer, c.shapes[0]
    if not layer.uses_global:
        raise OnnxError(
            "normalizes with the values of the batch at hand", ("batch_norm_param",),
            "use_global_stats: true takes those of the training",
        )  # fmt: skip
    weight = float(c.values(2).reshape(-1)[0])
    factor = 1 / weight if weight > 0 else 0.0
    average, variance = (c.values(place) * factor for place in (0, 1))
    if layer.eps_outside:
        variance = (np.sqrt(variance) + layer.eps) ** 2
    mean, var = c.constant(average), c.constant(variance)
    ones = np.ones_like(c.values(0))
    grown = c.param(3) if layer.scales else c.constant(ones)
    shift = c.param(4) if layer.scales else c.constant(0 * ones)
    matrix = shape if len(shape) > 1 else (math.prod(shape), 1)
    y = c.op(
        "BatchNormalization", c.seen(c.bottoms[0], shape, matrix), grown, shift, mean, var,
        epsilon=0.0 if layer.eps_outside else layer.eps,
    )  # fmt: skip
    return c.seen(y, matrix, shape)


@converts("BN")
def scaled_batch_norm(c: Conversion) -> str:
    layer = c.layer
    if not layer.is_affine:
        raise OnnxError(
            "normalizes with the values of the batch at hand", ("bn_param",),
            "bn_mode: INFERENCE takes weights that hold those of the training",
        )  # fmt: skip
    scale, bias, *averages = (c.values(place).reshape(-1) for place in range(len(layer.params)))
    mean, var = averages or (np.zeros_like(scale), np.ones_like(scale))
    y: str = c.op(
        "BatchNormalization", c.bottoms[0], *(c.constant(a) for a in (scale, bias, mean, var)),
        epsilon=0.0 if layer.direct else layer.eps,
    )  # fmt: skip
    return y


@converts("MVN")
def mean_variance(c: Conversion) -> str:
    layer, shape = c.layer, c.shapes[0]
    rows = math.prod(shape[:1] if layer.across else shape[:2])
    matrix = (rows, math.prod(shape) // rows)
    x, axis = c.seen(c.bottoms[0], shape, matrix), c.integers([1])
    y = c.op("Sub", x, c.op("ReduceMean", x, axis, keepdims=1))
    if layer.scales:
        variance = c.op("ReduceMean", c.op("Mul", y, y), axis, keepdims=1)
        y = c.op("Div", y, _plus(c, c.op("Sqrt", variance), layer.eps))
    return c.seen(y, matrix, shape)


@converts("Normalize")
def normalize(c: Conversion) -> list[str]:
    layer, shape = c.layer, c.shapes[0]
    planes = (*shape[:2], math.prod(shape[2:]))
    x = c.seen(c.bottoms[0], shape, planes)
    axes = c.integers((1, 2) if layer.across else (1,))
    sums = c.op("ReduceL1" if layer.by_sign else "ReduceSumSquare", x, axes, keepdims=1)
    norm = _plus(c, sums, layer.eps)
    norm = norm if layer.by_sign else c.op("Sqrt", norm)
    y = c.op("Div", x, norm)
    if layer.scaled:
        y = c.op("Mul", y, c.param(0, (c.values(0).size, 1)))
    norms = [c.seen(norm, (shape[0], 1, planes[2]), top) for top in c.top_shapes[1:]]
    return [c.seen(y, planes, shape), *norms]


@converts("LRN")
def local_response(c: Conversion) -> str:
    layer, x = c.layer, c.bottoms[0]
    if c.spec.lrn_param.norm_region != LRNParameter.WITHIN_CHANNEL:
        return str(
            c.op("LRN", x, size=layer.size, alpha=layer.alpha, beta=layer.beta, bias=layer.k)
        )
    half = (layer.size - 1) // 2
    mean = c.op(
        "AveragePool", c.op("Mul", x, x),
        kernel_shape=[layer.size] * 2, pads=[half] * 4, count_include_pad=1,
    )  # fmt: skip
    sizes = _plus(c, _times(c, mean, layer.alpha), 1.0)
    return str(c.op("Mul", x, c.op("Pow", sizes, c.constant(-layer.beta))))


# Recurrence.


@converts("LSTMUnit")
def lstm_unit(c: Conversion) -> list[str]:
    before, gates, cont = c.bottoms
    i, f, o, g = c.op("Split", gates, outputs=4, axis=2, num_outputs=4)
    kept = c.op("Mul", c.reshape(cont, (*c.shapes[2], 1)), c.op("Sigmoid", f))
    new = c.op("Mul", c.op("Sigmoid", i), c.op("Tanh", g))
    state = c.op("Add", c.op("Mul", kept, before), new)
    return [state, c.op("Mul", c.op("Sigmoid", o), c.op("Tanh", state))]


def _times(c: Conversion, x: str, factor: float) -> str:
    return x if factor == 1 else str(c.op("Mul", x, c.constant(factor)))


def _plus(c: Conversion, x: str, term: float) -> str:
    return x if term == 0 else str(c.op("Add", x, c.constant(term)))
