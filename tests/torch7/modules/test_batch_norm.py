"""Batch normalization: statistics of training and of evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.objects import Tensor
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import nn


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("BatchNormalization", (6, 3)),
        ("SpatialBatchNormalization", (4, 3, 5, 2)),
        ("VolumetricBatchNormalization", (4, 3, 2, 5, 2)),
    ],
)
@pytest.mark.parametrize("affine", [True, False])
def test_training_normalizes_with_the_batch(
    name: str, shape: tuple[int, ...], affine: bool
) -> None:
    made, x = nn(name, 3, 1e-3, 0.3, affine), random(*shape) * 2 + 1
    model = TorchModule(made, [x.shape])
    y = model.forward(x)
    axes = (0, *range(2, x.ndim))
    outer = (1, 3, *[1] * (x.ndim - 2))
    mean, var = x.mean(axis=axes).reshape(outer), x.var(axis=axes).reshape(outer)
    expected = (x - mean) / np.sqrt(var + 1e-3)
    if affine:
        w, b = (value.reshape(outer) for value, _ in model.parameters())
        assert (w >= 0).all()
        assert not b.any()
        expected = expected * w + b
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    state = model.state()
    np.testing.assert_allclose(state["running_mean"], 0.3 * mean.reshape(-1), rtol=1e-4)
    unbiased = x.var(axis=axes, ddof=1)
    np.testing.assert_allclose(state["running_var"], 0.7 + 0.3 * unbiased, rtol=1e-4)


def test_evaluation_and_a_single_item_use_the_running_statistics() -> None:
    made, x = nn("SpatialBatchNormalization", 3), random(1, 3, 5, 2)
    made.fields["running_mean"] = Tensor.of(np.array([1.0, 2, 3]))
    made.fields["running_var"] = Tensor.of(np.array([4.0, 1, 9]))
    w = made.fields["weight"].array.reshape(3, 1, 1)
    mean, var = np.reshape([1, 2, 3], (3, 1, 1)), np.reshape([4, 1, 9], (3, 1, 1))
    expected = (x - mean) / np.sqrt(var + 1e-5) * w
    for phase in ("training", "evaluate"):
        np.testing.assert_allclose(forward(made, x, phase=phase), expected, rtol=1e-4, atol=1e-6)
    alone = forward(made, x[0], phase="evaluate")
    np.testing.assert_allclose(alone, expected[0], rtol=1e-4, atol=1e-6)
    with pytest.raises(NetworkError, match="expected a batch, of 4 axes, got 3x5x2"):
        forward(made, x[0])


def test_old_files_have_the_inverse_deviation() -> None:
    made, x = nn("BatchNormalization", 3, 0.5, 0.1, False), random(4, 3)
    del made.fields["running_var"]
    made.fields["running_std"] = Tensor.of(np.array([0.5, 1, 0.25]))
    y = forward(made, x, phase="evaluate")
    np.testing.assert_allclose(y, x * [0.5, 1, 0.25], rtol=1e-5)


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match="nOutput must be a whole number of 1 or more, got 0"):
        nn("BatchNormalization", 0)
    with pytest.raises(LayerError, match="affine must be true or false, got 1"):
        nn("BatchNormalization", 3, None, None, 1)
    with pytest.raises(NetworkError, match="expected 3 features, got 2x4"):
        forward(nn("BatchNormalization", 3), random(2, 4))
