"""MultiBoxFocalLoss, beside MultiBoxLoss: only the weight of each prior's scores differs."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

BOXES = np.array([[0, 0, 0.4, 0.4], [0.1, 0, 0.5, 0.4], [0.6, 0.6, 1, 1], [0.6, 0, 1, 0.4]])
PRIORS = np.stack([BOXES, np.full((4, 4), 0.5)]).reshape(1, 2, 16)
ROWS = np.reshape([[0, 2, 0, *BOXES[0], 0], [-1.0] * 8], (1, 1, 2, 8))
# The classes that the priors should find; the second overlaps the object by 0.6.
LABELS = [[2, 2, 0, 0], [0, 0, 0, 0]]


def loss(focal: str, fields: str = "mining_type: NONE", conf: object = None) -> LayerHarness:
    conf = np.random.default_rng(2).normal(0, 2, (2, 12)) if conf is None else conf
    text = (
        f'type: "MultiBoxFocalLoss" multibox_loss_param {{ num_classes: 3 loc_weight: 0 {fields} }}'
    )
    return LayerHarness(f"{text} {focal}", [np.zeros((2, 16)), conf, PRIORS, ROWS], dtype=float)


def probabilities(conf: np.ndarray) -> np.ndarray:
    """Of the right class of each prior."""
    e = np.exp(conf.reshape(2, 4, 3))
    return np.take_along_axis(e / e.sum(axis=2, keepdims=True), np.array(LABELS)[..., None], 2)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (1.0, 0.0), (0.7, 0.5)])
def test_the_loss_by_its_formula(alpha: float, gamma: float) -> None:
    """Divided by two matches."""
    conf = np.random.default_rng(2).normal(0, 2, (2, 12))
    p = probabilities(conf)
    expected = -(alpha * (1 - p) ** gamma * np.log(p)).sum() / 2
    found = loss(f"focal_loss_param {{ alpha: {alpha} gamma: {gamma} }}", conf=conf).forward()[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_without_fields_alpha_is_a_quarter_and_gamma_two() -> None:
    given = loss("focal_loss_param { alpha: 0.25 gamma: 2 }").forward()[0]
    assert loss("").forward()[0] == given


def test_logistic_scores_count_as_in_multiboxloss() -> None:
    plain = loss("", "mining_type: NONE conf_loss_type: LOGISTIC")
    changed = loss("focal_loss_param { gamma: 5 }", "mining_type: NONE conf_loss_type: LOGISTIC")
    assert plain.forward()[0] == changed.forward()[0]


def test_a_prior_that_is_wholly_right_costs_nothing_and_has_no_slope() -> None:
    conf = np.zeros((2, 4, 3))
    np.put_along_axis(conf, np.array(LABELS)[..., None], 800.0, axis=2)
    harness = loss("focal_loss_param { gamma: 0.5 }", conf=conf.reshape(2, 12))
    assert harness.forward()[0] == 0
    _, dconf, *_ = harness.backward([1.0])
    assert dconf is not None
    assert not dconf.any()


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 3])
def test_gradients_by_differences(gamma: float) -> None:
    generator = np.random.default_rng(2)
    bottoms = [generator.normal(0, 0.5, (2, 16)), generator.normal(0, 2, (2, 12)), PRIORS, ROWS]
    check_gradients(
        'name: "l" type: "MultiBoxFocalLoss" top: "l" multibox_loss_param { num_classes: 3 '
        f"mining_type: NONE }} focal_loss_param {{ gamma: {gamma} }}",
        bottoms,
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("gamma: -1", "expected a gamma of 0 or more, got -1"),
        ("alpha: 0", "expected an alpha above 0, got 0"),
        ("alpha: nan", "expected an alpha above 0, got nan"),
        ("axis: 2", "leave axis at 1"),
    ],
)
def test_settings_that_cannot_be(fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        loss(f"focal_loss_param {{ {fields} }}")
