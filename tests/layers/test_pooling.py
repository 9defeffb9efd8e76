"""Pooling: shapes, edges, chance, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.graph.meta_device import supports_low_precision
from protonet.layers.base import LowPrecision
from protonet.layers.pooling import pool_windows
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import LayerHarness
from tests.kernels.cuda.emulation import EmulatedDevice

X = (2, 3, 5, 7)


def harness(text: str, x: np.ndarray | None = None, phase: int = TRAIN) -> LayerHarness:
    if x is None:
        x = np.random.default_rng(0).standard_normal(X)
    tops = 'top: "y" top: "mask"' if "mask" in text else 'top: "y"'
    text = text.replace("mask", "")
    return LayerHarness(
        f'type: "Pooling" bottom: "x" {tops} pooling_param {{ {text} }}', [x], phase=phase
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kernel_size: 2 stride: 2", (3, 4)),
        ("kernel_size: 2 stride: 2 round_mode: FLOOR", (2, 3)),
        ("kernel_size: 2 stride: 2 ceil_mode: false", (2, 3)),
        ("kernel_size: 2 stride: 2 ceil_mode: true", (3, 4)),
        ("kernel_size: 2 stride: 3 pad: 1", (2, 3)),
        ("global_pooling: true", (1, 1)),
        ("kernel_h: 5 kernel_w: 1 stride_h: 1 stride_w: 4", (1, 3)),
    ],
)
def test_shapes(text: str, expected: tuple[int, int]) -> None:
    assert harness(text).tops[0].shape == (2, 3, *expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a kernel_size above 0"),
        ("kernel_size: 2 kernel_w: 3", "kernel_size and kernel_w are both given"),
        ("kernel_size: 2 pad: 2", "pad 2x2 must be below the kernel, 2x2"),
        ("kernel_size: 2 stride: 0", "stride must be above 0"),
        ("kernel_size: 9", "a kernel of 9x9 .* does not fit a plane of 5x7"),
        ("kernel_size: 6 stride: 2 round_mode: FLOOR", "a kernel of 6x6 .* does not fit"),
        ("global_pooling: true kernel_size: 2", "global_pooling takes its kernel"),
        ("global_pooling: true stride: 2", "global_pooling needs pad 0 and stride 1"),
        ("pool: STOCHASTIC kernel_size: 3 pad: 1", "STOCHASTIC pooling takes no pad"),
        ("pool: AVE kernel_size: 3 mask", "only MAX pooling has a second top"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        harness(text)


@pytest.mark.parametrize("pool", ["MAX", "AVE", "STOCHASTIC"])
def test_a_window_larger_than_the_plane_is_cut_off(pool: str) -> None:
    """By less than a stride: Caffe's ceil((1 - 2) / 2) + 1 is one window."""
    x = np.array([[[[3.0, 1.0, 2.0]]]])
    run = harness(f"pool: {pool} kernel_size: 2 stride: 2", x, TEST)
    expected = {"MAX": [3, 2], "AVE": [2, 2], "STOCHASTIC": [2.5, 2]}[pool]
    run.forward()
    np.testing.assert_allclose(run.tops[0].reshape(-1), expected)
    if pool != "STOCHASTIC":
        (dx,) = run.backward([np.array([[[[5.0, 7.0]]]])])
        expected = {"MAX": [5, 0, 7], "AVE": [2.5, 2.5, 7]}[pool]
        assert dx is not None
        np.testing.assert_allclose(dx.reshape(-1), expected)


def test_padding_counts_in_a_window_larger_than_the_plane() -> None:
    """Of 1 x 1 with a border of 1: of 4 x 4 places there are 3 x 3."""
    run = harness("pool: AVE kernel_size: 4 stride: 2 pad: 1", np.full((1, 1, 1, 1), 9.0))
    run.forward()
    assert run.tops[0].shape == (1, 1, 1, 1)
    assert run.tops[0].item() == 1


def test_three_axes_are_refused() -> None:
    with pytest.raises(LayerError, match="expected a bottom of 4 axes, N x C x H x W, got 2x3x5"):
        harness("kernel_size: 2", np.zeros((2, 3, 5)))


def test_the_first_of_equal_maxima_wins() -> None:
    run = harness("kernel_size: 2 mask", np.ones((1, 1, 2, 3)))
    run.forward()
    np.testing.assert_array_equal(run.tops[1].ravel(), [0, 1])


def test_stochastic_pooling_draws_by_value() -> None:
    x = np.zeros((1, 1, 200, 200))
    x[..., ::2, ::2], x[..., 1::2, 1::2] = 1, 3
    run = harness("pool: STOCHASTIC kernel_size: 2 stride: 2", x)
    run.forward()
    values = run.tops[0].ravel()
    assert set(values) == {1, 3}
    assert abs((values == 3).mean() - 0.75) < 0.02


def test_stochastic_pooling_weighs_in_test() -> None:
    x = np.array([1.0, 3.0, 0.0, 0.0]).reshape(1, 1, 2, 2)
    run = harness("pool: STOCHASTIC kernel_size: 2", x, TEST)
    run.forward()
    assert run.tops[0].item() == pytest.approx(10 / 4)
    zero = harness("pool: STOCHASTIC kernel_size: 2", np.zeros((1, 1, 2, 2)), TEST)
    zero.forward()
    assert zero.tops[0].item() == 0


def test_places_are_not_kept_in_16_bits() -> None:
    assert harness("kernel_size: 2").layer.traits.low_precision is LowPrecision.WITH_BOTTOMS
    layer = harness("mask kernel_size: 2").layer
    assert layer.traits.low_precision is LowPrecision.NEVER
    assert not supports_low_precision(layer, [X], EmulatedDevice(), np.float16)


@pytest.mark.parametrize("sides", [(0, 0, 0, 0), (1, 2, 0, 1), (0, 1, 2, 0), (1, 1, 1, 1)])
@pytest.mark.parametrize("rounding", ["CEIL", "FLOOR"])
@pytest.mark.parametrize("pool", ["MAX", "AVE", "AVE_EXC_PAD", "AVE_TF"])
def test_padding_of_each_side_by_loops(
    pool: str, rounding: str, sides: tuple[int, int, int, int]
) -> None:
    """As Synopsys' fork computes it: windows of 3 x 3 with stride 2 over planes of 6 x 7."""
    top, bottom, left, right = sides
    x = np.random.default_rng(6).standard_normal((2, 3, 6, 7))
    text = f"""type: "Pooling" pooling_param {{ pool: {pool} kernel_size: 3 stride: 2
        round_mode: {rounding} pad_t: {top} pad_b: {bottom} pad_l: {left} pad_r: {right} }}"""
    (found,) = LayerHarness(text, [x], dtype=float).forward()
    round_to = np.ceil if rounding == "CEIL" else np.floor
    rows, columns = (
        int(round_to((extent + sum(ends) - 3) / 2)) + 1
        for extent, ends in ((6, (top, bottom)), (7, (left, right)))
    )
    if any(sides):
        rows -= (rows - 1) * 2 >= 6 + top
        columns -= (columns - 1) * 2 >= 7 + left
    assert found.shape == (2, 3, rows, columns)
    for i in range(rows):
        for j in range(columns):
            y0, x0 = 2 * i - top, 2 * j - left
            y1, x1 = min(y0 + 3, 6 + bottom), min(x0 + 3, 7 + right)
            window = x[:, :, max(y0, 0) : min(y1, 6), max(x0, 0) : min(x1, 7)]
            if pool == "MAX":
                expected = window.max(axis=(2, 3))
            elif pool == "AVE":
                expected = window.sum(axis=(2, 3)) / ((y1 - y0) * (x1 - x0))
            else:
                expected = window.mean(axis=(2, 3))
            np.testing.assert_allclose(found[:, :, i, j], expected)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("kernel_size: 3 pad: 1 pad_l: 1", "pad and pad_l are both given"),
        ("kernel_size: 2 pad_b: 2", "must be below the kernel"),
        ("global_pooling: true pad_r: 1", "global_pooling needs pad 0"),
    ],
)
def test_sides_that_cannot_be(fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "Pooling" pooling_param {{ {fields} }}', [np.zeros((2, 3, 6, 7))])


def test_values_of_a_window_may_be_apart() -> None:
    x = np.random.default_rng(5).integers(-9, 9, (2, 3, 9, 8)).astype(np.float32)
    text = """type: "Pooling" top: "y" top: "mask" pooling_param { kernel_h: 3 kernel_w: 2 stride: 2
        pad_h: 1 pad_w: 0 dilation_h: 2 dilation_w: 3 round_mode: FLOOR }"""
    y, mask = LayerHarness(text, [x]).forward()
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 0)], constant_values=-np.inf)
    windows = [
        [padded[:, :, i : i + 5 : 2, j : j + 4 : 3].max(axis=(2, 3)) for j in (0, 2, 4)]
        for i in (0, 2, 4, 6)
    ]
    np.testing.assert_array_equal(y, np.moveaxis(windows, (0, 1), (2, 3)))
    flat = x.reshape(2, 3, -1)
    found = np.take_along_axis(flat, mask.reshape(2, 3, -1).astype(int), axis=2)
    np.testing.assert_array_equal(found.reshape(y.shape), y)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pool: AVE kernel_size: 2 dilation: 2", "only MAX pooling has a dilation"),
        ("kernel_size: 2 dilation: 0", "dilation must be above 0"),
        ("kernel_size: 4 dilation: 3", "a kernel of 4x4 .* does not fit"),
    ],
)
def test_dilations_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "Pooling" pooling_param {{ {text} }}', [np.zeros((2, 3, 6, 7))])


def test_padding_of_one_axis_drops_windows_behind_the_other() -> None:
    """As in Caffe (pooling_layer.cpp): with any padding, no window begins behind the values."""
    windows = pool_windows((5, 5), (2, 1), (3, 4), (1, 0))
    assert windows.outputs == (2, 2)
    assert pool_windows((5, 4), (2, 1), (3, 4), (1, 0)).outputs == (2, 1)
    assert pool_windows((5, 4), (2, 1), (3, 4), (0, 0)).outputs == (2, 2)
