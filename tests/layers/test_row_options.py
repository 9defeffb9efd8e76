"""Rows of bounded norm, and weighted gradients of rows."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_steady

TABLE = np.array([[0.0, 0.0], [0.6, -0.8], [3.0, -4.0], [6.0, 8.0]])


def embed(fields: str, x: object) -> LayerHarness:
    text = f'type: "Embed" embed_param {{ input_dim: 4 num_output: 2 bias_term: false {fields} }}'
    harness = LayerHarness(text, [x])
    harness.set_params([TABLE])
    return harness


@pytest.mark.parametrize(("p", "expected"), [(2, [1.2, -1.6]), (1, [6 / 7, -8 / 7])])
def test_rows_are_scaled_when_they_are_used(p: int, expected: list[float]) -> None:
    harness = embed(f"max_norm: 2 norm_type: {p}", [2.0, 1.0, 2.0, 0.0])
    y = harness.forward()[0]
    np.testing.assert_allclose(y, [expected, TABLE[1], expected, TABLE[0]], rtol=1e-6)
    table = harness.layer.params[0].data
    np.testing.assert_allclose(table, [TABLE[0], TABLE[1], expected, TABLE[3]], rtol=1e-6)


def test_padding_gets_no_gradient() -> None:
    harness = embed("padding_index: 2", [2.0, 1.0, 2.0, 0.0])
    assert harness.forward()[0].tolist()[0] == [3, -4]
    harness.backward([np.arange(8.0).reshape(4, 2)])
    assert harness.param_diffs[0].tolist() == [[6, 7], [2, 3], [0, 0], [0, 0]]


def test_indices_that_count_from_another_one() -> None:
    harness = embed("first_index: 1 padding_index: 3", [3.0, 1.0, 4.0])
    assert harness.forward()[0].tolist() == [[3, -4], [0, 0], [6, 8]]
    harness.backward([np.arange(6.0).reshape(3, 2)])
    assert harness.param_diffs[0].tolist() == [[2, 3], [0, 0], [0, 0], [4, 5]]
    with pytest.raises(LayerError, match="index 0 in 'x0' is not one of 1 to 4") as caught:
        embed("first_index: 1", [1.0, 0.0]).forward()
    assert caught.value.hint == "indices count from 1"


def test_gradients_are_means_over_the_uses() -> None:
    harness = embed("scale_grad_by_freq: true padding_index: 0", [2.0, 1.0, 2.0, 0.0])
    harness.forward()
    harness.backward([np.arange(8.0).reshape(4, 2)])
    assert harness.param_diffs[0].tolist() == [[0, 0], [2, 3], [2, 3], [0, 0]]


def test_a_pass_allocates_nothing() -> None:
    fields = "input_dim: 5 num_output: 30 max_norm: 2 padding_index: 1 scale_grad_by_freq: true"
    x = np.arange(5000.0).reshape(50, 100) % 5
    check_steady(f'type: "Embed" embed_param {{ {fields} }}', [x])


@pytest.mark.parametrize(
    ("fields", "message", "name"),
    [
        ("padding_index: 4", "expected a padding_index of 0 to 3, got 4", "padding_index"),
        (
            "padding_index: 0 first_index: 1",
            "expected a padding_index of 1 to 4, got 0",
            "padding_index",
        ),
        ("max_norm: -1", "expected max_norm of 0 or more, got -1", "max_norm"),
        ("norm_type: 0", "expected norm_type above 0, got 0", "norm_type"),
    ],
)
def test_mistakes(fields: str, message: str, name: str) -> None:
    with pytest.raises(LayerError) as caught:
        embed(fields, [0.0])
    assert (str(caught.value), caught.value.path) == (message, ("embed_param", name))
