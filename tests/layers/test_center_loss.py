"""CenterLoss beside the published formula, item by item."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

LABELS = np.array([2, 0, 2, 3, 2, 0], float)


@pytest.mark.parametrize(("fields", "shape"), [("", (6, 3, 5)), ("axis: -1", (2, 3, 5))])
def test_loss_gradient_and_centres_follow_the_formula(fields: str, shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(7)
    x = generator.standard_normal(shape)
    text = f'type: "CenterLoss" center_loss_param {{ num_output: 5 {fields} }}'
    harness = LayerHarness(text, [x, LABELS], dtype=np.float64)
    flat = x.reshape(6, -1)
    centers = generator.standard_normal((5, flat.shape[1]))
    harness.set_params([centers])
    (loss,) = harness.forward()
    expected, counts, pulls = 0.0, [1] * 5, np.zeros_like(centers)
    for item, label in zip(flat, LABELS.astype(int), strict=True):
        expected += ((item - centers[label]) ** 2).sum() / 12
        counts[label] += 1
        pulls[label] += centers[label] - item
    assert loss == pytest.approx(expected, rel=1e-12)
    harness.param_diffs[0][...] = 3
    dx = harness.backward([np.array(1.7)])[0]
    steps = [pull / count for pull, count in zip(pulls, counts, strict=True)]
    np.testing.assert_allclose(harness.param_diffs[0], 3 + np.array(steps), rtol=1e-12)
    assert dx is not None
    direction = generator.standard_normal(shape)
    sides = []
    for step in (1e-5, -1e-5):
        harness.inputs[0][...] = x + step * direction
        sides.append(float(harness.forward()[0]))
    assert (dx * direction).sum() == pytest.approx(1.7 * (sides[0] - sides[1]) / 2e-5, rel=1e-7)


def test_a_step_of_one_item_goes_half_the_way() -> None:
    text = 'type: "CenterLoss" center_loss_param { num_output: 2 center_filler { value: 4 } }'
    harness = LayerHarness(text, [np.array([[6.0, 0]]), np.array([1.0])])
    assert harness.forward()[0] == 10
    harness.backward([np.array(1.0)])
    assert harness.param_diffs[0].tolist() == [[0, 0], [-1, 2]]


@pytest.mark.parametrize(
    ("fields", "labels", "message", "path"),
    [
        ("", 6, "needs num_output above 0", ("center_loss_param",)),
        ("num_output: 4 axis: 3", 6, "axis 3 is out of range", ("center_loss_param", "axis")),
        ("num_output: 4", 5, "expected one label in 'x1' for each of the 6", ("bottom", 1)),
    ],
)
def test_wrong_use_is_refused(
    fields: str, labels: int, message: str, path: tuple[object, ...]
) -> None:
    text = f'type: "CenterLoss" center_loss_param {{ {fields} }}'
    with pytest.raises(LayerError, match=message) as caught:
        LayerHarness(text, [np.zeros((6, 3, 5)), np.zeros(labels)])
    assert caught.value.path == path


def test_a_label_that_is_no_class_is_named() -> None:
    text = 'type: "CenterLoss" center_loss_param { num_output: 3 }'
    with pytest.raises(LayerError, match="label 3 in 'x1' is not one of the 3 classes"):
        LayerHarness(text, [np.zeros((6, 2)), LABELS]).forward()
