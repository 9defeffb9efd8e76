"""Upsample and Interp."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = np.arange(1.0, 7).reshape(1, 1, 2, 3)
MASK = np.array([1.0, 3, 4, 13, 16, 23]).reshape(1, 1, 2, 3)


def upsample(fields: str = "", *bottoms: object) -> LayerHarness:
    return LayerHarness(f'type: "Upsample" upsample_param {{ {fields} }}', bottoms or (X,))


def test_values_go_to_the_places_of_the_mask() -> None:
    """In every plane; y is 4 x 6, so 13 is row 2, column 1."""
    x, mask = np.stack([X[0], -X[0]]), np.stack([MASK[0], MASK[0][:, ::-1, ::-1]])
    harness = upsample("", x, mask)
    (y,) = harness.forward()
    expected = np.zeros((2, 1, 4, 6))
    expected[0, 0, [0, 0, 0, 2, 2, 3], [1, 3, 4, 1, 4, 5]] = [1, 2, 3, 4, 5, 6]
    expected[1, 0, [0, 0, 0, 2, 2, 3], [1, 3, 4, 1, 4, 5]] = [-6, -5, -4, -3, -2, -1]
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(harness.backward([y])[0], x)
    harness.dbottoms[0] = None
    assert harness.backward([y]) == [None, None]


def test_unpooling_undoes_a_pooling() -> None:
    x = np.random.default_rng(0).permutation(96).reshape(2, 1, 6, 8) + 1.0
    pool = LayerHarness('type: "Pooling" pooling_param { kernel_size: 2 stride: 2 } '
                        'top: "y" top: "mask"', [x])  # fmt: skip
    pooled, mask = pool.forward()
    (y,) = upsample("upsample_h: 6 upsample_w: 8", pooled, mask).forward()
    np.testing.assert_array_equal(y, np.where(np.isin(x, pooled), x, 0))


def test_of_values_for_one_place_the_last_stays() -> None:
    harness = upsample("", X, np.full(X.shape, 7.0))
    (y,) = harness.forward()
    assert y[0, 0, 1, 1] == 6
    assert np.count_nonzero(y) == 1
    (dx,) = harness.backward([y])[:1]
    assert dx is not None
    assert dx.ravel().tolist() == [6] * 6


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ("scale: 3", (6, 9)),
        ("scale_h: 4 scale_w: 8", (8, 24)),
        ("pad_out_h: true", (3, 6)),
        ("scale: 2 pad_out_h: true pad_out_w: true", (3, 5)),
        ("scale: 2 upsample_h: 5 upsample_w: 7", (5, 7)),
        ("upsample_h: 5 upsample_w: 7 scale: 3 pad_out_w: true", (5, 7)),
    ],
)
def test_sizes_with_a_mask(fields: str, size: tuple[int, int]) -> None:
    (y,) = upsample(fields, X, np.arange(6.0).reshape(X.shape)).forward()
    assert y.shape == (1, 1, *size)
    assert y.ravel()[:6].tolist() == X.ravel().tolist()


def test_without_a_mask_values_are_repeated() -> None:
    harness = upsample("scale_h: 2 scale_w: 3")
    (y,) = harness.forward()
    np.testing.assert_array_equal(y[0, 0], np.kron(X[0, 0], np.ones((2, 3))))
    (dx,) = harness.backward([np.arange(36.0).reshape(y.shape)])
    assert dx is not None
    assert dx[0, 0].tolist() == [[33, 51, 69], [141, 159, 177]]
    harness.dbottoms = [None]
    assert harness.backward([y]) == [None]


@pytest.mark.parametrize(("place", "shown"), [(24, "24"), (-1, "-1"), (float("nan"), "nan")])
def test_a_place_outside_of_the_plane_is_named(place: float, shown: str) -> None:
    mask = MASK.copy()
    mask[0, 0, 1, 1] = place
    with pytest.raises(LayerError, match=f"^layer \"l\" \\(Upsample\\): index {shown} in 'x1' is "
                       "not one of 0 to 23, those of a plane of 4x6$") as caught:  # fmt: skip
        upsample("", X, mask).forward()
    assert caught.value.path == ("bottom", 1)


UP = "upsample_param"


@pytest.mark.parametrize(
    ("fields", "shapes", "message", "path"),
    [
        ("upsample_h: 4", 2, "upsample_h needs upsample_w as well", (UP, "upsample_h")),
        ("scale_w: 4", 1, "scale_w needs scale_h as well", (UP, "scale_w")),
        (
            "scale: 2 scale_h: 2 scale_w: 2",
            1,
            "expected scale, or scale_h and scale_w, got both",
            (UP, "scale"),
        ),
        ("scale: 0", 1, "expected scale of 1 or more, got 0", (UP, "scale")),
        ("scale_h: 2 scale_w: 0", 1, "expected scale_w of 1 or more, got 0", (UP, "scale_w")),
        (
            "upsample_h: 0 upsample_w: 3",
            2,
            "expected upsample_h of 1 or more, got 0",
            (UP, "upsample_h"),
        ),
        (
            "upsample_h: 4 upsample_w: 6",
            1,
            "upsample_h needs a second bottom, the mask; without one there is only the scale",
            (UP, "upsample_h"),
        ),
        (
            "pad_out_w: true",
            1,
            "pad_out_w needs a second bottom, the mask; without one there is only the scale",
            (UP, "pad_out_w"),
        ),
        (
            "scale_h: 3 scale_w: 2 pad_out_h: true",
            2,
            "pad_out_h needs a scale of 2, got 3",
            (UP, "pad_out_h"),
        ),
        ("", ((2, 3, 4),), "expected 4 axes, N x C x H x W, got 'x0' 2x3x4", ("bottom", 0)),
        (
            "",
            ((1, 2, 3, 4), (1, 2, 3, 5)),
            "expected a mask of the shape of 'x0', 1x2x3x4, got 'x1' 1x2x3x5",
            ("bottom", 1),
        ),
    ],
)
def test_mistakes_in_upsample(
    fields: str, shapes: object, message: str, path: tuple[str | int, ...]
) -> None:
    bottoms = [X] * shapes if isinstance(shapes, int) else map(np.ones, shapes)
    with pytest.raises(LayerError) as caught:
        upsample(fields, *bottoms)
    assert (str(caught.value), caught.value.path) == (message, path)


def interp(fields: str, x: object = X) -> LayerHarness:
    return LayerHarness(f'type: "Interp" interp_param {{ {fields} }}', [x])


def test_corners_stay_and_what_lies_between_is_mixed() -> None:
    (y,) = interp("height: 3 width: 5").forward()
    assert y[0, 0].tolist() == [
        [1, 1.5, 2, 2.5, 3],
        [2.5, 3, 3.5, 4, 4.5],
        [4, 4.5, 5, 5.5, 6],
    ]
    (y,) = interp("height: 1 width: 2").forward()
    assert y[0, 0].tolist() == [[1, 3]]


def test_every_second_value_is_kept_by_shrinking() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 8)).astype(np.float32)
    (y,) = interp("shrink_factor: 2", x[..., :7]).forward()
    np.testing.assert_array_equal(y, x[..., ::2, :7:2])
    (y,) = interp("shrink_factor: 1", x).forward()
    np.testing.assert_array_equal(y, x)


def test_negative_pads_crop() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 7)).astype(np.float32)
    harness = interp("zoom_factor: 3 pad_beg: -1 pad_end: -2", x)
    (y,) = harness.forward()
    assert y.shape == (2, 3, 7, 10)
    np.testing.assert_allclose(y[..., ::3, ::3], x[:, :, 1:4, 1:5], rtol=1e-6)
    (dx,) = harness.backward([np.ones(y.shape)])
    assert dx is not None
    assert np.isclose(dx.sum(), y.size)
    dx[:, :, 1:4, 1:5] = 0
    assert not dx.any()
    harness.dbottoms = [None]
    assert harness.backward([y]) == [None]


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ("zoom_factor: 2", (9, 13)),
        ("shrink_factor: 2", (3, 4)),
        ("shrink_factor: 3", (2, 3)),
        ("shrink_factor: 3 zoom_factor: 2", (3, 5)),
        ("zoom_factor: 2 height: 4 width: 6", (9, 13)),
        ("zoom_factor: 2 height: 4", (9, 13)),
        ("shrink_factor: 3 zoom_factor: 2 height: 4 width: 6", (4, 6)),
        ("height: 11 width: 3", (11, 3)),
    ],
)
def test_sizes_of_interp(fields: str, size: tuple[int, int]) -> None:
    (y,) = interp(fields, np.ones((2, 3, 5, 7))).forward()
    assert y.shape == (2, 3, *size)
    np.testing.assert_allclose(y, 1, rtol=1e-6)


IN = "interp_param"


@pytest.mark.parametrize(
    ("fields", "shape", "message", "path"),
    [
        (
            "",
            (1, 1, 2, 2),
            "expected height and width, zoom_factor or shrink_factor, got none of them",
            (IN,),
        ),
        (
            "width: 3",
            (1, 1, 2, 2),
            "expected height and width, zoom_factor or shrink_factor, got width alone",
            (IN, "width"),
        ),
        ("height: 0 width: 3", (1, 1, 2, 2), "expected height of 1 or more, got 0", (IN, "height")),
        (
            "zoom_factor: 0",
            (1, 1, 2, 2),
            "expected zoom_factor of 1 or more, got 0",
            (IN, "zoom_factor"),
        ),
        (
            "zoom_factor: 2 pad_end: 1",
            (1, 1, 2, 2),
            "expected a pad_end of 0 or less, which crops, got 1",
            (IN, "pad_end"),
        ),
        (
            "zoom_factor: 2 pad_beg: -2 pad_end: -1",
            (1, 1, 4, 3),
            "cropping by 3 leaves nothing of a plane of 4x3",
            ("bottom", 0),
        ),
        ("zoom_factor: 2", (3, 4), "expected 4 axes, N x C x H x W, got 'x0' 3x4", ("bottom", 0)),
    ],
)
def test_mistakes_in_interp(
    fields: str, shape: tuple[int, ...], message: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(LayerError) as caught:
        interp(fields, np.ones(shape))
    assert (str(caught.value), caught.value.path) == (message, path)


def test_interp_takes_the_size_of_a_blob() -> None:
    x = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
    by_blob = 'type: "Interp" interp_param { use_blob_size: true }'
    harness = LayerHarness(by_blob, [x, np.zeros((1, 7, 6, 9))], dtype=float)
    by_size = 'type: "Interp" interp_param { height: 6 width: 9 }'
    (expected,) = LayerHarness(by_size, [x], dtype=float).forward()
    np.testing.assert_array_equal(harness.forward()[0], expected)
    dx, dblob = harness.backward([np.ones((2, 3, 6, 9))])
    assert dx is not None
    assert dblob is None


@pytest.mark.parametrize(
    ("fields", "bottoms"),
    [("use_blob_size: true", 1), ("height: 6 width: 9", 2), ("use_blob_size: true height: 6", 2)],
)
def test_interp_takes_one_size(fields: str, bottoms: int) -> None:
    given = [np.zeros((2, 3, 4, 5))] * bottoms
    with pytest.raises(LayerError, match="goes with use_blob_size: true and no other size"):
        LayerHarness(f'type: "Interp" interp_param {{ {fields} }}', given)
