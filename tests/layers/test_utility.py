"""Split, Concat, Silence."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def test_split_copies_and_adds_up() -> None:
    harness = LayerHarness('type: "Split" top: "a" top: "b" top: "c"', [[1.0, 2.0]])
    assert harness.layer.traits.view
    assert [top.tolist() for top in harness.forward()] == [[1.0, 2.0]] * 3
    (gradient,) = harness.backward([[1.0, 0.0], [0.0, 1.0], [10.0, 20.0]])
    assert gradient is not None
    assert gradient.tolist() == [11.0, 21.0]


def test_split_without_a_wanted_gradient_writes_none() -> None:
    harness = LayerHarness('type: "Split" top: "a" top: "b"', [[1.0, 2.0]])
    harness.dbottoms = [None]
    assert harness.backward([[1.0, 2.0], [3.0, 4.0]]) == [None]


def test_concat_writes_only_the_wanted_gradients() -> None:
    harness = LayerHarness('type: "Concat"', [np.ones((2, 1)), np.ones((2, 3))])
    harness.dbottoms[0] = None
    harness.forward()
    first, second = harness.backward([np.arange(8).reshape(2, 4)])
    assert first is None
    assert second is not None
    assert second.tolist() == [[1, 2, 3], [5, 6, 7]]


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        (
            "",
            "expected equal extents at all axes but 1, got 'x0' 2x3x4 and 'x1' 2x5x6",
            ("bottom", 1),
        ),
        (
            "concat_param { axis: 3 }",
            "axis 3 is out of range for a bottom of shape 2x3x4",
            ("concat_param", "axis"),
        ),
        (
            "concat_param { concat_dim: 4 }",
            "axis 4 is out of range for a bottom of shape 2x3x4",
            ("concat_param", "concat_dim"),
        ),
        (
            "concat_param { concat_dim: 1 axis: 1 }",
            "expected axis or concat_dim, its deprecated name, got both",
            ("concat_param", "concat_dim"),
        ),
    ],
)
def test_mistakes_of_concat(fields: str, message: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "Concat" {fields}', [np.ones((2, 3, 4)), np.ones((2, 5, 6))])
    assert (str(caught.value), caught.value.path) == (message, path)


def test_concat_refuses_bottoms_with_other_numbers_of_axes() -> None:
    with pytest.raises(LayerError, match="got 'x0' 2x3 and 'x1' 2x3x1"):
        LayerHarness('type: "Concat"', [np.ones((2, 3)), np.ones((2, 3, 1))])


def test_silence_sends_zeros_where_a_gradient_is_wanted() -> None:
    harness = LayerHarness('type: "Silence"', [np.ones(2), np.ones(3)])
    harness.dbottoms[1] = None
    assert harness.forward() == []
    first, second = harness.backward([])
    assert first is not None
    assert first.tolist() == [0.0, 0.0]
    assert second is None


def test_gather_of_one_process() -> None:
    harness = LayerHarness('type: "Gather"', [[1.0, 2.0], [[3.0]]])
    assert [top.tolist() for top in harness.forward()] == [[1, 2], [[3]]]
    found = harness.backward([[5.0, 6.0], [[7.0]]])
    assert [None if dx is None else dx.tolist() for dx in found] == [[5, 6], [[7]]]
    with pytest.raises(LayerError, match="expected one top for each bottom, got 2"):
        LayerHarness('type: "Gather" top: "a"', [[1.0], [2.0]])
