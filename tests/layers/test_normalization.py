"""MVN and Normalize: values by hand, flat inputs, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

SHAPE = (2, 3, 5, 7)


@pytest.mark.parametrize(("across", "axes"), [(False, (2, 3)), (True, (1, 2, 3))])
def test_mvn_gives_mean_0_and_variance_1(across: bool, axes: tuple[int, ...]) -> None:
    x = 5 + 3 * np.random.default_rng(0).standard_normal(SHAPE)
    text = f'type: "MVN" mvn_param {{ across_channels: {str(across).lower()} }}'
    (y,) = LayerHarness(text, [x], dtype=np.float64).forward()
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=axes), 1, rtol=1e-8)


def test_mvn_adds_eps_to_the_deviation() -> None:
    harness = LayerHarness('type: "MVN" mvn_param { eps: 1 }', [[[[-3.0, 3.0]]]])
    assert harness.forward()[0].tolist() == [[[-0.75, 0.75]]]


def test_mvn_of_equal_values_is_0() -> None:
    harness = LayerHarness('type: "MVN"', [np.full((1, 2, 4), 7.0)])
    assert not harness.forward()[0].any()
    (dx,) = harness.backward([np.ones((1, 2, 4))])
    assert dx is not None
    assert np.isfinite(dx).all()


def test_normalize_gives_lengths() -> None:
    x = np.random.default_rng(0).standard_normal(SHAPE)
    (y,) = LayerHarness('type: "Normalize"', [x], dtype=np.float64).forward()
    np.testing.assert_allclose((y**2).sum(axis=(1, 2, 3)), 1)
    text = 'type: "Normalize" norm_param { across_spatial: false scale_filler { value: 20 } }'
    (y,) = LayerHarness(text, [x], dtype=np.float64).forward()
    np.testing.assert_allclose((y**2).sum(axis=1), 400)


def test_normalize_of_zeros_is_0() -> None:
    harness = LayerHarness('type: "Normalize"', [np.zeros((2, 3, 4))])
    assert not harness.forward()[0].any()
    (dx,) = harness.backward([np.ones((2, 3, 4))])
    assert dx is not None
    assert np.isfinite(dx).all()


def test_a_scale_for_each_channel_or_for_all() -> None:
    for fields, shape in (("", ()), ("channel_shared: false", (3,))):
        layer = LayerHarness(f'type: "Normalize" norm_param {{ {fields} }}', [np.ones(SHAPE)]).layer
        assert [param.shape for param in layer.params] == [shape]
        assert (layer.params[0].data == 1).all()


def test_a_scale_that_does_not_learn_gets_no_gradient() -> None:
    harness = LayerHarness('type: "Normalize" param { lr_mult: 0 }', [np.ones(SHAPE)])
    harness.forward()
    harness.backward([np.ones(SHAPE)])
    assert not harness.param_diffs[0].any()


@pytest.mark.parametrize("kind", ["MVN", "Normalize"])
def test_a_bottom_without_channels(kind: str) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "{kind}"', [np.ones(4)])
    assert str(caught.value) == "expected a bottom of at least 2 axes, got 4"
    assert caught.value.path == ("bottom", 0)


@pytest.mark.parametrize("kind", ["MVN", "Normalize"])
def test_an_unwanted_gradient_is_left_out(kind: str) -> None:
    harness = LayerHarness(f'type: "{kind}"', [np.ones((2, 3))])
    harness.forward()
    harness.dbottoms = [None]
    assert harness.backward([np.ones((2, 3))]) == [None]
