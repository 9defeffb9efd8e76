"""Fillers: the initial values of parameters.

Here, a weight of shape ``(n, k, ...)`` has ``fan_in = count / n`` and
``fan_out = count / k`` (``count`` without a second axis), as in Caffe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from protonet.blob import Shape
from protonet.errors import LayerError, nearest
from protonet.layers.base import Weight, shape_text
from protonet.proto.caffe_pb2 import FillerParameter

Filler = Callable[[FillerParameter, np.ndarray, "np.random.Generator"], None]
"""Writes the values of an array, contiguous and on the host."""


def fill(
    filler: FillerParameter | None,
    shape: Shape,
    generator: np.random.Generator,
    dtype: Any,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The initial values of a parameter, on the host; zeros if ``filler`` is None.

    They are written to ``out`` if given: contiguous, of this shape and dtype.

    Raises:
        LayerError: for a filler that ``check_filler`` refuses.
    """
    values = np.empty(shape, dtype) if out is None else out
    if filler is None:
        values.fill(0)
    else:
        check_filler(filler, shape)
        _FILLERS[filler.type](filler, values, generator)
    return values


def check_filler(filler: FillerParameter, shape: Shape, path: Sequence[str | int] = ()) -> None:
    """Raise LayerError if ``filler`` cannot fill ``shape``; ``path`` is its field."""
    if filler.type not in _FILLERS:
        raise LayerError(
            f"unknown filler type '{filler.type}'{nearest(filler.type, _FILLERS)}",
            (*path, "type"),
            f"known fillers are {', '.join(sorted(_FILLERS))}",
        )
    if filler.type == "uniform" and filler.min > filler.max:
        raise LayerError(
            f"expected min <= max in a uniform filler, got {filler.min:g} and {filler.max:g}",
            (*path, "min"),
        )
    if filler.type == "gaussian" and filler.std < 0:
        raise LayerError(
            f"expected std >= 0 in a gaussian filler, got {filler.std:g}", (*path, "std")
        )
    if filler.type == "bilinear" and (len(shape) != 4 or shape[2] != shape[3]):
        raise LayerError(
            f"a bilinear filler needs 4 axes with a square kernel, got {shape_text(shape)}",
            (*path, "type"),
        )


def filled_weight(shape: Shape, filler: FillerParameter, path: Sequence[str | int]) -> Weight:
    """The parameter of this shape with this filler, after a check of the filler."""
    check_filler(filler, shape, path)
    return Weight(shape, filler)


def constant(filler: FillerParameter, values: np.ndarray, _generator: np.random.Generator) -> None:
    """All elements are ``value``."""
    values.fill(filler.value)


def uniform(filler: FillerParameter, values: np.ndarray, generator: np.random.Generator) -> None:
    """U[min, max)."""
    _uniform(values, filler.min, filler.max, generator)


def gaussian(filler: FillerParameter, values: np.ndarray, generator: np.random.Generator) -> None:
    """N(mean, std^2); with ``sparse`` s >= 0 each value is kept with probability s / n, else 0.

    n is the first extent: about s inputs of each column of outputs are then connected.
    """
    _normal(values, filler.std, generator)
    values += filler.mean
    if filler.sparse >= 0:
        outputs = len(values) if values.shape else 1
        values *= generator.random(values.shape) < filler.sparse / max(outputs, 1)


def positive_unitball(
    _filler: FillerParameter, values: np.ndarray, generator: np.random.Generator
) -> None:
    """U[0, 1), then scaled so that the values of each index of the first axis add up to 1."""
    _uniform(values, 0.0, 1.0, generator)
    rows = values.reshape(len(values) if values.shape else 1, -1)
    rows /= rows.sum(axis=1, keepdims=True)


def gaussian_unitball(
    _filler: FillerParameter, values: np.ndarray, generator: np.random.Generator
) -> None:
    """N(0, 1), then each index of the first axis brought to length 1 (happynear's fork)."""
    _normal(values, 1.0, generator)
    rows = values.reshape(len(values) if values.shape else 1, -1)
    rows /= np.sqrt((rows**2).sum(axis=1, keepdims=True) + 1e-12)


def xavier(filler: FillerParameter, values: np.ndarray, generator: np.random.Generator) -> None:
    """U[-a, a) with a = sqrt(3 / fan) (Glorot and Bengio, AISTATS 2010)."""
    bound = math.sqrt(3.0 / _fan(filler, values.shape))
    _uniform(values, -bound, bound, generator)


def msra(filler: FillerParameter, values: np.ndarray, generator: np.random.Generator) -> None:
    """N(0, 2 / fan) (He et al., ICCV 2015)."""
    _normal(values, math.sqrt(2.0 / _fan(filler, values.shape)), generator)


def bilinear(_filler: FillerParameter, values: np.ndarray, _generator: np.random.Generator) -> None:
    """The kernel of bilinear upsampling, for a Deconvolution whose stride is half the kernel.

    With f = ceil(w / 2) and c = (w - 1) / (2 f), the value at (y, x) is
    (1 - |x / f - c|) (1 - |y / f - c|).
    """
    width = values.shape[3]
    f = math.ceil(width / 2)
    c = (width - 1) / (2 * f)
    ramp = 1 - np.abs(np.arange(width) / f - c)
    values[...] = np.outer(ramp, ramp)


_FILLERS: dict[str, Filler] = {
    function.__name__: function
    for function in (
        *(constant, uniform, gaussian, positive_unitball, gaussian_unitball, xavier, msra),
        bilinear,
    )
}


def _uniform(values: np.ndarray, low: float, high: float, generator: np.random.Generator) -> None:
    generator.random(out=values, dtype=values.dtype)
    values *= high - low
    values += low


def _normal(values: np.ndarray, deviation: float, generator: np.random.Generator) -> None:
    generator.standard_normal(out=values, dtype=values.dtype)
    values *= deviation


def _fan(filler: FillerParameter, shape: Shape) -> float:
    """fan_in, fan_out or their mean, by ``variance_norm``."""
    count = math.prod(shape)
    fan_in = count / shape[0] if shape else 1
    fan_out = count / shape[1] if len(shape) > 1 else count
    if filler.variance_norm == FillerParameter.FAN_OUT:
        return fan_out
    if filler.variance_norm == FillerParameter.AVERAGE:
        return (fan_in + fan_out) / 2
    return fan_in
