"""What Torch7's modules with windows compute, by loops over the places of the output."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from protonet.torch7.objects import TorchObject
from tests.torch7.reference import Reference, Value, of


def _numbers(made: TorchObject, prefix: str, axes: str, default: int = 0) -> list[int]:
    return [int(made.fields.get(f"{prefix}{axis}", default)) for axis in axes]


def _axes(made: TorchObject) -> str:
    return "THW" if made.name.startswith("Volumetric") else "HW"


def _batched(x: np.ndarray, axes: int) -> np.ndarray:
    return x if x.ndim == axes else x[None]


@of(
    "SpatialConvolution",
    "SpatialConvolutionMM",
    "SpatialDilatedConvolution",
    "VolumetricConvolution",
)
def convolution(r: Reference, made: TorchObject, x: Value) -> Value:
    axes = _axes(made)
    k, d, p = (_numbers(made, name, axes) for name in ("k", "d", "pad"))
    dilation = _numbers(made, "dilation", axes, 1)
    weight, bias = r.tensor(made, "weight"), r.tensor(made, "bias")
    assert weight is not None
    weight = weight.reshape(weight.shape[0], -1, *k)
    given = np.pad(_batched(x, len(k) + 2), [(0, 0), (0, 0), *((e, e) for e in p)])
    size = [
        (extent - s * (n - 1) - 1) // step + 1
        for extent, n, step, s in zip(given.shape[2:], k, d, dilation, strict=True)
    ]
    y = np.zeros((given.shape[0], weight.shape[0], *size))
    for place in product(*map(range, k)):
        cut = tuple(
            slice(at * s, at * s + (n - 1) * step + 1, step)
            for at, s, n, step in zip(place, dilation, size, d, strict=True)
        )
        part = given[(slice(None), slice(None), *cut)]
        y += np.einsum("nc...,oc->no...", part, weight[(slice(None), slice(None), *place)])
    if bias is not None:
        y += bias.reshape(-1, *[1] * len(k))
    return y.reshape(y.shape[-x.ndim :])


@of("SpatialFullConvolution", "VolumetricFullConvolution")
def full_convolution(r: Reference, made: TorchObject, x: Value) -> Value:
    axes = _axes(made)
    k, d, p, more = (_numbers(made, name, axes) for name in ("k", "d", "pad", "adj"))
    weight, bias = r.tensor(made, "weight"), r.tensor(made, "bias")
    assert weight is not None
    given = _batched(x, len(k) + 2)
    size = [(e - 1) * s + n + a for e, s, n, a in zip(given.shape[2:], d, k, more, strict=True)]
    y = np.zeros((given.shape[0], weight.shape[1], *size))
    for place in product(*map(range, k)):
        cut = tuple(
            slice(at, at + (e - 1) * s + 1, s)
            for at, e, s in zip(place, given.shape[2:], d, strict=True)
        )
        part = np.einsum("ni...,io->no...", given, weight[(slice(None), slice(None), *place)])
        y[(slice(None), slice(None), *cut)] += part
    ends = tuple(slice(e, n - e) for e, n in zip(p, size, strict=True))
    y = y[(slice(None), slice(None), *ends)]
    if bias is not None:
        y = y + bias.reshape(-1, *[1] * len(k))
    return y.reshape(y.shape[-x.ndim :])


def _windows(extent: int, k: int, d: int, p: int, ceil: bool) -> list[tuple[int, int]]:
    """First and last + 1 of each window, in the padded input, as Torch7 counts them."""
    count = (math.ceil if ceil else math.floor)((extent - k + 2 * p) / d) + 1
    if p and (count - 1) * d >= extent + p:
        count -= 1
    return [(i * d - p, i * d - p + k) for i in range(count)]


@of(
    "SpatialMaxPooling",
    "SpatialAveragePooling",
    "VolumetricMaxPooling",
    "VolumetricAveragePooling",
)
def pooling(_: Reference, made: TorchObject, x: Value) -> Value:
    axes = _axes(made)
    k, d, p = (_numbers(made, name, axes) for name in ("k", "d", "pad"))
    ceil = bool(made.fields.get("ceil_mode"))
    given = _batched(x, len(k) + 2)
    extents = given.shape[2:]
    windows = [_windows(*numbers, ceil) for numbers in zip(extents, k, d, p, strict=True)]
    y = np.zeros((*given.shape[:2], *map(len, windows)))
    for place in product(*(range(len(each)) for each in windows)):
        ends = [each[at] for each, at in zip(windows, place, strict=True)]
        inside = [(max(0, a), min(b, extent)) for (a, b), extent in zip(ends, extents, strict=True)]
        part = given[(slice(None), slice(None), *(slice(a, b) for a, b in inside))]
        part = part.reshape(*given.shape[:2], -1)
        if "Max" in made.name:
            y[(..., *place)] = part.max(-1)
            continue
        padded = [min(b, e + q) - a for (a, b), e, q in zip(ends, extents, p, strict=True)]
        count: Any = math.prod(padded)
        if made.fields.get("count_include_pad") is False:
            count = part.shape[-1]
        if made.fields.get("divide") is False:
            count = 1
        y[(..., *place)] = part.sum(-1) / count
    return y.reshape(y.shape[-x.ndim :])


@of("SpatialAdaptiveMaxPooling", "SpatialAdaptiveAveragePooling")
def adaptive_pooling(_: Reference, made: TorchObject, x: Value) -> Value:
    height, width = int(made.fields["H"]), int(made.fields["W"])
    y = np.zeros((*x.shape[:-2], height, width))
    largest = "Max" in made.name
    for i, j in product(range(height), range(width)):
        rows = _share(i, height, x.shape[-2], largest)
        columns = _share(j, width, x.shape[-1], largest)
        part = x[..., rows, columns]
        y[..., i, j] = part.max((-1, -2)) if largest else part.mean((-1, -2))
    return y


def _share(index: int, count: int, extent: int, largest: bool) -> slice:
    """One of ``count`` windows: of maxima Torch7 divides before it multiplies, in float32."""
    ends = [np.float32(index), np.float32(index + 1)]
    total, whole = np.float32(count), np.float32(extent)
    first, last = (e / total * whole if largest else e * whole / total for e in ends)
    return slice(math.floor(first), math.ceil(last))


@of("SpatialSubSampling")
def subsampling(r: Reference, made: TorchObject, x: Value) -> Value:
    (kh, kw), (dh, dw) = _numbers(made, "k", "HW"), _numbers(made, "d", "HW")
    views = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (-2, -1))[..., ::dh, ::dw, :, :]
    weight, bias = r.tensor(made, "weight"), r.tensor(made, "bias")
    assert weight is not None
    assert bias is not None
    return views.sum((-1, -2)) * weight[:, None, None] + bias[:, None, None]


@of("SpatialBatchNormalization", "BatchNormalization")
def batch_normalization(r: Reference, made: TorchObject, x: Value) -> Value:
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    shape = (1, -1, *[1] * (x.ndim - 2))
    if len(x) == 1 or not r.training:
        named = (r.tensor(made, f"running_{name}") for name in ("mean", "var"))
        mean, variance = (np.reshape(each, shape) for each in named)
    else:
        mean, variance = x.mean(others).reshape(shape), x.var(others).reshape(shape)
    y = (x - mean) / np.sqrt(variance + float(made.fields["eps"]))
    weight, bias = r.tensor(made, "weight"), r.tensor(made, "bias")
    return y if weight is None else y * weight.reshape(shape) + bias.reshape(shape)


@of("SpatialCrossMapLRN")
def lrn(_: Reference, made: TorchObject, x: Value) -> Value:
    size, alpha, beta, k = (float(made.fields[n]) for n in ("size", "alpha", "beta", "k"))
    half, y, axis = (int(size) - 1) // 2, np.zeros(x.shape), x.ndim - 3
    for c in range(x.shape[axis]):
        near = np.take(x, range(max(0, c - half), min(x.shape[axis], c + half + 1)), axis)
        scale = (k + alpha / size * (near**2).sum(axis)) ** -beta
        cut = (slice(None),) * axis + (c,)
        y[cut] = x[cut] * scale
    return y


@of("SpatialZeroPadding", "SpatialReflectionPadding", "SpatialReplicationPadding")
def border(_: Reference, made: TorchObject, x: Value) -> Value:
    t, b, le, r = (int(made.fields[f"pad_{side}"]) for side in "tblr")
    rows = slice(max(0, -t), x.shape[-2] - max(0, -b))
    x = x[..., rows, slice(max(0, -le), x.shape[-1] - max(0, -r))]
    ends = [(max(0, t), max(0, b)), (max(0, le), max(0, r))]
    widths = [(0, 0)] * (x.ndim - 2) + ends
    mode: Any = {"Zero": "constant", "Reflection": "reflect", "Replication": "edge"}[
        made.name.removeprefix("Spatial").removesuffix("Padding")
    ]
    return np.pad(x, widths, mode=mode)


@of("SpatialUpSamplingNearest")
def nearest(_: Reference, made: TorchObject, x: Value) -> Value:
    scale = int(made.fields["scale_factor"])
    return x.repeat(scale, -1).repeat(scale, -2)


@of("SpatialUpSamplingBilinear")
def bilinear(_: Reference, made: TorchObject, x: Value) -> Value:
    scale = int(made.fields["scale_factor"])
    for axis in (-2, -1):
        extent = x.shape[axis]
        at = np.linspace(0, extent - 1, extent * scale)
        low = np.minimum(np.floor(at + 1e-9).astype(int), extent - 1)
        part = np.moveaxis(x, axis, -1)
        high = np.minimum(low + 1, extent - 1)
        y = part[..., low] * (1 - (at - low)) + part[..., high] * (at - low)
        x = np.moveaxis(y, -1, axis)
    return x


@of("TemporalConvolution")
def temporal_convolution(r: Reference, made: TorchObject, x: Value) -> Value:
    k, d = int(made.fields["kW"]), int(made.fields["dW"])
    weight, bias = r.tensor(made, "weight"), r.tensor(made, "bias")
    assert weight is not None
    count = (x.shape[-2] - k) // d + 1
    frames = [
        x[..., i * d : i * d + k, :].reshape(*x.shape[:-2], -1) @ weight.T + bias
        for i in range(count)
    ]
    return np.stack(frames, -2)


@of("TemporalMaxPooling")
def temporal_max_pooling(_: Reference, made: TorchObject, x: Value) -> Value:
    k, d = int(made.fields["kW"]), int(made.fields["dW"])
    count = (x.shape[-2] - k) // d + 1
    return np.stack([x[..., i * d : i * d + k, :].max(-2) for i in range(count)], -2)
