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
    assert harness.layer.shares_storage
    assert not LayerHarness('type: "Slice" top: "a" top: "b"', [[[1.0, 2.0]]]).layer.shares_storage


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
            "expected axis or slice_dim, which is its old name, got both",
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
