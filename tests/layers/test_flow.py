"""Correlation, FlowWarp and ChannelNorm, compared with loops."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

RNG = np.random.default_rng(3)
A, B = RNG.standard_normal((2, 2, 3, 7, 8))


def correlated(
    *, k: int, most: int, pad: int, s1: int, s2: int, subtract: bool = False
) -> np.ndarray:
    a, b = (np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)]) for x in (A, B))
    radius = most // s2
    size = [-(-(extent - 2 * most - k + 1) // s1) for extent in a.shape[2:]]
    y = np.zeros((2, (2 * radius + 1) ** 2, *size))
    for n, d, i, j in np.ndindex(*y.shape):
        p, o = (place - radius for place in divmod(d, 2 * radius + 1))
        row, column = i * s1 + most, j * s1 + most
        first = a[n, :, row : row + k, column : column + k]
        row, column = row + p * s2, column + o * s2
        second = b[n, :, row : row + k, column : column + k]
        y[n, d, i, j] = (np.abs(first - second) if subtract else first * second).mean()
    return y


@pytest.mark.parametrize(
    ("k", "most", "pad", "s1", "s2"), [(1, 2, 2, 1, 1), (3, 2, 1, 1, 2), (1, 3, 3, 2, 2)]
)
@pytest.mark.parametrize("kind", ["MULTIPLY", "SUBTRACT"])
def test_correlations(kind: str, k: int, most: int, pad: int, s1: int, s2: int) -> None:
    text = (
        f'type: "Correlation" correlation_param {{ kernel_size: {k} max_displacement: {most} '
        f"pad: {pad} stride_1: {s1} stride_2: {s2} correlation_type: {kind} }}"
    )
    expected = correlated(k=k, most=most, pad=pad, s1=s1, s2=s2, subtract=kind == "SUBTRACT")
    np.testing.assert_allclose(
        LayerHarness(text, [A, B], dtype=float).forward()[0], expected, atol=1e-12
    )
    check_gradients(text, [A, B])


GIVEN = "kernel_size: 1 max_displacement: 1"


@pytest.mark.parametrize(
    ("fields", "shapes", "message"),
    [
        ("max_displacement: 1", [(2, 3, 5, 7)] * 2, "correlation_param needs a kernel_size"),
        ("kernel_size: 1", [(2, 3, 5, 7)] * 2, "correlation_param needs a max_displacement"),
        (GIVEN.replace("size: 1", "size: 2"), [(2, 3, 5, 7)] * 2, "an odd kernel_size, got 2"),
        (GIVEN + " stride_2: 0", [(2, 3, 5, 7)] * 2, "expected a stride_2 above 0, got 0"),
        (GIVEN + " single_direction: -1", [(2, 3, 5, 7)] * 2, "single_direction is of"),
        (GIVEN.replace("ment: 1", "ment: 999"), [(2, 3, 5, 7)] * 2, "at most 65,536 displacements"),
        (GIVEN, [(2, 3, 5, 7), (2, 3, 7, 5)], "two bottoms of one shape, got 2x3x5x7 and 2x3x7x5"),
        (GIVEN, [(2, 3, 2, 7)] * 2, "images of 2 x 7 are too small"),
        (GIVEN, [(2, 3, 5)] * 2, "expected N x C x H x W, got 'x0' 2x3x5"),
    ],
)
def test_correlations_that_cannot_be(
    fields: str, shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(
            f'type: "Correlation" correlation_param {{ {fields} }}',
            [np.zeros(shape) for shape in shapes],
        )


def flows() -> np.ndarray:
    """Flows that keep away from pixels, some of which leave the image."""
    whole = RNG.integers(-4, 4, (2, 2, 7, 8))
    return whole + RNG.uniform(0.2, 0.8, whole.shape)


def test_warped_images() -> None:
    flow, expected, gone = flows(), np.zeros_like(A), 0
    for n, i, j in np.ndindex(2, 7, 8):
        x, y = j + flow[n, 0, i, j], i + flow[n, 1, i, j]
        if not (0 <= x < 8 and 0 <= y < 7):
            gone += 1
            continue
        left, top = int(x), int(y)
        right, bottom = min(left + 1, 7), min(top + 1, 6)
        u, v = x - left, y - top
        expected[n, :, i, j] = (1 - v) * ((1 - u) * A[n, :, top, left] + u * A[n, :, top, right])
        expected[n, :, i, j] += v * ((1 - u) * A[n, :, bottom, left] + u * A[n, :, bottom, right])
    assert 0 < gone < 2 * 7 * 8
    found = LayerHarness('type: "FlowWarp"', [A, flow], dtype=float).forward()[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    check_gradients('type: "FlowWarp"', [A, flow])


def test_what_is_outside_may_be_marked() -> None:
    flow = np.zeros((2, 2, 7, 8))
    flow[0, 0, 3, 4], flow[1, 1, 0, 0] = 100, np.nan
    text = 'type: "FlowWarp" flow_warp_param { fill_value: NOT_A_NUMBER }'
    found = LayerHarness(text, [A, flow], dtype=float).forward()[0]
    expected = A.copy()
    expected[0, :, 3, 4] = expected[1, :, 0, 0] = np.nan
    np.testing.assert_array_equal(found, expected)


def test_flows_that_cannot_be() -> None:
    with pytest.raises(LayerError, match="expected a flow 2x2x7x8 in 'x1', got 2x3x7x8"):
        LayerHarness('type: "FlowWarp"', [A, B])
    with pytest.raises(LayerError, match="expected N x C x H x W, got 'x0' 2x3"):
        LayerHarness('type: "ChannelNorm"', [np.zeros((2, 3))])


def test_norms_of_channels() -> None:
    x = A.copy()
    x[0, :, 2, 3] = 0
    harness = LayerHarness('type: "ChannelNorm"', [x], dtype=float)
    np.testing.assert_allclose(harness.forward()[0][:, 0], np.linalg.norm(x, axis=1))
    (dx,) = harness.backward([np.ones((2, 1, 7, 8))])
    assert dx is not None
    np.testing.assert_array_equal(dx[0, :, 2, 3], 0)
