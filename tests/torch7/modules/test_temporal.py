"""Windows over sequences beside the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from tests.torch7.modules.windows import convolve, forward, random
from tests.torch7.trees import Draws, call, nn


def test_a_convolution_multiplies_all_of_a_window() -> None:
    draws = Draws()
    made = create("nn.TemporalConvolution", [4, 3, 4, 2], Session(draws))
    assert draws.asked == [("uniform", -0.25, 0.25)] * 2
    x, w, b = random(2, 9, 4), made.fields["weight"].array, made.fields["bias"].array
    expected = np.stack([x[:, t : t + 4].reshape(2, 16) @ w.T + b for t in (0, 2, 4)], axis=1)
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(forward(made, x[0]), expected[0], rtol=1e-4, atol=1e-5)
    model = TorchModule(made, [x.shape])
    model.forward(x)
    dy = random(*expected.shape)
    model.backward(dy)
    (_, dw), (_, db) = model.parameters()
    rows = np.stack([x[:, t : t + 4].reshape(2, 16) for t in (0, 2, 4)], axis=1)
    np.testing.assert_allclose(dw, np.einsum("nto,nti->oi", dy, rows), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(db, dy.sum(axis=(0, 1)), rtol=1e-4, atol=1e-5)


def test_a_convolution_of_cudnn_pads_frames() -> None:
    made = create("cudnn.TemporalConvolution", [4, 3, 3, 2, 1], Session(Draws()))
    x, w, b = random(2, 7, 4), made.fields["weight"].array, made.fields["bias"].array
    padded = np.pad(x, [(0, 0), (1, 1), (0, 0)])
    expected = np.stack(
        [padded[:, t : t + 3].reshape(2, 12) @ w.T + b for t in (0, 2, 4, 6)], axis=1
    )
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(NetworkError, match="at least 1 frames of 4 features, got 2x7x5"):
        forward(made, random(2, 7, 5))


def test_the_greatest_of_each_feature() -> None:
    x = random(2, 9, 4)
    expected = np.stack([x[:, t : t + 3].max(axis=1) for t in (0, 2, 4, 6)], axis=1)
    np.testing.assert_array_equal(forward(nn("TemporalMaxPooling", 3, 2), x), expected)
    np.testing.assert_array_equal(forward(nn("TemporalMaxPooling", 3, 2), x[1]), expected[1])
    assert nn("TemporalMaxPooling", 3).fields["dW"] == 3


def test_sums_with_a_weight() -> None:
    draws = Draws()
    made = create("nn.TemporalSubSampling", [4, 4, 3], Session(draws))
    assert draws.asked == [("uniform", -0.5, 0.5)] * 2
    x, w, b = random(9, 4), made.fields["weight"].array, made.fields["bias"].array
    expected = np.stack([x[t : t + 4].sum(axis=0) * w + b for t in (0, 3)])
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("first", [False, True])
def test_each_feature_by_itself(first: bool) -> None:
    made, x = nn("TemporalRowConvolution", 4, 3, 2, first), random(2, 4, 8)
    w, b = made.fields["weight"].array, made.fields["bias"].array
    each = [convolve(x[:, [f]], w[f : f + 1], b[f : f + 1], (2,)) for f in range(4)]
    expected = np.hstack(each)
    given = x if first else x.transpose(0, 2, 1)
    y = forward(made, given)
    y = y if first else y.transpose(0, 2, 1)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    call(made, "noBias")
    assert len(TorchModule(made, [given.shape]).parameters()) == 1
    with pytest.raises(NetworkError, match="expected 4 features, got 2x5x5"):
        forward(made, random(2, 5, 5))


def test_what_is_refused() -> None:
    with pytest.raises(NetworkError, match="expected 4 features in a frame, got 2x9x5"):
        forward(nn("TemporalConvolution", 4, 3, 3), random(2, 9, 5))
    with pytest.raises(NetworkError, match="at least 3 frames, those of a window, got 2x2x4"):
        forward(nn("TemporalMaxPooling", 3), random(2, 2, 4))


def test_the_greatest_of_each_feature_in_their_order() -> None:
    x = random(2, 9, 4)
    for made, k in (
        (nn("TemporalDynamicKMaxPooling", 3), 3),
        (nn("TemporalDynamicKMaxPooling", 2, 0.5), 5),
    ):
        order = np.sort(np.argsort(-x, axis=1)[:, :k], axis=1)
        expected = np.take_along_axis(x, order, axis=1)
        np.testing.assert_array_equal(forward(made, x), expected)
        np.testing.assert_array_equal(forward(made, x[0]), expected[0])
    with pytest.raises(NetworkError, match="expected at least 3 frames x features, got 2x4"):
        forward(nn("TemporalDynamicKMaxPooling", 3), random(2, 4))
