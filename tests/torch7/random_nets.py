"""Random nets of Torch7's modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from protonet.torch7.objects import Table, TorchObject
from tests.torch7.reference import Reference
from tests.torch7.trees import call, nn, sequential

Shape = tuple[int, ...]
Maker = Callable[["Random", Shape], "TorchObject | None"]


class Random:
    """Makes modules that fit an input of a shape, the batch first; unless ``training`` also those
    that draw random numbers in training, and more normalizations.
    """

    def __init__(self, seed: int, *, training: bool = True) -> None:
        self.generator, self.training = np.random.default_rng(seed), training
        self.makers = MAKERS if training else [*MAKERS, *EVALUATED * 4]

    def pick(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``."""
        return int(self.generator.integers(low, high + 1))

    def one(self, *values: Any) -> Any:
        """One of the values."""
        return values[self.pick(0, len(values) - 1)]

    def module(self, shape: Shape) -> TorchObject:
        """A module that takes an input of the shape."""
        while True:
            made = self.one(*self.makers)(self, shape)
            if made is not None:
                return made

    def net(self, shape: Shape, length: int) -> tuple[TorchObject, Shape]:
        """Modules one after the other, and the shape of their output, which is one tensor."""
        net = nn("Sequential")
        while length:
            made = self.module(shape)
            y = Reference(made, training=self.training)(
                np.random.default_rng(0).uniform(0.5, 1.5, shape)
            )
            if isinstance(y, list) or y.size > 600 or y.ndim > 5 or not y.size:
                continue
            call(net, "add", made)
            shape, length = y.shape, length - 1
        return net, shape


MAKERS: list[Maker] = []


def maker(function: Maker) -> Maker:
    """Decorator: enter a maker. It returns None where nothing fits."""
    MAKERS.append(function)
    return function


EVALUATED: list[Maker] = []


@maker
def pointwise(r: Random, shape: Shape) -> TorchObject | None:
    name = r.one("Abs", "Sigmoid", "Tanh", "TanhShrink", "ReLU", "ReLU6", "SoftMax", "SoftMin",
                 "LeakyReLU", "ELU", "Square", "Mul")  # fmt: skip
    if name.startswith(("Soft", "LogSoft")) and name != "SoftSign" and len(shape) > 4:
        return None
    return nn(name)


@maker
def numbered(r: Random, shape: Shape) -> TorchObject | None:
    """Functions of the elements with arguments."""
    name = r.one("HardTanh", "Clamp", "Threshold", "HardShrink", "SoftShrink", "SoftPlus")
    low = r.one(-1.25, -0.75, 0.3)
    arguments = {"HardTanh": [low, 0.9], "Clamp": [low, 0.9], "Threshold": [0.4, low]}
    return nn(name, *arguments.get(name, [r.one(0.4, 0.8)]))


@maker
def vectors(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) != 2:
        return None
    name = r.one("Normalize", "Euclidean", "Cosine")
    return nn(name, r.one(1, 2, 3, math.inf)) if name == "Normalize" else nn(name, shape[1], 3)


@maker
def constants(r: Random, shape: Shape) -> TorchObject | None:
    return nn(r.one("MulConstant", "AddConstant"), r.one(-1.5, 0.5, 2))


@maker
def operands(r: Random, shape: Shape) -> TorchObject | None:
    sizes = r.one([1, *shape[1:]], list(shape[1:]), [1, *(r.one(1, e) for e in shape[1:])])
    if not sizes:
        return None
    return nn(r.one("CMul", "CAdd"), *sizes)


@maker
def linear(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) == 2:
        made = nn("Linear", shape[1], r.pick(2, 6))
        return call(made, "noBias") if r.pick(0, 2) == 0 else made
    if len(shape) > 2 and r.pick(0, 1):
        return nn("Bottle", nn("Linear", shape[-1], r.pick(2, 5)))
    return None


@maker
def shapes(r: Random, shape: Shape) -> TorchObject | None:
    size = int(np.prod(shape[1:]))
    kind = r.pick(0, 5)
    if kind == 0:
        return call(nn("View", -1), "setNumInputDims", len(shape) - 1) if len(shape) > 1 else None
    if kind == 1 and size % 2 == 0:
        return nn("View", 2, size // 2)
    if kind == 2 and size % 3 == 0:
        return nn("Reshape", size // 3, 3, r.one(True, None) if shape[0] > 1 else True)
    if kind == 3 and len(shape) > 2:
        return nn("Transpose", Table.of([2, r.pick(2, len(shape))]))
    if kind == 4:
        return nn("Unsqueeze", r.pick(1, len(shape)), len(shape) - 1) if len(shape) > 1 else None
    return nn("Squeeze", *r.one([], [None, len(shape) - 1])) if 1 in shape[1:] else None


@maker
def parts(r: Random, shape: Shape) -> TorchObject | None:
    dim = r.pick(2, len(shape)) if len(shape) > 1 else 1
    extent, kind = shape[dim - 1], r.pick(0, 3)
    signed = r.one(dim, dim - 1 - len(shape))
    if kind == 0 and extent > 1:
        start = r.pick(1, extent - 1)
        return nn("Narrow", signed, start, r.one(-1, r.pick(1, extent - start)))
    if kind == 1 and len(shape) > 2:
        return nn("Select", signed, r.one(-1, r.pick(1, extent)))
    if kind == 2 and len(shape) > 1:
        return nn("Padding", dim - 1, r.one(-2, -1, 1, 2), len(shape) - 1, r.one(None, 0.5))
    return nn("Replicate", r.pick(1, 3), r.pick(1, len(shape)), r.one(None, len(shape) - 1))


@maker
def reductions(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) < 3:
        return None
    name, dim = r.one("Sum", "Mean", "Max", "Min"), r.pick(2, len(shape))
    if name == "Sum":
        return nn("Sum", dim, None, r.one(True, False), r.one(True, False))
    return nn(name, *r.one([dim], [dim - 1, len(shape) - 1], [dim - 1 - len(shape)]))


@maker
def branches(r: Random, shape: Shape) -> TorchObject | None:
    """The same shape twice, combined."""
    if len(shape) < 2:
        return None
    last = nn(r.one("CAddTable", "CSubTable", "CMulTable", "CMaxTable", "CMinTable"))
    if r.pick(0, 3) == 0:
        last = nn("JoinTable", *r.one([2], [1, len(shape) - 1]))
    if len(shape) == 2 and r.pick(0, 3) == 0:
        last = nn(r.one("DotProduct", "CosineDistance", "PairwiseDistance"))
    if len(shape) in (3,) and r.pick(0, 1):
        last = nn("MM", *r.one([False, True], [True, False]))
    table = nn("ConcatTable")
    for _ in range(2):
        call(table, "add", nn(r.one("Identity", "Tanh", "Sigmoid", "Mul")))
    if r.pick(0, 4) == 0:
        inside = nn("MapTable", nn(r.one("Abs", "Tanh")))
        return sequential(table, inside, last)
    return sequential(table, last)


@maker
def splits(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) < 3:
        return None
    dim = r.pick(2, len(shape))
    split = nn("SplitTable", *r.one([dim], [dim - 1, len(shape) - 1], [dim - 1 - len(shape)]))
    index = r.one(1, -1, r.pick(1, shape[dim - 1]))
    return sequential(split, r.one(nn("CAddTable"), nn("CMulTable"), nn("SelectTable", index)))


@maker
def concats(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) < 2:
        return None
    made = nn("Concat", r.pick(2, len(shape)))
    for _ in range(r.pick(1, 3)):
        call(made, "add", nn(r.one("Identity", "Tanh", "Abs", "Mul")))
    return made


@maker
def parallels(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) < 3:
        return None
    dim = r.pick(2, len(shape))
    if shape[dim - 1] > 4:
        return None
    made = nn("Parallel", dim, r.pick(2, len(shape) - 1))
    for _ in range(shape[dim - 1]):
        call(made, "add", nn(r.one("Identity", "Tanh", "Mul")))
    return made


@maker
def mixtures(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) != 2:
        return None
    experts = nn("ConcatTable")
    for _ in range(3):
        call(experts, "add", nn("Linear", shape[1], 4))
    both = nn("ConcatTable")
    call(both, "add", sequential(nn("Linear", shape[1], 3), nn("SoftMax")))
    call(both, "add", experts)
    return sequential(both, nn("MixtureTable"))


@maker
def convolutions(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) != 4:
        return None
    kw, kh, dw, dh, pw, ph = (
        r.pick(*ends) for ends in [(1, 3), (1, 3), (1, 2), (1, 2), (0, 1), (0, 1)]
    )
    if shape[2] + 2 * ph < 2 * kh or shape[3] + 2 * pw < 2 * kw:
        return None
    numbers = [shape[1], r.pick(1, 4), kw, kh, dw, dh, pw, ph]
    if r.pick(0, 2) == 0:
        return nn("SpatialFullConvolution", *numbers[:6], min(pw, kw - 1), min(ph, kh - 1),
                  r.pick(0, dw - 1), r.pick(0, dh - 1))  # fmt: skip
    name = r.one("SpatialConvolution", "SpatialConvolutionMM", "SpatialDilatedConvolution")
    return nn(name, *numbers, *([2, r.pick(1, 2)] if "Dilated" in name else []))


@maker
def poolings(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) != 4:
        return None
    kw, kh = r.pick(1, min(3, shape[3])), r.pick(1, min(3, shape[2]))
    name = r.one("SpatialMaxPooling", "SpatialAveragePooling")
    made = nn(name, kw, kh, r.pick(1, kw), r.pick(1, kh), r.pick(0, kw // 2), r.pick(0, kh // 2))
    if r.pick(0, 1):
        call(made, "ceil")
    if name == "SpatialAveragePooling" and r.pick(0, 1):
        call(made, "setCountExcludePad")
    return made


@maker
def planes(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) != 4:
        return None
    _, c, h, w = shape
    kind = r.pick(0, 7)
    if kind == 0 and min(h, w) > 1:
        name = r.one("SpatialAdaptiveMaxPooling", "SpatialAdaptiveAveragePooling")
        return nn(name, r.pick(1, w), r.pick(1, h))
    if kind == 1:
        return nn("SpatialBatchNormalization", c, *r.one([], [0.1], [None, None, False]))
    if kind == 2:
        return nn(
            "SpatialCrossMapLRN", r.one(3, 5), r.one(0.5, None), r.one(0.5, None), r.one(2, None)
        )
    if kind == 3 and min(h, w) > 2:
        name = r.one("SpatialZeroPadding", "SpatialReflectionPadding", "SpatialReplicationPadding")
        low = -1 if "Zero" in name else 0
        return nn(name, *(r.pick(low, 2) for _ in range(4)))
    if kind == 4:
        return nn(r.one("SpatialUpSamplingNearest", "SpatialUpSamplingBilinear"), 2)
    if kind == 5 and min(h, w) > 1:
        return nn("SpatialSubSampling", c, 2, r.pick(1, 2), r.pick(1, 2), r.pick(1, 2))
    if kind == 6:
        return nn("PReLU", *r.one([], [c]))
    made = nn("DepthConcat", 2)
    for size in (1, 3):
        if min(h, w) >= size:
            call(made, "add", nn("SpatialConvolution", c, 2, size, size))
    return made


@maker
def sequences(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) != 3 or shape[1] < 3:
        return None
    if r.pick(0, 1):
        return nn("TemporalMaxPooling", r.pick(1, 3), r.pick(1, 2))
    return nn("TemporalConvolution", shape[2], r.pick(1, 4), r.pick(1, 3), r.pick(1, 2))


@maker
def volumes(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) != 5 or min(shape[2:]) < 2:
        return None
    if r.pick(0, 1):
        return nn(
            r.one("VolumetricMaxPooling", "VolumetricAveragePooling"), 2, 2, r.pick(1, 2), 1, 2, 1
        )
    return nn(
        "VolumetricConvolution",
        shape[1],
        2,
        r.pick(1, 2),
        2,
        r.pick(1, 2),
        1,
        1,
        r.pick(1, 2),
        1,
        0,
        1,
    )


def evaluated(function: Maker) -> Maker:
    """Decorator: enter a maker of modules that compute otherwise in training."""
    EVALUATED.append(function)
    return function


@evaluated
def noises(r: Random, shape: Shape) -> TorchObject | None:
    name = r.one("Dropout", "RReLU", "WhiteNoise", "SpatialDropout")
    if name == "SpatialDropout" and len(shape) != 4:
        return None
    return nn(name, *{"Dropout": [0.3, r.one(True, None)], "WhiteNoise": [0.2]}.get(name, []))


@evaluated
def normalizations(r: Random, shape: Shape) -> TorchObject | None:
    if len(shape) not in (2, 4):
        return None
    name = "BatchNormalization" if len(shape) == 2 else "SpatialBatchNormalization"
    made = nn(name, shape[1], *r.one([], [0.1], [None, None, False]))
    made.fields["running_mean"].array[...] = r.generator.normal(size=shape[1])
    made.fields["running_var"].array[...] = r.generator.uniform(0.5, 2, shape[1])
    return made


@evaluated
def blocks(r: Random, shape: Shape) -> TorchObject | None:
    """A convolution with what a net of inference fuses into it."""
    first = convolutions(r, shape)
    if first is None:
        return None
    y = Reference(first)(np.zeros(shape))
    norm = normalizations(r, y.shape)
    assert norm is not None
    relu = nn("ReLU")
    return sequential(first, *r.one([norm], [norm, relu], [relu, norm], [nn("Mul"), norm, relu]))
