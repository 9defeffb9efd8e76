"""The compiled versions for bfloat16 beside the definitions in float64, of the same values: results
in bfloat16 differ by their rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from protonet.kernels import activations, native
from protonet.kernels.bias import BiasGradient
from protonet.kernels.combine import Combine, Parts
from protonet.kernels.convert import Convert
from protonet.kernels.convolution import Convolve
from protonet.kernels.lrn import LRNAcrossChannels
from protonet.kernels.normalization import BatchNormScale
from protonet.kernels.pooling import AveragePool, MaxPool
from protonet.kernels.product import Product
from protonet.kernels.scaling import ParametricRectifier, Scaling
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.instructions import CPU, MODULES, UNTUNED, check_threads, use

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
UNIT = 2.0**-8
"""The greatest relative error of rounding."""

UNITS = [["avx512_bf16", "int8", "amx_bf16", "amx_int8"], ["avx512_bf16"]]
"""What products of matrices are computed with."""


class Values:
    """Arrays for one side of a comparison: of ``stored`` and of ``real`` type, always the same."""

    def __init__(self, stored: Any, real: Any) -> None:
        self.stored, self.real = np.dtype(stored), np.dtype(real)
        self._generator = np.random.default_rng(5)

    def normal(self, *shape: int) -> np.ndarray:
        """Normal values that bfloat16 holds exactly; some are 0."""
        values = self._generator.normal(size=shape)
        values.reshape(-1)[::11] = 0
        return values.astype(BFLOAT16).astype(self.stored)

    def parameter(self, *shape: int, rounded: bool = False) -> np.ndarray:
        """Parameters; ``rounded`` as those are that are multiplied as bfloat16."""
        values = self._generator.normal(size=shape).astype(np.float32)
        return (values.astype(BFLOAT16) if rounded else values).astype(self.real)

    def empty(self, *shape: int) -> np.ndarray:
        """An array for results, with NaN where nothing is written."""
        return np.full(shape, np.nan).astype(self.stored)

    def ones(self, *shape: int) -> np.ndarray:
        """For what is added to."""
        return np.ones(shape, self.real)


def sides(kind: Any, *arguments: Any) -> Iterator[tuple[Any, Values]]:
    """The version for bfloat16 with its values, and the definition with the same."""
    tuned = kind.make(CPU, BFLOAT16, *arguments)
    assert tuned.processor == "native"
    yield tuned, Values(BFLOAT16, np.float32)
    yield kind.make(UNTUNED, np.float64, *arguments), Values(np.float64, np.float64)


def compare(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    for one, other in zip(found, expected, strict=True):
        real, size = one.astype(np.float64), np.abs(other).max()
        within = 1.01 * UNIT if one.dtype == BFLOAT16 else 0
        np.testing.assert_allclose(real, other, rtol=within, atol=4e-6 * size + 1e-12)


def activated(kernel: Any, values: Values, reads: str) -> list[np.ndarray]:
    x, dy = values.normal(1037), values.normal(1037)
    y, dx = values.empty(1037), values.empty(1037)
    kernel.forward(x, y)
    # the slopes are those of the same values on both sides
    read = y.astype(BFLOAT16).astype(values.stored)
    kernel.backward(dy, *(read if name == "y" else x for name in reads), dx)
    return [y, dx]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("kind", "more", "reads"),
    [
        (activations.Rectifier, (0.0,), "y"),
        (activations.Rectifier, (0.25,), "x"),
        (activations.Bounds, (-0.5, 0.75, False), "x"),
        (activations.ELU, (1.5,), "xx"),
        (activations.Swish, (1.25,), "x"),
        (activations.Sigmoid, (), "x"),
        (activations.TanH, (), "x"),
        (activations.Softplus, (), "x"),
        (activations.Absolute, (), "x"),
    ],
)
def test_activations(
    kind: Any, more: tuple[Any, ...], reads: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    compare(*(activated(kernel, values, reads) for kernel, values in sides(kind, (1037,), *more)))


def channels(kernel: Any, values: Values, shape: tuple[int, int, int]) -> list[np.ndarray]:
    """Scaling, PReLU, biases and batch normalization, whichever the kernel is."""
    x, dy, top = (values.normal(*shape) for _ in range(3))
    y, dx, count = values.empty(*shape), values.empty(*shape), shape[1]
    s, b = values.parameter(count), values.parameter(count)
    ds, db = values.ones(count), values.ones(count)
    if isinstance(kernel, Scaling):
        kernel.forward(x, s, b, y, rectify=True)
        kernel.backward(dy, x, s, dx, ds, db, y=top)
    elif isinstance(kernel, ParametricRectifier):
        kernel.forward(x, s, y)
        kernel.backward(dy, x, s, dx, ds)
    elif isinstance(kernel, BiasGradient):
        kernel.learn(dy, top, db)
        return [dy, db]
    else:
        mean, variance, inverse = values.ones(count), values.ones(count), values.ones(count)
        kernel.forward_train(x, s, b, y, mean, variance, inverse, rectify=False)
        kernel.backward(dy, x, s, b, mean, inverse, dx, ds, db, rectify=False)
        return [y, mean, variance, dx, ds, db]
    return [y, dx, ds, db]


SHAPES = [(2, 3, 5), (3, 5, 49), (9, 37, 1), (1, 2, 20_003)]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [Scaling, ParametricRectifier, BiasGradient, BatchNormScale])
def test_channels(
    kind: Any, shape: tuple[int, int, int], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    more = (1e-5,) if kind is BatchNormScale else ()
    compare(*(channels(kernel, values, shape) for kernel, values in sides(kind, *shape, *more)))


def combined(kernel: Any, values: Values) -> list[np.ndarray]:
    a, b, c = (values.normal(1037) for _ in range(3))
    results = [values.empty(1037) for _ in range(5)]
    kernel.weighted_sum([a, b, c], [1.0, -0.5, 2.0], results[0], rectify=True)
    kernel.product([a, b], results[1])
    kernel.add(a, b, results[4])
    kernel.scatter(a, b, [1.0, 0.5], results[2:4])
    return results


@pytest.mark.parametrize("module", MODULES)
def test_combinations_parts_and_conversion(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(module, monkeypatch)
    compare(*(combined(kernel, values) for kernel, values in sides(Combine, (1037,), 3)))
    parts = Parts.make(CPU, BFLOAT16, 3, [5, 2])
    large, part = np.arange(21).astype(BFLOAT16), np.zeros(6, BFLOAT16)
    parts.take(large, 1, part)
    np.testing.assert_array_equal(part, large.reshape(3, 7)[:, 5:].reshape(-1))
    parts.put(np.ones(6, BFLOAT16), 1, large)
    assert large.astype(np.float32).sum() == 210 - part.astype(np.float32).sum() + 6


@pytest.mark.parametrize("module", MODULES)
def test_conversion_rounds_as_the_definition_does(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    bits = np.random.default_rng(3).integers(0, 2**32, 70_001, np.uint32)
    bits[:6] = 0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x7FFFFFFF, 0xFFC00001, 0x00008000
    x = bits.view(np.float32)
    with np.errstate(all="ignore"):
        y, expected = np.empty(x.size, BFLOAT16), x.astype(BFLOAT16)
    kernel = Convert.make(CPU, BFLOAT16, x.size)
    kernel.narrow(x, y)
    nan = np.isnan(x)
    np.testing.assert_array_equal(np.isnan(y.astype(np.float32)), nan)
    np.testing.assert_array_equal(y[~nan].view(np.uint16), expected[~nan].view(np.uint16))
    wide = np.empty_like(x)
    kernel.widen(y, wide)
    np.testing.assert_array_equal(wide, y.astype(np.float32))


def windows(
    size: tuple[int, int], kernel: int, stride: int, pad: int, dilation: int = 1
) -> Windows:
    geometry = [(number, number) for number in (kernel, stride, pad, dilation)]
    return Windows(size, *geometry, window_outputs(size, *geometry))


def pooled(kernel: Any, values: Values) -> list[np.ndarray]:
    w = kernel.windows
    x, y = values.normal(2, 3, *w.inputs), values.empty(2, 3, *w.outputs)
    dy, dx = values.normal(2, 3, *w.outputs), values.empty(2, 3, *w.inputs)
    if isinstance(kernel, AveragePool):
        kernel.forward(x, y)
        kernel.backward(dy, dx)
        return [y, dx]
    places = np.zeros(y.shape, np.int32)
    kernel.forward(x, y, places)
    kernel.backward(dy, places, dx)
    return [y, dx, places]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("kind", [MaxPool, AveragePool])
@pytest.mark.parametrize("geometry", [((12, 10), 2, 2, 0), ((28, 37), 3, 2, 1), ((7, 7), 7, 1, 0)])
def test_pooling(
    kind: Any, geometry: tuple[Any, ...], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    compare(*(pooled(k, values) for k, values in sides(kind, windows(*geometry), 2, 3)))


@pytest.mark.parametrize("module", MODULES)
def test_local_response_normalization(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(module, monkeypatch)
    shape, results = (2, 7, 5, 5), []
    for kernel, values in sides(LRNAcrossChannels, shape, 5, 0.5, 0.75, 1.0):
        x, dy = values.normal(*shape), values.normal(*shape)
        y, dx = values.empty(*shape), values.empty(*shape)
        kernel.forward(x, y)
        read = y.astype(BFLOAT16).astype(values.stored)
        kernel.backward(dy, x, read, dx)
        results.append([y, dx])
    compare(*results)


def convolved(
    kernel: Any, values: Values, items: int, channels: int, outputs: int, group: int
) -> list[np.ndarray]:
    w = kernel.windows
    x, dy = values.normal(items, channels, *w.inputs), values.normal(items, outputs, *w.outputs)
    weight = values.parameter(outputs, channels // group, *w.kernel, rounded=True)
    factor, bias, dw = (
        values.parameter(outputs),
        values.parameter(outputs),
        values.ones(*weight.shape),
    )
    y, dx, again = values.empty(*dy.shape), values.empty(*x.shape), values.empty(*dy.shape)
    kernel.forward(x, weight, bias, y, factor=factor, rectify=True)
    kernel.backward(dy, weight, dx)
    kernel.learn(dy, x, dw)
    kernel.keeps_weights = True
    kernel.forward(x, 0 * weight, None, again)  # these are kept
    kernel.forget_weights()
    kernel.forward(x, weight, None, again)
    kernel.forward(x, 0 * weight if kernel.processor else weight, None, again)
    return [y, dx, dw, again]


CONVOLUTIONS = [
    # size, kernel, stride, pad, dilation; items, channels, outputs, group
    (((14, 14), 1, 1, 0), (2, 64, 40, 1)),
    (((7, 7), 1, 1, 0), (3, 21, 50, 1)),
    (((33, 29), 7, 2, 3), (1, 3, 17, 1)),
    (((9, 11), 3, 1, 1), (2, 32, 48, 2)),
    (((8, 8), 1, 2, 0), (2, 33, 40, 1)),
    (((12, 12), 3, 3, 1, 2), (2, 6, 5, 1)),
    (((5, 5), 1, 1, 0), (1, 600, 70, 1)),
    (((28, 28), 5, 1, 0), (5, 1, 20, 1)),
    (((60, 60), 3, 2, 1), (1, 16, 40, 1)),
]


def takes_matrix_products(monkeypatch: pytest.MonkeyPatch, features: list[str]) -> None:
    use("avx512", monkeypatch)
    module = native.load()
    before = module.features()
    if not set(features) <= set(before):
        pytest.skip(f"this processor has no {', '.join(features)}")
    module.limit_features(features)
    monkeypatch.setattr(module, "_before", before, raising=False)


@pytest.fixture(autouse=True)
def _all_features() -> Iterator[None]:
    before = native.load().features()
    yield
    native.load().limit_features(before)


@pytest.mark.parametrize("features", UNITS, ids=["amx", "avx512_bf16"])
@pytest.mark.parametrize(("geometry", "counts"), CONVOLUTIONS)
def test_convolution(
    geometry: tuple[Any, ...],
    counts: tuple[int, ...],
    features: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    takes_matrix_products(monkeypatch, features)
    compare(
        *(
            convolved(kernel, values, *counts)
            for kernel, values in sides(Convolve, windows(*geometry), *counts)
        )
    )


@pytest.mark.parametrize("module", ["avx512"])
@pytest.mark.parametrize("geometry", [((28, 30), 3, 1, 1), ((14, 14), 3, 2, 1)])
def test_depthwise_convolution(
    geometry: tuple[Any, ...], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes_matrix_products(monkeypatch, ["avx512_bf16"])
    counts = (2, 5, 10, 5)
    compare(
        *(
            convolved(kernel, values, *counts)[:3]
            for kernel, values in sides(Convolve, windows(*geometry), *counts)
        )
    )


@pytest.mark.parametrize("features", UNITS, ids=["amx", "avx512_bf16"])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_product(rows: int, features: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    takes_matrix_products(monkeypatch, features)
    results = []
    for kernel, values in sides(Product, rows, 75, 33, False):
        x, dy, w = (
            values.normal(rows, 75),
            values.normal(rows, 33),
            values.parameter(33, 75, rounded=True),
        )
        y, dx, dw, b = (
            values.empty(rows, 33),
            values.empty(rows, 75),
            values.ones(33, 75),
            values.parameter(33),
        )
        kernel.forward(x, w, b, y, rectify=True)
        kernel.backward(dy, w, dx)
        kernel.learn(dy, x, dw)
        written = values.ones(33, 75)
        kernel.learn(dy, x, written, add=False)
        results.append([y, dx, dw, written])
    compare(*results)


def test_without_the_instructions_products_are_those_of_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use("avx512", monkeypatch)
    native.load().limit_features([])
    kernel = Convolve.make(CPU, BFLOAT16, windows((9, 9), 3, 1, 1), 1, 4, 4, 1)
    assert type(kernel) is Convolve
    assert Product.make(CPU, BFLOAT16, 2, 3, 4, False).processor == ""


@pytest.mark.parametrize("features", UNITS, ids=["amx", "avx512_bf16"])
def test_the_number_of_threads_changes_no_bit(
    features: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    takes_matrix_products(monkeypatch, features)
    counts = (3, 70, 90, 1)
    kernel = Convolve.make(CPU, BFLOAT16, windows((28, 28), 3, 1, 1), *counts)
    check_threads(lambda: convolved(kernel, Values(BFLOAT16, np.float32), *counts))
