"""What Torch7's modules compute, written by their fields in plain float64 loops and sums.

Nothing here knows of layers: it is what the translated nets are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from protonet.torch7.objects import Tensor, TorchObject

Value = Any
"""An array, or a nested list of arrays."""


class Reference:
    """Computes a tree of modules. ``params`` replace the values of tensors, by their place."""

    def __init__(self, model: TorchObject, *, training: bool = True) -> None:
        self.model, self.training = model, training
        self.params: dict[Any, np.ndarray] = {}

    def __call__(self, *xs: np.ndarray) -> Value:
        """The output for these inputs."""
        given = [np.asarray(x, np.float64) for x in xs]
        return self.run(self.model, given[0] if len(given) == 1 else given)

    def run(self, made: TorchObject, x: Value) -> Value:
        """The output of a module inside."""
        return FUNCTIONS[made.name](self, made, x)

    def tensor(self, made: TorchObject, name: str) -> np.ndarray | None:
        """A parameter in float64; None for nil."""
        tensor = made.fields.get(name)
        if tensor is None:
            return None
        assert isinstance(tensor, Tensor)
        given = self.params.get(tensor.place)
        return np.asarray(tensor.array, np.float64) if given is None else given


Function = Callable[[Reference, TorchObject, Value], Value]
FUNCTIONS: dict[str, Function] = {}


def of(*names: str) -> Callable[[Function], Function]:
    """Decorator: the function of modules."""

    def enter(function: Function) -> Function:
        FUNCTIONS.update(dict.fromkeys(names, function))
        return function

    return enter


def elementwise(**functions: Callable[[np.ndarray], np.ndarray]) -> None:
    """Enter functions of the elements."""
    for name, function in functions.items():
        FUNCTIONS[name] = lambda _r, _m, x, f=function: f(x)


def softmax(x: np.ndarray) -> np.ndarray:
    """Along the channels."""
    axis = 0 if x.ndim in (1, 3) else 1
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=axis, keepdims=True)
    return result


def tables(**functions: Callable[..., Any]) -> None:
    """Enter functions of the values of a table."""
    for name, function in functions.items():
        FUNCTIONS[name] = lambda _r, _m, x, f=function: f(*x)


elementwise(
    Identity=lambda x: x,
    Abs=np.abs,
    Exp=np.exp,
    Square=lambda x: x * x,
    Sigmoid=lambda x: 1 / (1 + np.exp(-x)),
    Tanh=np.tanh,
    TanhShrink=lambda x: x - np.tanh(x),
    ReLU=lambda x: np.maximum(x, 0),
    ReLU6=lambda x: np.clip(x, 0, 6),
    SoftMax=softmax,
    SoftMin=lambda x: softmax(-x),
    LogSoftMax=lambda x: np.log(softmax(x)),
    LogSigmoid=lambda x: -np.log(1 + np.exp(-x)),
    SoftSign=lambda x: x / (1 + np.abs(x)),
)


def first_largest(*xs: np.ndarray) -> np.ndarray:
    """Elementwise."""
    return np.max(np.stack(xs), axis=0)


tables(
    CAddTable=lambda *xs: sum(xs),
    CSubTable=lambda a, b: a - b,
    CMulTable=lambda *xs: math.prod(xs),
    CDivTable=lambda a, b: a / b,
    CMaxTable=first_largest,
    CMinTable=lambda *xs: -first_largest(*(-x for x in xs)),
    FlattenTable=lambda *xs: flat(xs),
    DotProduct=lambda a, b: np.atleast_1d((a * b).sum(-1)),
    CosineDistance=lambda a, b: np.atleast_1d(
        (a * b).sum(-1) / np.sqrt(((a * a).sum(-1) + 1e-12) * ((b * b).sum(-1) + 1e-12))
    ),
)


def flat(values: Any) -> list[np.ndarray]:
    """The arrays of nested tables."""
    found: list[np.ndarray] = []
    for value in values:
        found += flat(value) if isinstance(value, list | tuple) else [value]
    return found


def scalar(name: str, function: Callable[[np.ndarray, float], np.ndarray], field: str) -> None:
    """Enter a function of the elements and of a number of the module."""
    FUNCTIONS[name] = lambda _r, made, x: function(x, float(made.fields[field]))


scalar("MulConstant", lambda x, c: x * c, "constant_scalar")
scalar("AddConstant", lambda x, c: x + c, "constant_scalar")
scalar("LeakyReLU", lambda x, c: np.where(x > 0, x, c * x), "negval")
scalar("ELU", lambda x, c: np.where(x > 0, x, c * (np.exp(np.minimum(x, 0)) - 1)), "alpha")
scalar("HardShrink", lambda x, c: np.where(np.abs(x) > c, x, 0), "lambda")
scalar("SoftShrink", lambda x, c: np.sign(x) * np.maximum(np.abs(x) - c, 0), "lambda")
scalar("SoftPlus", lambda x, c: np.log1p(np.exp(c * x)) / c, "beta")
scalar("GradientReversal", lambda x, c: x, "lambda")
scalar("Power", lambda x, c: x**c, "pow")


@of("Dropout", "SpatialDropout", "RReLU", "WhiteNoise")
def noise(r: Reference, made: TorchObject, x: Value) -> Value:
    """In ``evaluate``."""
    assert not r.training
    if made.name == "RReLU":
        return np.where(x > 0, x, (made.fields["lower"] + made.fields["upper"]) / 2 * x)
    if made.name == "WhiteNoise":
        return x + made.fields["mean"]
    return x * (1 if made.fields.get("v2") else 1 - made.fields["p"])


@of("HardTanh", "Clamp")
def bounded(_: Reference, made: TorchObject, x: Value) -> Value:
    return np.clip(x, float(made.fields["min_val"]), float(made.fields["max_val"]))


@of("Threshold")
def threshold(_: Reference, made: TorchObject, x: Value) -> Value:
    return np.where(x > made.fields["threshold"], x, float(made.fields["val"]))


@of("Normalize")
def normalize(_: Reference, made: TorchObject, x: Value) -> Value:
    p, eps = float(made.fields["p"]), float(made.fields["eps"])
    if p == math.inf:
        return x / (np.abs(x).max(-1, keepdims=True) + eps)
    return x / ((np.abs(x) ** p).sum(-1, keepdims=True) + eps) ** (1 / p)


@of("Euclidean")
def euclidean(r: Reference, made: TorchObject, x: Value) -> Value:
    return np.sqrt(((x[..., :, None] - r.tensor(made, "weight")) ** 2).sum(-2))


@of("Cosine")
def cosine(r: Reference, made: TorchObject, x: Value) -> Value:
    weight = r.tensor(made, "weight")
    assert weight is not None
    lengths = (np.linalg.norm(x, axis=-1)[..., None] + 1e-12) * np.linalg.norm(weight, axis=1)
    return x @ weight.T / lengths


@of("PairwiseDistance")
def pairwise_distance(_: Reference, made: TorchObject, x: Value) -> Value:
    p = float(made.fields["norm"])
    return np.atleast_1d((np.abs(x[0] - x[1]) ** p).sum(-1) ** (1 / p))


@of("Linear")
def linear(r: Reference, made: TorchObject, x: Value) -> Value:
    bias = r.tensor(made, "bias")
    return x @ r.tensor(made, "weight").T + (0 if bias is None else bias)


@of("PReLU")
def prelu(r: Reference, made: TorchObject, x: Value) -> Value:
    weight = r.tensor(made, "weight")
    assert weight is not None
    if made.fields["nOutputPlane"]:
        weight = weight.reshape(-1, *[1] * (x.ndim - 2))
    return np.where(x > 0, x, weight * x)


@of("Mul")
def mul(r: Reference, made: TorchObject, x: Value) -> Value:
    return x * r.tensor(made, "weight")


@of("Add", "CAdd")
def add(r: Reference, made: TorchObject, x: Value) -> Value:
    return x + _fitted(r.tensor(made, "bias"), x)


@of("CMul")
def cmul(r: Reference, made: TorchObject, x: Value) -> Value:
    return x * _fitted(r.tensor(made, "weight"), x)


def _fitted(operand: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    """In the shape of the input, of an item of it, or broadcast."""
    assert operand is not None
    if operand.size == x.size:
        return operand.reshape(x.shape)
    if operand.ndim != x.ndim and operand.size == x[0].size:
        return operand.reshape(x.shape[1:])
    return operand


# Shapes. Dimensions count from 1.


def _axis(
    made: TorchObject, x: np.ndarray, item: str = "nInputDims", name: str = "dimension"
) -> int:
    dim, axes = int(made.fields[name]), made.fields.get(item)
    if dim < 0:
        return x.ndim + dim
    return dim - 1 + (axes is not None and x.ndim == axes + 1)


@of("View")
def view(_: Reference, made: TorchObject, x: Value) -> Value:
    sizes, item = [int(s) for s in made.fields["size"].data], made.fields.get("numInputDims")
    known = math.prod(s for s in sizes if s != -1)
    batch = 1 if -1 in sizes else math.prod(x.shape[x.ndim - (item or x.ndim) :]) // known
    batch *= math.prod(x.shape[: x.ndim - (item or x.ndim)])
    alone = batch == 1 and (item is None or x.ndim <= item)
    return x.reshape(sizes if alone else [batch, *sizes])


@of("Reshape")
def reshape(_: Reference, made: TorchObject, x: Value) -> Value:
    sizes, mode = [int(s) for s in made.fields["size"].data], made.fields.get("batchMode")
    alone = x.size == math.prod(sizes) and x.shape[0] != 1 if mode is None else not mode
    return x.reshape(sizes if alone else [x.shape[0], *sizes])


@of("Transpose")
def transpose(_: Reference, made: TorchObject, x: Value) -> Value:
    for pair in made.fields["permutations"].sequence:
        item = made.fields.get("numInputDims")
        first, second = (int(p) - 1 + (x.ndim - item if item else 0) for p in pair.sequence)
        x = np.swapaxes(x, first, second)
    return x


@of("Narrow")
def narrow(_: Reference, made: TorchObject, x: Value) -> Value:
    start, length = int(made.fields["index"]), int(made.fields["length"])
    axis = _axis(made, x)
    if length < 0:
        length = x.shape[axis] - start + length + 2
    return np.take(x, np.arange(start - 1, start - 1 + length), axis)


@of("Select")
def select(_: Reference, made: TorchObject, x: Value) -> Value:
    index = int(made.fields["index"])
    return np.take(x, index if index < 0 else index - 1, _axis(made, x))


@of("Padding")
def padding(_: Reference, made: TorchObject, x: Value) -> Value:
    axis = int(made.fields["dim"]) - 1
    item = made.fields.get("nInputDim")
    axis += item is not None and x.ndim != item
    count, widths = int(made.fields["pad"]), [(0, 0)] * x.ndim
    widths[axis] = (-count, 0) if count < 0 else (0, count)
    return np.pad(x, widths, constant_values=float(made.fields["value"]))


@of("Replicate")
def replicate(_: Reference, made: TorchObject, x: Value) -> Value:
    item = made.fields.get("ndim")
    axis = int(made.fields["dim"]) - 1 + (item is not None and x.ndim > item)
    return np.stack([x] * int(made.fields["nfeatures"]), axis)


@of("Unsqueeze")
def unsqueeze(_: Reference, made: TorchObject, x: Value) -> Value:
    item = made.fields.get("numInputDims")
    return np.expand_dims(x, int(made.fields["pos"]) - 1 + (x.ndim - item if item else 0))


@of("Squeeze")
def squeeze(_: Reference, made: TorchObject, x: Value) -> Value:
    item, dim = made.fields.get("numInputDims"), made.fields.get("dim")
    batched = item is not None and x.ndim == item + 1
    if dim is not None:
        axis = int(dim) - 1 + batched
        return np.squeeze(x, axis) if x.shape[axis] == 1 else x
    kept = [e for i, e in enumerate(x.shape) if e != 1 or (batched and i == 0)]
    return x.reshape(kept or [1])


@of("Sum", "Mean")
def total(_: Reference, made: TorchObject, x: Value) -> Value:
    axis, average = _axis(made, x), made.fields.get("sizeAverage")
    keep = made.fields.get("squeeze") is False
    y = x.mean(axis=axis, keepdims=keep) if average else x.sum(axis=axis, keepdims=keep)
    return np.atleast_1d(y)


@of("Max", "Min")
def extremum(_: Reference, made: TorchObject, x: Value) -> Value:
    axis = _axis(made, x)
    return np.atleast_1d(x.max(axis) if made.name == "Max" else x.min(axis))


# Containers and tables.


def _inside(made: TorchObject) -> list[TorchObject]:
    found: list[TorchObject] = made.fields["modules"].sequence
    return found


@of("Sequential")
def sequential(r: Reference, made: TorchObject, x: Value) -> Value:
    for each in _inside(made):
        x = r.run(each, x)
    return x


@of("Concat", "DepthConcat")
def concat(r: Reference, made: TorchObject, x: Value) -> Value:
    ys = [r.run(each, x) for each in _inside(made)]
    axis = int(made.fields["dimension"]) - 1
    if made.name == "DepthConcat":
        whole = np.max([y.shape for y in ys], axis=0)
        for place, y in enumerate(ys):
            gaps = [0 if a == axis else whole[a] - y.shape[a] for a in range(y.ndim)]
            ys[place] = np.pad(y, [(gap // 2, gap - gap // 2) for gap in gaps])
    return np.concatenate(ys, axis)


@of("ConcatTable")
def concat_table(r: Reference, made: TorchObject, x: Value) -> Value:
    return [r.run(each, x) for each in _inside(made)]


@of("ParallelTable")
def parallel_table(r: Reference, made: TorchObject, x: Value) -> Value:
    return [r.run(each, value) for each, value in zip(_inside(made), x, strict=True)]


@of("MapTable")
def map_table(r: Reference, made: TorchObject, x: Value) -> Value:
    return [r.run(made.fields["module"], value) for value in x]


@of("Parallel")
def parallel(r: Reference, made: TorchObject, x: Value) -> Value:
    axis = int(made.fields["inputDimension"]) - 1
    parts = [np.take(x, i, axis) for i in range(x.shape[axis])]
    ys = [r.run(each, part) for each, part in zip(_inside(made), parts, strict=True)]
    return np.concatenate(ys, int(made.fields["outputDimension"]) - 1)


@of("Bottle")
def bottle(r: Reference, made: TorchObject, x: Value) -> Value:
    merged = x.ndim - int(made.fields["nInputDim"]) + 1
    y = r.run(_inside(made)[0], x.reshape(-1, *x.shape[merged:]))
    return y.reshape(*x.shape[:merged], *y.shape[1:])


@of("JoinTable")
def join_table(_: Reference, made: TorchObject, x: Value) -> Value:
    return np.concatenate(x, _axis(made, x[0]))


@of("SplitTable")
def split_table(_: Reference, made: TorchObject, x: Value) -> Value:
    axis = _axis(made, x)
    return [np.take(x, i, axis) for i in range(x.shape[axis])]


@of("SelectTable")
def select_table(_: Reference, made: TorchObject, x: Value) -> Value:
    index = int(made.fields["index"])
    return x[index if index < 0 else index - 1]


@of("NarrowTable")
def narrow_table(_: Reference, made: TorchObject, x: Value) -> Value:
    start = int(made.fields["offset"]) - 1
    return x[start : start + int(made.fields["length"])]


@of("MM")
def mm(_: Reference, made: TorchObject, x: Value) -> Value:
    a, b = x
    a = np.swapaxes(a, -1, -2) if made.fields["transA"] else a
    return a @ (np.swapaxes(b, -1, -2) if made.fields["transB"] else b)


@of("MixtureTable")
def mixture_table(_: Reference, made: TorchObject, x: Value) -> Value:
    gates, experts = x
    return sum(
        gates[:, i].reshape(-1, *[1] * (each.ndim - 1)) * each for i, each in enumerate(experts)
    )
