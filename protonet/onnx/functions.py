"""Converters of functions of each value and of vectors, of noise, and of rows by index."""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from protonet.onnx.conversion import Conversion, converts


@converts("Elementwise")
def elementwise(c: Conversion) -> str:
    return _OPERATIONS[c.layer.operation](c, c.bottoms[0])


def _softsign(c: Conversion, x: str) -> str:
    return str(c.op("Softsign", x))


def _softplus(c: Conversion, x: str) -> str:
    beta = c.constant(c.spec.elementwise_param.beta)
    return str(c.op("Div", c.op("Softplus", c.op("Mul", x, beta)), beta))


def _log_sigmoid(c: Conversion, x: str) -> str:
    return str(c.op("Neg", c.op("Softplus", c.op("Neg", x))))


def _shrink(c: Conversion, x: str) -> str:
    bound = getattr(c.spec.elementwise_param, "lambda")
    bias = bound if c.layer.operation == "SOFT_SHRINK" else 0.0
    return str(c.op("Shrink", x, lambd=bound, bias=bias))


def _threshold(c: Conversion, x: str) -> str:
    spec = c.spec.elementwise_param
    above = c.op("Greater", x, c.constant(spec.threshold))
    return str(c.op("Where", above, x, c.constant(spec.value)))


def _sqrt(c: Conversion, x: str) -> str:
    return str(c.op("Sqrt", x))


_OPERATIONS = {
    "SOFTSIGN": _softsign,
    "SOFTPLUS": _softplus,
    "LOG_SIGMOID": _log_sigmoid,
    "HARD_SHRINK": _shrink,
    "SOFT_SHRINK": _shrink,
    "THRESHOLD": _threshold,
    "SQRT": _sqrt,
}


@converts("LogSoftmax")
def log_softmax(c: Conversion) -> str:
    return str(c.op("LogSoftmax", c.bottoms[0], axis=c.layer.axis_of(c.shapes[0])))


@converts("LpNormalization")
def lp_normalization(c: Conversion) -> str:
    layer, x = c.layer, c.bottoms[0]
    axes, eps = c.integers((layer.axis_of(c.shapes[0]),)), c.constant(layer.eps)
    size = c.op("Abs", x)
    if layer.p == math.inf:
        norm = c.op("Add", c.op("ReduceMax", size, axes, keepdims=1), eps)
    else:
        powers = size if layer.p == 1 else c.op("Pow", size, c.constant(layer.p))
        norm = c.op("Add", c.op("ReduceSum", powers, axes, keepdims=1), eps)
        norm = norm if layer.p == 1 else c.op("Pow", norm, c.constant(1 / layer.p))
    return str(c.op("Div", x, norm))


def _indices(c: Conversion, first: int) -> str:
    """The bottom as whole numbers from 0."""
    indices = c.cast(c.bottoms[0], TensorProto.INT64)
    return str(c.op("Sub", indices, c.constant(first, np.int64))) if first else indices


@converts("Embed")
def embed(c: Conversion) -> str:
    spec = c.spec.embed_param
    table = c.param(0)
    if spec.max_norm:
        rows = c.values(0)
        norms = (np.abs(rows) ** spec.norm_type).sum(1, keepdims=True) ** (1 / spec.norm_type)
        table = c.constant(rows * (spec.max_norm / np.maximum(norms, spec.max_norm)))
    found = c.op("Gather", table, _indices(c, spec.first_index), axis=0)
    return str(c.op("Add", found, c.param(1)) if c.layer.bias_term else found)


@converts("OneHot")
def one_hot(c: Conversion) -> str:
    indices = _indices(c, c.spec.one_hot_param.first_index)
    return str(c.op("OneHot", indices, c.integers((c.layer.outputs,)), c.constant([0.0, 1.0])))


@converts("RReLU")
def rrelu(c: Conversion) -> str:
    return str(c.op("LeakyRelu", c.bottoms[0], alpha=c.layer.mean))


@converts("GaussianNoise")
def gaussian_noise(c: Conversion) -> str:
    return str(c.op("Add", c.bottoms[0], c.constant(c.layer.mean)))


@converts("GradientScale")
def gradient_scale(c: Conversion) -> str:
    return c.bottoms[0]
