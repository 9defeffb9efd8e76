"""Windows: every place of every axis, and the transpose."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest

from protonet.kernels.convolution import NativeConvolve
from protonet.kernels.pooling import NativeMaxPool
from protonet.kernels.windows import Windows, per_axis, window_outputs

GEOMETRIES = [
    ((5, 7), (3, 2), (1, 1), (0, 0), (1, 1)),
    ((5, 7), (3, 2), (2, 3), (1, 1), (1, 2)),
    ((4, 5, 6), (2, 3, 1), (1, 2, 3), (1, 0, 2), (2, 1, 1)),
    ((6,), (4,), (2,), (3,), (1,)),
    ((2, 2), (2, 2), (1, 1), (3, 0), (1, 1)),
    ((5, 7), (9, 12), (7, 3), (4, 11), (1, 2)),
]


def windows_of(geometry: tuple[tuple[int, ...], ...]) -> Windows:
    return Windows(*geometry, window_outputs(*geometry))


def unrolled(windows: Windows, x: np.ndarray) -> np.ndarray:
    """The definition, value by value."""
    columns = np.zeros((len(x), *windows.kernel, *windows.outputs))
    for k in product(*map(range, windows.kernel)):
        for o in product(*map(range, windows.outputs)):
            place = [
                b * s - p + a * d
                for a, b, s, p, d in zip(
                    k, o, windows.stride, windows.pad, windows.dilation, strict=True
                )
            ]
            if all(0 <= i < n for i, n in zip(place, windows.inputs, strict=True)):
                columns[(slice(None), *k, *o)] = x[(slice(None), *place)]
    return columns


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_unroll_is_its_definition(geometry: tuple[tuple[int, ...], ...]) -> None:
    windows = windows_of(geometry)
    x = np.random.default_rng(0).standard_normal((3, *windows.inputs))
    columns = np.zeros((3, *windows.kernel, *windows.outputs))
    windows.im2col(x, columns)
    np.testing.assert_array_equal(columns, unrolled(windows, x))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_roll_is_the_transpose_of_unroll(geometry: tuple[tuple[int, ...], ...]) -> None:
    windows = windows_of(geometry)
    generator = np.random.default_rng(1)
    x = generator.standard_normal((3, *windows.inputs))
    columns = generator.standard_normal((3, *windows.kernel, *windows.outputs))
    back = np.full_like(x, 9)
    windows.col2im(np, columns, back)
    np.testing.assert_allclose((back * x).sum(), (columns * unrolled(windows, x)).sum())


def test_only_a_kernel_of_one_that_sees_everything_is_the_identity() -> None:
    assert windows_of(((5, 7), (1, 1), (1, 1), (0, 0), (1, 1))).is_identity
    assert not windows_of(((5, 7), (1, 1), (2, 1), (0, 0), (1, 1))).is_identity
    assert not windows_of(((5, 7), (1, 2), (1, 1), (0, 0), (1, 1))).is_identity
    assert not windows_of(((5, 7), (1, 1), (1, 1), (1, 1), (1, 1))).is_identity
    assert not windows_of(((3, 3), (1, 1), (2, 2), (1, 1), (1, 1))).is_identity, "every other one"


def test_spread() -> None:
    assert per_axis([], 3, 7) == (7, 7, 7)
    assert per_axis([2], 3, 7) == (2, 2, 2)
    assert per_axis([2, 3, 4], 3, 7) == (2, 3, 4)


def test_places_are_looked_for_where_they_can_be() -> None:
    most = 2**31 - 1
    windows = windows_of(((8, 8), (most, 1), (most, 1), (most - 1, 0), (1, 1)))
    start = time.process_time()
    assert [index for index, _, _ in windows.places] == [*((k, 0) for k in range(7)), (most - 1, 0)]
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("geometry", "modest"),
    [
        (((8, 8), (3, 3), (1, 1), (1, 1), (1, 1)), True),
        (((8, 8), (3, 3), (400000000, 1), (0, 0), (1, 1)), True),  # a single window
        (((8, 8), (3, 3), (1, 1), (24, 24), (24, 24)), True),
        (((500, 500), (500, 500), (1, 1), (0, 0), (1, 1)), True),
        (((8, 8), (3, 3), (1, 1), (100000, 100000), (100000, 100000)), False),
        (((8, 8), (10000, 10000), (1, 1), (5000, 5000), (1, 1)), False),
        (((2000, 2000), (1, 1), (1000, 1000), (0, 0), (1, 1)), False),
    ],
)
def test_compiled_kernels_decline_what_would_take_tables_larger_than_images(
    geometry: tuple[tuple[int, ...], ...], modest: bool
) -> None:
    assert windows_of(geometry).is_modest is modest
    arguments = (windows_of(geometry), 1, 1, 1, 1)
    assert NativeConvolve.supports(*arguments) is modest
    undilated = geometry[-1] == (1, 1)
    assert NativeMaxPool.supports(*arguments[:3]) is (modest and undilated)


def test_one_axis_as_a_plane_of_one_row() -> None:
    line = Windows((9,), (3,), (2,), (1,), (1,), (5,))
    plane = Windows((1, 9), (1, 3), (1, 2), (0, 1), (1, 1), (1, 5))
    assert line.in_two_axes == plane
    assert plane.in_two_axes is plane
