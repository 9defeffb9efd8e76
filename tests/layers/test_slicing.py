"""Layers that cut a blob, or lay it out several times."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

Path = tuple[str | int, ...]


def refused(text: str, *shapes: tuple[int, ...]) -> tuple[str, Path]:
    """The message and the place of the mistake that a layer of these bottoms is refused for."""
    with pytest.raises(LayerError) as caught:
        LayerHarness(text, [np.ones(shape) for shape in shapes])
    return str(caught.value).split("\n")[0], tuple(caught.value.path)


def test_slice_cuts_at_the_points() -> None:
    text = 'type: "Slice" top: "a" top: "b" slice_param { slice_point: 1 }'
    harness = LayerHarness(text, [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    assert [top.tolist() for top in harness.forward()] == [[[1], [4]], [[2, 3], [5, 6]]]
    (dx,) = harness.backward([[[7.0], [8.0]], np.zeros((2, 2))])
    assert dx is not None
    assert dx.tolist() == [[7, 0, 0], [8, 0, 0]]


def test_slice_with_one_top_shares_memory() -> None:
    harness = LayerHarness('type: "Slice" top: "a"', [[[1.0, 2.0]]])
    assert harness.layer.traits.view
    assert not LayerHarness('type: "Slice" top: "a" top: "b"', [[[1.0, 2.0]]]).layer.traits.view


def test_slice_without_a_wanted_gradient_writes_none() -> None:
    harness = LayerHarness('type: "Slice" top: "a" top: "b"', [[[1.0, 2.0]]])
    harness.dbottoms = [None]
    assert harness.backward([[[1.0]], [[1.0]]]) == [None]


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "an extent of 5 cannot be cut into 2 equal parts", ()),
        (
            "slice_param { axis: 3 }",
            "axis 3 is out of range for a bottom of shape 2x5x6",
            ("slice_param", "axis"),
        ),
        (
            "slice_param { slice_dim: 4 }",
            "axis 4 is out of range for a bottom of shape 2x5x6",
            ("slice_param", "slice_dim"),
        ),
        (
            "slice_param { slice_dim: 1 axis: 1 }",
            "expected axis or slice_dim, its deprecated name, got both",
            ("slice_param", "slice_dim"),
        ),
        (
            "slice_param { slice_point: 1 slice_point: 2 }",
            "expected 1 slice_point(s) for 2 top(s), got 2",
            ("slice_param", "slice_point"),
        ),
        (
            "slice_param { slice_point: 0 }",
            "expected a slice_point above 0, got 0",
            ("slice_param", "slice_point", 0),
        ),
        (
            "slice_param { slice_point: 5 }",
            "expected slice points below 5, the extent of 'x0' at the axis, got 5",
            ("slice_param", "slice_point", 0),
        ),
    ],
)
def test_mistakes_of_slice(fields: str, message: str, path: Path) -> None:
    assert refused(f'type: "Slice" top: "a" top: "b" {fields}', (2, 5, 6)) == (message, path)


def test_slice_points_rise() -> None:
    text = 'type: "Slice" top: "a" top: "b" top: "c" slice_param { slice_point: 3 slice_point: 3 }'
    message, path = refused(text, (2, 5, 6))
    assert message == "expected a slice_point above 3, got 3"
    assert path == ("slice_param", "slice_point", 1)


def test_tile_repeats_the_whole_axis() -> None:
    harness = LayerHarness('type: "Tile" tile_param { tiles: 2 }', [[[1.0, 2.0], [3.0, 4.0]]])
    assert harness.forward()[0].tolist() == [[1, 2, 1, 2], [3, 4, 3, 4]]
    (dx,) = harness.backward([[[1.0, 2.0, 10.0, 20.0], [3.0, 4.0, 30.0, 40.0]]])
    assert dx is not None
    assert dx.tolist() == [[11, 22], [33, 44]]
    harness.dbottoms = [None]
    assert harness.backward([np.ones((2, 4))]) == [None]


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "tiles is missing", ("tile_param",)),
        ("tiles: 0", "expected tiles of 1 or more, got 0", ("tile_param", "tiles")),
        (
            "tiles: 2 axis: 2",
            "axis 2 is out of range for a bottom of shape 2x3",
            ("tile_param", "axis"),
        ),
    ],
)
def test_mistakes_of_tile(fields: str, message: str, path: Path) -> None:
    assert refused(f'type: "Tile" tile_param {{ {fields} }}', (2, 3)) == (message, path)


def test_crop_takes_a_part_and_sends_zeros_elsewhere() -> None:
    text = 'type: "Crop" crop_param { axis: 0 offset: 1 }'
    harness = LayerHarness(text, [[1.0, 2.0, 3.0, 4.0], [0.0, 0.0]])
    assert harness.forward()[0].tolist() == [2, 3]
    dx, dreference = harness.backward([[5.0, 6.0]])
    assert dx is not None
    assert dreference is not None
    assert (dx.tolist(), dreference.tolist()) == ([0, 5, 6, 0], [0, 0])
    harness.dbottoms = [None, None]
    assert harness.backward([[5.0, 6.0]]) == [None, None]


@pytest.mark.parametrize(
    ("fields", "reference", "message", "path"),
    [
        (
            "",
            (2, 3, 4),
            "expected bottoms with as many axes, got 'x0' 2x3x5x7 and 'x1' 2x3x4",
            ("bottom", 1),
        ),
        (
            "axis: 4",
            (2, 3, 4, 5),
            "axis 4 is out of range for a bottom of shape 2x3x5x7",
            ("crop_param", "axis"),
        ),
        (
            "axis: 1 offset: 0 offset: 1",
            (2, 3, 4, 5),
            "expected no offset, one, or one for each of the 3 cropped axes, got 2",
            ("crop_param", "offset"),
        ),
        (
            "offset: 1 offset: 3",
            (2, 3, 4, 5),
            "'x0' 2x3x5x7 has 7 values at axis 3, and a crop needs 8: 5, as 'x1' 2x3x4x5, "
            "from offset 3 on",
            ("bottom", 0),
        ),
    ],
)
def test_mistakes_of_crop(
    fields: str, reference: tuple[int, ...], message: str, path: Path
) -> None:
    text = f'type: "Crop" crop_param {{ {fields} }}'
    assert refused(text, (2, 3, 5, 7), reference) == (message, path)
