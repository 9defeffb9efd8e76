"""Marks of where sequences go on."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

TEXT = 'type: "ContinuationIndicator" continuation_indicator_param {{ {} }}'


@pytest.mark.parametrize(
    ("fields", "bottoms"),
    [("time_step: 3 batch_size: 2", []), ("time_step: 3 batch_size: 9", [np.ones((2, 5))])],
)
def test_only_the_first_step_begins_a_sequence(fields: str, bottoms: list[np.ndarray]) -> None:
    (marks,) = LayerHarness(TEXT.format(fields), bottoms).forward()
    assert marks.tolist() == [[0, 0], [1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("fields", "bottoms", "message"),
    [
        ("batch_size: 2", [], "needs time_step above 0"),
        ("time_step: 2", [], "needs batch_size above 0"),
        ("time_step: 2", [np.ones(())], "expected at least 1 axis, got a scalar"),
    ],
)
def test_what_cannot_be(fields: str, bottoms: list[np.ndarray], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(TEXT.format(fields), bottoms)


def test_the_axis_of_streams() -> None:
    (marks,) = LayerHarness(TEXT.format("time_step: 3 axis: 1"), [np.ones((5, 2))]).forward()
    assert marks.tolist() == [[0, 0], [1, 1], [1, 1]]
    with pytest.raises(LayerError, match="axis 2 is out of range"):
        LayerHarness(TEXT.format("time_step: 3 axis: 2"), [np.ones((5, 2))])
