"""GeneralContrastiveLoss and GeneralTripletLoss, against loops as their fork has them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

D = np.random.default_rng(8).uniform(0, 2, (6, 5))
LABELS = np.array([0, 3, 4, 1, 1, 2])
TOPS = 'top: "l" top: "m"'


@pytest.mark.parametrize("exp", [False, True])
def test_own_and_other_distances_by_loops(exp: bool) -> None:
    a, b, p, q, most = 0.3, 1.1, 2.0, 0.7, 1.0
    loss, own, others, slopes = 0.0, 0.0, 0.0, np.zeros((6, 5))
    for i, label in enumerate(LABELS):
        for j in range(5):
            d = D[i, j]
            if j == label:
                own += min(most, max(0, d - a))
                loss += p * min(most, max(0, d - a))
                slopes[i, j] = p if 0 < d - a < most else 0
            elif d < b:
                others += b - d
                loss += q * (np.exp(-d) if exp else b - d)
                slopes[i, j] = -q * (np.exp(-d) if exp else 1)
    text = f"""type: "GeneralContrastiveLoss" {TOPS} general_contrastive_loss_param {{
        positive_margin: {a} negative_margin: {b} positive_weight: {p} negative_weight: {q}
        positive_outlier_thresh: {most} exp_negative_weight: {str(exp).lower()} }}"""
    harness = LayerHarness(text, [D, LABELS], dtype=float)
    top, means = harness.forward()
    np.testing.assert_allclose(top, loss / 6, rtol=1e-6)
    np.testing.assert_allclose(means, [own / 6, others / 24], rtol=1e-6)
    dx, _ = harness.backward([np.array(12.0), np.ones(2)])
    np.testing.assert_allclose(dx, 2 * slopes, rtol=1e-6)


@pytest.mark.parametrize("hardest", [False, True])
@pytest.mark.parametrize("centre", [False, True])
def test_triplets_by_loops(hardest: bool, centre: bool) -> None:
    margin, p, q = 0.4, 2.0, 0.7
    loss, slopes = 0.0, np.zeros((6, 5))
    for i, label in enumerate(LABELS):
        terms = [max(0, D[i, label] + margin - D[i, j]) * (j != label) for j in range(5)]
        if hardest:
            terms = [term if j == int(np.argmax(terms)) else 0 for j, term in enumerate(terms)]
        loss += q * sum(terms)
        slopes[i] = [-q * (term > 0) for term in terms]
        slopes[i, label] = p * (centre or any(terms))
    text = f"""type: "GeneralTripletLoss" {TOPS} general_triplet_loss_param {{ margin: {margin}
        positive_weight: {p} negative_weight: {q} hardest_only: {str(hardest).lower()}
        add_center_loss: {str(centre).lower()} }}"""
    harness = LayerHarness(text, [D, LABELS], dtype=float)
    top, means = harness.forward()
    np.testing.assert_allclose(top, loss / 6, rtol=1e-6)
    own = D[np.arange(6), LABELS].sum()
    np.testing.assert_allclose(means, [own / 6, (D.sum() - own) / 24])
    dx, _ = harness.backward([np.array(6.0), np.ones(2)])
    np.testing.assert_allclose(dx, slopes, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        (
            "Contrastive max_negative_only: true",
            [(6, 5), (6,)],
            "max_negative_only is not supported",
        ),
        ("Contrastive negative_weight: -1", [(6, 5), (6,)], "negative_weight of 0 or more"),
        ("Triplet positive_first: true", [(6, 5), (6,)], "positive_first is not supported"),
        ("Triplet ", [(6, 1), (6,)], "expected distances N x C to two classes or more"),
        ("Contrastive ", [(6, 5), (5,)], "expected one label in 'l' for each of the 6 items"),
    ],
)
def test_losses_that_cannot_be(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    kind, fields = text.split(" ", 1)
    layer = f"""type: "General{kind}Loss" bottom: "d" bottom: "l"
        general_{kind.lower()}_loss_param {{ {fields} }}"""
    with pytest.raises(LayerError, match=message):
        LayerHarness(layer, [np.zeros(shape) for shape in shapes])


def test_a_label_that_is_no_class() -> None:
    harness = LayerHarness('type: "GeneralTripletLoss"', [D, LABELS + 1])
    with pytest.raises(LayerError, match="not one of the 5 classes"):
        harness.forward()
