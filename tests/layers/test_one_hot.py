"""Indices as vectors."""

from __future__ import annotations

import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

TEXT = 'type: "OneHot" one_hot_param { num_output: 3 }'


def test_vectors() -> None:
    harness = LayerHarness(TEXT, [[[2.0, 0.0], [1.0, 1.0]]])
    expected = [[[0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 1, 0]]]
    assert harness.forward()[0].tolist() == expected
    assert harness.backward([expected]) == [None]


def test_indices_from_1() -> None:
    harness = LayerHarness(TEXT.replace("3 }", "3 first_index: 1 }"), [[3.0, 1.0]])
    assert harness.forward()[0].tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("index", [-1.0, 3.0])
def test_an_index_out_of_range(index: float) -> None:
    with pytest.raises(LayerError, match=f"index {index:g} in 'x0' is not one of 0 to 2"):
        LayerHarness(TEXT, [[0.0, index]]).forward()


def test_the_length_is_required() -> None:
    with pytest.raises(LayerError, match="num_output is missing") as caught:
        LayerHarness('type: "OneHot"', [[0.0]])
    assert caught.value.path == ("one_hot_param",)
