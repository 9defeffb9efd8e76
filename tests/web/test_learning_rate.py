"""The curve of a learning rate is that of the training, over the training's own length."""

from __future__ import annotations

from typing import Any

import pytest

from protonet.errors import ProtonetError, UsageError
from protonet.web.learning_rate import policy_curve
from protonet.web.training_form import CurveForm


def curve_of(**given: Any) -> dict[float, float | None]:
    return dict(policy_curve(CurveForm.model_validate(given)).points)


def test_steps_are_where_the_training_takes_them() -> None:
    """101 images in batches of 8 are 13 iterations; 30 epochs are 390."""
    curve = curve_of(lr=0.1, steps=[50, 75], gamma=0.1, images=101, batch_size=8, epochs=30)
    assert (min(curve), max(curve)) == (0, 389)
    told = [curve[at] for at in (0, 194, 195, 292, 293, 389)]
    assert told == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rel=1e-5)
    curve = curve_of(lr=0.1, steps=[33], lr_policy="step", images=80_000, batch_size=2, epochs=30)
    told = [curve[at] for at in (395_999, 396_000, 791_999, 792_000, 1_199_999)]
    assert told == pytest.approx([0.1, 0.01, 0.01, 0.001, 1e-4], rel=1e-5)
    assert len(curve) < 420


def test_warm_up_and_floor_are_where_they_are() -> None:
    given = {"lr": 0.1, "lr_policy": "poly", "power": 1, "warmup": 100, "min_lr": 0.02}
    curve = curve_of(**given, images=1000, batch_size=10, epochs=10)
    assert curve[0] == pytest.approx(0.02)
    assert curve[51] == pytest.approx(0.1 * 0.51**2, rel=1e-3)
    assert curve[99] == pytest.approx(0.1 * 0.99**2, rel=1e-3)
    assert curve[100] == pytest.approx(0.09, abs=0.003)
    assert curve[999] == pytest.approx(0.02, abs=2e-4)
    short = curve_of(**given, images=100, batch_size=10, epochs=1)
    assert short[9] == pytest.approx(0.02)  # the training ends before its warm-up does


def test_epochs_where_the_images_are_not_known() -> None:
    curve = policy_curve(CurveForm(lr=0.1, steps=[50], gamma=0.1, warmup=500, epochs=12))
    assert curve.x == "epoch"
    told = dict(curve.points)
    assert told[0] == pytest.approx(0.1)
    before = max(at for at, rate in told.items() if rate and rate > 0.05)
    assert before == pytest.approx(6, abs=0.02)
    assert max(told) == pytest.approx(12, abs=0.02)


@pytest.mark.parametrize(
    "name", ["fixed", "step", "multistep", "exp", "inv", "poly", "sigmoid", "cosine"]
)
def test_every_policy_has_a_curve(name: str) -> None:
    for images in (None, 50):
        curve = curve_of(lr_policy=name, images=images)
        assert min(curve) == 0
        assert all(rate is not None and 0 <= rate <= 0.011 for rate in curve.values())


def test_what_cannot_be() -> None:
    with pytest.raises(ProtonetError):
        curve_of(lr=0.01, min_lr=1.0)
    with pytest.raises(UsageError, match=r"iterations, and a solver counts at most 2147483647$"):
        curve_of(images=10**12, epochs=1e6, batch_size=1)
    curve = curve_of(lr_policy="step", steps=[1e-9], gamma=1000, images=1000, batch_size=1)
    assert curve[1] == pytest.approx(10, rel=1e-5)
    assert curve[max(curve)] is None
