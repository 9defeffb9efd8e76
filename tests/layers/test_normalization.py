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


@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_directions_of_places_by_their_formula(kind: str) -> None:
    """As happynear's fork has it: of the channels of each place, without a factor."""
    x = np.random.default_rng(5).standard_normal((2, 3, 4, 5))
    text = f'type: "Normalize" top: "y" top: "n" normalize_param {{ normalize_type: "{kind}" }}'
    harness = LayerHarness(text, [x], dtype=float)
    norm = np.abs(x).sum(axis=1, keepdims=True) + 1e-6
    if kind == "L2":
        norm = np.sqrt((x**2).sum(axis=1, keepdims=True) + 1e-6)
    y, n = harness.forward()
    np.testing.assert_allclose(y, x / norm)
    np.testing.assert_allclose(n, norm)
    assert not harness.layer.params
    (without,) = harness.backward([np.zeros_like(x), np.ones_like(norm)])
    assert without is not None
    assert not without.any()
    harness = LayerHarness(text.replace("{ n", "{ bp_norm: true n"), [x], dtype=float)
    harness.forward()
    (dx,) = harness.backward([np.zeros_like(x), np.ones_like(norm)])
    np.testing.assert_allclose(dx, np.sign(x) if kind == "L1" else x / norm)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('normalize_param { normalize_type: "L3" }', "expected normalize_type L1 or L2, got 'L3'"),
        ("normalize_param { fix_gradient: true }", "fix_gradient is not supported"),
        ("normalize_param { } norm_param { }", "are of different forks"),
        ('top: "y" top: "n"', "a second top needs normalize_param"),
    ],
)
def test_directions_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f'type: "Normalize" {text}', [np.ones((2, 3))])
