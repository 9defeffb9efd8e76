"""Pooling of volumes beside loops over their windows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness
from tests.layers.test_convolution_3d import POOL, layer, values


def pooled(x: np.ndarray, pool: str, kernel: tuple[int, ...], stride: tuple[int, ...],
           pad: tuple[int, ...]) -> np.ndarray:  # fmt: skip
    """Window by window, as Caffe counts them."""
    starts = []
    for i, k, s, p in zip(x.shape[2:], kernel, stride, pad, strict=True):
        out = -(-(i + 2 * p - k) // s) + 1
        out -= bool(p and (out - 1) * s >= i + p)
        starts.append([o * s - p for o in range(out)])
    y = np.empty((*x.shape[:2], *map(len, starts)))
    for place in product(*(range(len(each)) for each in starts)):
        begin = [each[o] for each, o in zip(starts, place, strict=True)]
        ends = [min(b + k, i + p) for b, k, i, p in
                zip(begin, kernel, x.shape[2:], pad, strict=True)]  # fmt: skip
        cut = x[(..., *(slice(max(0, b), e) for b, e in zip(begin, ends, strict=True)))]
        size = np.prod([e - b for b, e in zip(begin, ends, strict=True)])
        axes = (2, 3, 4)
        y[(..., *place)] = cut.max(axis=axes) if pool == "MAX" else cut.sum(axis=axes) / size
    return y


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("kind", "field", "text", "geometry"),
    [
        (
            "Pooling3D", POOL, "kernel_size: 2 kernel_depth: 1 stride: 2 temporal_stride: 1",
            ((1, 2, 2), (1, 2, 2), (0, 0, 0)),
        ),
        (
            "Pooling3D", "pooling3d_param", "kernel_size: 3 kernel_depth: 2 stride: 2 pad: 1",
            ((2, 3, 3), (1, 2, 2), (0, 1, 1)),
        ),
        ("Pooling3D", POOL, "kernel_size: 3 stride: 2", ((3, 3, 3), (2, 2, 2), (0, 0, 0))),
        ("Pooling3D", POOL, "global_pooling: true", ((4, 5, 6), (1, 1, 1), (0, 0, 0))),
        (
            "NdPooling", POOL, "kernel_shape { dim: 2 dim: 3 dim: 2 } stride_shape { dim: 2 dim: 2 "
            "dim: 3 } pad_shape { dim: 1 dim: 0 dim: 1 }",
            ((2, 3, 2), (2, 2, 3), (1, 0, 1)),
        ),
    ],
)  # fmt: skip
def test_pooling_takes_windows_of_volumes(
    kind: str, field: str, text: str, geometry: tuple[tuple[int, ...], ...], pool: str
) -> None:
    run = layer(kind, field, f"pool: {pool} {text}")
    expected = pooled(values(), pool, *geometry)
    np.testing.assert_allclose(run.forward()[0], expected, rtol=1e-5, atol=1e-6)


def test_the_first_of_equal_maxima_gets_the_gradient() -> None:
    run = layer("Pooling3D", POOL, "kernel_size: 2 kernel_depth: 2", np.ones((1, 1, 2, 2, 2)))
    run.forward()
    (dx,) = run.backward([np.full((1, 1, 1, 1, 1), 3.0)])
    assert dx is not None
    assert dx.ravel().tolist() == [3, 0, 0, 0, 0, 0, 0, 0]


def test_planes_are_refused() -> None:
    with pytest.raises(LayerError, match="expected a bottom of 5 axes, N x C x L x H x W, got"):
        layer("Pooling3D", POOL, "kernel_size: 2", np.zeros((2, 3, 4, 5)))


def test_frames_have_p3ds_names_too() -> None:
    """kernel_l, stride_l and pad_l are kernel_depth, temporal_stride and a border of frames."""
    plane = "kernel_size: 3 stride: 2 pad: 1"
    named = layer("Pooling3D", "pooling3d_param", f"{plane} kernel_l: 2 stride_l: 2 pad_l: 1")
    (y,) = named.forward()
    expected = pooled(values(), "MAX", (2, 3, 3), (2, 2, 2), (1, 1, 1))
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    c3d = layer("Pooling3D", "pooling3d_param", f"{plane} kernel_depth: 2 temporal_stride: 2")
    same = layer("Pooling3D", "pooling3d_param", f"{plane} kernel_l: 2 stride_l: 2")
    np.testing.assert_array_equal(same.forward()[0], c3d.forward()[0])
    with pytest.raises(LayerError, match="kernel_depth and kernel_l are both given"):
        layer("Pooling3D", "pooling3d_param", f"{plane} kernel_depth: 2 kernel_l: 2")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("pool: AVE_EXC_PAD", "AVE_.* pooling is for planes only"),
        ("pad_l: 1", "pad_l is for planes only"),
    ],
)
def test_synopsys_pooling_is_of_planes(fields: str, message: str) -> None:
    text = f'type: "Pooling3D" pooling_param {{ kernel_size: 2 kernel_depth: 2 {fields} }}'
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros((2, 3, 4, 5, 6))])


def test_the_mask_has_the_places_of_maxima_in_their_volumes() -> None:
    x = np.random.default_rng(2).permutation(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    x = x.astype(np.float32)
    text = (
        f'type: "Pooling3D" top: "y" top: "mask" {POOL} {{ kernel_size: 2 kernel_depth: 3 pad: 1 }}'
    )
    y, mask = LayerHarness(text, [x]).forward()
    found = np.take_along_axis(
        x.reshape(2, 3, -1), mask.reshape(2, 3, -1).astype(int), axis=2
    ).reshape(y.shape)
    np.testing.assert_array_equal(found, y)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("pool: AVE top", "only MAX pooling has a second top, the mask"),
        ("pool: AVE dilation_shape { dim: 2 }", "only MAX pooling has a dilation"),
        ("dilation_shape { dim: 2 dim: 0 dim: 1 }", "dilation must be above 0"),
    ],
)
def test_masks_and_dilations_that_cannot_be(fields: str, message: str) -> None:
    tops = 'top: "y" top: "mask"' if fields.endswith("top") else ""
    fields = fields.removesuffix("top")
    text = f'type: "Pooling3D" {tops} {POOL} {{ kernel_size: 2 kernel_depth: 2 {fields} }}'
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros((2, 3, 4, 5, 6))])
