"""The curve of a learning rate is that of the training."""

from __future__ import annotations

import pytest

from protonet.errors import ProtonetError
from protonet.web.forms import PolicyForm
from protonet.web.policy import policy_curve


def at(curve: list[tuple[float, float]], percent: float) -> float:
    return min(curve, key=lambda point: abs(point[0] - percent))[1]


def test_steps_and_warm_up() -> None:
    curve = policy_curve(PolicyForm(lr=0.1, lr_policy="multistep", steps=[50, 75], gamma=0.1))
    assert [at(curve, p) for p in (0, 49, 51, 74, 76)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 0.001], rel=1e-5
    )
    curve = policy_curve(PolicyForm(lr=0.1, lr_policy="fixed", warmup=500))
    assert at(curve, 0) == 0
    assert at(curve, 25) == pytest.approx(0.025, rel=1e-2)
    assert at(curve, 60) == pytest.approx(0.1)


def test_every_policy_has_a_curve() -> None:
    for name in ("fixed", "step", "multistep", "exp", "inv", "poly", "sigmoid", "cosine"):
        curve = policy_curve(PolicyForm.model_validate({"lr_policy": name}))
        assert curve[0][0] == 0
        assert all(0 <= rate <= 0.011 for _, rate in curve), name


def test_what_cannot_be() -> None:
    with pytest.raises(ProtonetError):
        policy_curve(PolicyForm(lr=0.01, min_lr=1.0))
