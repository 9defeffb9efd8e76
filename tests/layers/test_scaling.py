"""Scale and Bias: edges and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.base import Kind
from protonet.testing import LayerHarness, check_gradients

X = (2, 3, 5, 7)


def test_a_scale_begins_as_the_identity() -> None:
    x = np.random.default_rng(0).standard_normal(X)
    run = LayerHarness('type: "Scale" scale_param { bias_term: true }', [x])
    run.forward()
    np.testing.assert_array_equal(run.tops[0], run.bottoms[0])
    assert [param.shape for param in run.layer.params] == [(3,), (3,)]


@pytest.mark.parametrize("small", [(), (3,), (3, 5), (3, 5, 7)])
def test_a_second_bottom_of_any_length(small: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    x, s = generator.standard_normal(X), generator.standard_normal(small)
    run = LayerHarness('type: "Scale"', [x, s])
    run.forward()
    expected = x * s.reshape((*small, *[1] * (3 - len(small))))
    np.testing.assert_allclose(run.tops[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ('type: "Bias" bias_param { axis: 2 }', (5, 7)),
        ('type: "Bias" bias_param { axis: 0 }', ()),
        ('type: "Scale" scale_param { axis: 1 bias_term: true }', (3, 5)),
        ('type: "Scale" scale_param { axis: -1 }', (7,)),
    ],
)
def test_gradients_of_both_bottoms(text: str, small: tuple[int, ...]) -> None:
    check_gradients(text, [X, small])


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ('type: "Bias" bias_param { axis: 4 }', [X], "axis 4 is out of range"),
        ('type: "Bias" bias_param { num_axes: 4 }', [X], "num_axes 4 from axis 1 is out of range"),
        ('type: "Scale" scale_param { num_axes: -2 }', [X], "num_axes -2 from axis 1"),
        ('type: "Scale"', [X, (3, 7)], "expected a second bottom that begins 3x5x7 at axis 1"),
        ('type: "Scale" scale_param { filler { type: "gausian" } }', [X], "did you mean"),
    ],
)
def test_what_is_refused(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros(shape) for shape in shapes])


def test_a_learned_scale_is_kept_between_its_ends() -> None:
    x = np.ones((2, 3))
    text = 'type: "Scale" scale_param { min_value: -1 max_value: 2 }'
    harness = LayerHarness(text, [x])
    harness.layer.params[0].data[...] = [-5, 1, 7]
    assert harness.forward()[0].tolist() == [[-1, 1, 2]] * 2
    assert harness.layer.params[0].data.tolist() == [-1, 1, 2]
    assert harness.layer.traits.kind is Kind.RECTIFIABLE
    with pytest.raises(LayerError, match="min_value needs a learned scale"):
        LayerHarness(text, [x, np.ones(3)])
