"""MultiMarginLoss and MultiLabelMarginLoss, by loops."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(4, 5))
LABELS = np.array([1, 4, 0, 1])


def multi_margin(p: int, margin: float, weights: np.ndarray) -> tuple[float, np.ndarray]:
    loss, dx = 0.0, np.zeros(X.shape)
    for item, label in enumerate(LABELS):
        for other in set(range(5)) - {int(label)}:
            z = margin - X[item, label] + X[item, other]
            if z > 0:
                loss += weights[label] * z**p / 5
                slope = weights[label] * (1 if p == 1 else 2 * z) / 5
                dx[item, other] += slope
                dx[item, label] -= slope
    return loss, dx


@pytest.mark.parametrize(
    ("fields", "p", "margin", "weights", "divisor"),
    [
        ("", 1, 1, np.ones(5), 4),
        ("multi_margin_loss_param { p: 2 margin: 0.25 }", 2, 0.25, np.ones(5), 4),
        ("loss_param { class_weighting: [3, 0.5, 1, 1, 2] }", 1, 1, np.array([3, 0.5, 1, 1, 2]), 4),
        ("loss_param { normalization: NONE }", 1, 1, np.ones(5), 1),
        ("loss_param { ignore_label: 1 }", 1, 1, np.array([1, 0, 1, 1, 1]), 2),
    ],
)
def test_a_margin_to_all_other_classes(
    fields: str, p: int, margin: float, weights: np.ndarray, divisor: int
) -> None:
    harness = LayerHarness(f'type: "MultiMarginLoss" {fields}', [X, LABELS], dtype=float)
    loss, dx = multi_margin(p, margin, weights)
    assert harness.forward()[0] == pytest.approx(loss / divisor)
    np.testing.assert_allclose(harness.backward([1.0])[0], dx / divisor, atol=1e-15)


def test_one_item_without_a_batch() -> None:
    harness = LayerHarness('type: "MultiMarginLoss"', [[0.5, 0.0, 1.5], [0]], dtype=float)
    assert harness.forward()[0] == pytest.approx((0.5 + 2) / 3)
    np.testing.assert_allclose(harness.backward([3.0])[0], [-2, 1, 1])


LISTS = np.array([[2, 0, -1, 3, -1], [-1, 1, 2, 3, 4], [4, 4, 1, -1, -1], [0, 1, 2, 3, 4]])


@pytest.mark.parametrize(("mode", "divisor"), [("VALID", 4), ("NONE", 1)])
def test_a_margin_of_each_label_to_all_other_classes(mode: str, divisor: int) -> None:
    loss, dx = 0.0, np.zeros(X.shape)
    for item, labels in enumerate([[2, 0], [], [4, 4, 1], [0, 1, 2, 3, 4]]):
        for label in labels:
            for other in set(range(5)) - set(labels):
                z = 1 - X[item, label] + X[item, other]
                if z > 0:
                    loss += z / 5
                    dx[item, other] += 1 / 5
                    dx[item, label] -= 1 / 5
    text = f'type: "MultiLabelMarginLoss" loss_param {{ normalization: {mode} }}'
    harness = LayerHarness(text, [X, LISTS], dtype=float)
    for _ in range(2):
        assert harness.forward()[0] == pytest.approx(loss / divisor)
    np.testing.assert_allclose(harness.backward([1.0])[0], dx / divisor, atol=1e-15)


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ('"MultiMarginLoss" multi_margin_loss_param { p: 3 }', [(4, 5), (4,)], "p of 1 or 2"),
        ('"MultiMarginLoss"', [(4, 5, 2), (4,)], "expected scores N x C"),
        ('"MultiMarginLoss"', [(4, 5), (3,)], "expected one label"),
        ('"MultiMarginLoss" loss_param { class_weighting: 1 }', [(4, 5), (4,)], "class_weighting"),
        ('"MultiLabelMarginLoss"', [(4, 5), (4,)], "expected as many labels in"),
        ('"MultiLabelMarginLoss"', [(), (4,)], "expected scores N x C"),
    ],
)
def test_what_does_not_fit(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(f"type: {text}", [np.zeros(shape) for shape in shapes])


@pytest.mark.parametrize(("kind", "labels"), [("Multi", [9]), ("MultiLabel", [0, 9, -1])])
def test_a_label_that_is_no_class(kind: str, labels: list[int]) -> None:
    harness = LayerHarness(f'type: "{kind}MarginLoss"', [np.zeros((1, 3)), labels])
    with pytest.raises(LayerError, match=r"label 9 .* is not one of the 3 classes"):
        harness.forward()
