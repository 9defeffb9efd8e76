"""The compiled products beside their definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.product import BatchProduct, NativeProduct, Product
from tests.kernels.instructions import MODULES, use

SHAPES = [
    (10, 2500, 2), (1, 700, 90), (3, 65, 131), (17, 300, 45), (64, 800, 500), (29, 5, 3),
    (50, 64, 33), (9, 1, 1), (200, 7, 40), (1, 3, 2), (1, 700, 400), (2, 300, 333), (4, 90, 301),
    (20, 37, 470),
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_instruction_set_meets_the_definition(
    shape: tuple[int, int, int], transposed: bool, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    rows, inputs, outputs = shape
    tuned = Product.make(Device("cpu"), np.float32, *shape, transposed)
    definition = Product.make(Device("cpu", tuned=False), np.float64, *shape, transposed)
    assert isinstance(tuned, NativeProduct)
    generator = np.random.default_rng(5)
    x, dy = generator.normal(size=(rows, inputs)), generator.normal(size=(rows, outputs))
    w = generator.normal(size=(inputs, outputs) if transposed else (outputs, inputs))
    bias = generator.normal(size=outputs)

    def passes(kernel: Product, dtype: type) -> list[np.ndarray]:
        a, b, c, d = (each.astype(dtype) for each in (x, w, bias, dy))
        y, rectified = np.full((2, rows, outputs), np.nan, dtype)
        dx, dw = np.full(a.shape, np.nan, dtype), np.ones(b.shape, dtype)
        kernel.forward(a, b, None, y)
        kernel.forward(a, b, c, rectified, rectify=True)
        kernel.backward(d, b, dx)
        kernel.learn(d, a, dw)
        more = d.copy()
        kernel.accumulate(a, b, more)
        anew = np.full(b.shape, np.nan, dtype)
        kernel.learn(d, a, anew, add=False)
        return [y, rectified, dx, dw, more, anew]

    for found, expected in zip(
        passes(tuned, np.float32), passes(definition, np.float64), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("tuned", [False, True])
def test_no_rows_have_no_gradient(tuned: bool) -> None:
    kernel = Product.make(Device("cpu", tuned=tuned), np.float32, 0, 3, 2, False)
    dw = np.ones((2, 3), np.float32)
    dy, x = np.empty((0, 2), np.float32), np.empty((0, 3), np.float32)
    kernel.learn(dy, x, dw)
    assert (dw == 1).all()
    kernel.learn(dy, x, dw, add=False)
    assert not dw.any()


@pytest.mark.parametrize("rows", [1, 4, 40, 90])
def test_the_number_of_threads_changes_no_bit(rows: int) -> None:
    module = native.load()
    before = module.threads()
    generator = np.random.default_rng(6)
    x = generator.normal(size=(rows, 900)).astype(np.float32)
    w = generator.normal(size=(460, 900)).astype(np.float32)
    dy = generator.normal(size=(rows, 460)).astype(np.float32)
    kernel = Product.make(Device("cpu"), np.float32, rows, 900, 460, False)
    found = []
    for threads in (1, 2, 3, 5):
        module.set_threads(threads)
        y, dx, dw = np.empty_like(dy), np.empty_like(x), np.zeros_like(w)
        kernel.forward(x, w, None, y)
        kernel.backward(dy, w, dx)
        kernel.learn(dy, x, dw)
        found.append((y, dx, dw))
    module.set_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("transposed", [False, True])
def test_batches_of_matrices_share_one(transposed: bool) -> None:
    generator = np.random.default_rng(7)
    one, many = generator.normal(size=(3, 7)), generator.normal(size=(4, 7, 5))
    c = np.empty((4, 3, 5))
    kernel = BatchProduct.make(Device("cpu"), np.float64, 4, 3, 7, 5)
    left, right = (one.T, many.swapaxes(1, 2)) if transposed else (one, many)
    kernel.forward(left, right, c, transpose_a=transposed, transpose_b=transposed)
    np.testing.assert_allclose(c, np.einsum("ij,bjk->bik", one, many))
