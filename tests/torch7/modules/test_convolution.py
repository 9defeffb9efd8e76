"""Convolutions beside the formula; initial values and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create, module_class
from tests.torch7.modules.windows import convolve, forward, random
from tests.torch7.trees import Draws, call, nn


def weights(made: Any) -> tuple[np.ndarray, np.ndarray]:
    return made.fields["weight"].array, made.fields["bias"].array


def test_weight_and_bias_are_drawn_by_the_places_of_the_kernel() -> None:
    draws = Draws()
    made = create("nn.SpatialConvolution", [4, 3, 8, 2], Session(draws))
    assert draws.asked == [("uniform", -0.125, 0.125)] * 2
    assert made.fields["weight"].shape == made.fields["gradWeight"].shape == (3, 4, 2, 8)
    assert (made.fields["dW"], made.fields["padH"]) == (1, 0)
    flat = create("nn.SpatialConvolutionMM", [4, 3, 8, 2], Session(draws))
    assert flat.fields["weight"].shape == (3, 64)
    assert create("nn.VolumetricConvolution", [2, 3, 2, 4, 1], Session(draws)).fields[
        "weight"
    ].shape == (3, 2, 2, 1, 4)
    assert draws.asked[-1] == ("uniform", -0.25, 0.25)


def test_a_standard_deviation_replaces_the_bound() -> None:
    draws = Draws()
    made = create("nn.SpatialConvolution", [4, 3, 8, 2], Session(draws))
    module_class(made.typename)(made, Session(draws)).reset(1.0)
    assert draws.asked[-1] == ("uniform", -(3**0.5), 3**0.5)


def test_padding_of_rows_is_that_of_columns_by_default() -> None:
    assert nn("SpatialConvolution", 3, 4, 3, 3, 1, 1, 2).fields["padH"] == 2
    made = nn("VolumetricConvolution", 3, 4, 3, 3, 3, 1, 1, 1, None, 2)
    assert [made.fields[name] for name in ("padT", "padW", "padH")] == [0, 2, 2]


@pytest.mark.parametrize("kind", ["SpatialConvolution", "SpatialConvolutionMM"])
def test_planes(kind: str) -> None:
    made, x = nn(kind, 3, 4, 3, 2, 2, 1, 1, 0), random(2, 3, 7, 6)
    w, b = weights(made)
    expected = convolve(x, w.reshape(4, 3, 2, 3), b, (1, 2), (0, 1))
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(forward(made, x[0]), expected[0], rtol=1e-4, atol=1e-5)


def test_without_a_bias() -> None:
    made = nn("SpatialConvolution", 3, 4, 2, 2)
    assert call(made, "noBias") is made
    assert "gradBias" not in made.fields
    x, (w,) = random(2, 3, 4, 5), [made.fields["weight"].array]
    expected = convolve(x, w, np.zeros(4), (1, 1))
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)
    assert len(TorchModule(made, [x.shape]).parameters()) == 1


def test_values_that_are_apart() -> None:
    made, x = nn("SpatialDilatedConvolution", 3, 2, 3, 2, 2, 1, 1, 2, 2, 3), random(2, 3, 6, 7)
    expected = convolve(x, *weights(made), (1, 2), (2, 1), (3, 2))
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)


def test_groups_of_cudnn() -> None:
    draws = Draws()
    made = create("cudnn.SpatialConvolution", [4, 6, 3, 2, 1, 1, 1, None, 2], Session(draws))
    assert made.fields["weight"].shape == (6, 2, 2, 3)
    assert made.fields["padH"] == 0
    assert draws.asked[0][2] == pytest.approx(24**-0.5)  # of all planes, not of a group's
    x, (w, b) = random(2, 4, 5, 6), weights(made)
    parts = [
        convolve(
            x[:, 2 * g : 2 * g + 2], w[3 * g : 3 * g + 3], b[3 * g : 3 * g + 3], (1, 1), (0, 1)
        )
        for g in range(2)
    ]
    np.testing.assert_allclose(forward(made, x), np.hstack(parts), rtol=1e-4, atol=1e-5)
    with pytest.raises(LayerError, match="groups must divide nOutputPlane, 6, got 4"):
        create("cudnn.SpatialConvolution", [4, 6, 3, 2, 1, 1, 1, 1, 4], Session(draws))


def test_each_plane_by_itself() -> None:
    """Outputs of a plane are together; weights are stored with the outputs first."""
    made, x = nn("SpatialDepthWiseConvolution", 3, 2, 3, 2, 1, 1, 1), random(2, 3, 5, 5)
    w, b = weights(made)
    w = w.reshape(2, 3, 1, 2, 3)
    expected = [convolve(x[:, [i]], w[:, i], b[:, i], (1, 1), (1, 1)) for i in range(3)]
    model = TorchModule(made, [x.shape])
    np.testing.assert_allclose(model.forward(x), np.hstack(expected), rtol=1e-4, atol=1e-5)
    (value, gradient), _ = model.parameters()
    assert (value.shape, gradient.shape) == ((2, 18), (2, 18))
    value[1, 6:12] = 0  # of the second plane, for its second output
    assert np.ptp(model.forward(x)[:, 3], axis=(1, 2)).max() == 0
    call(made, "noBias")
    assert len(TorchModule(made, [x.shape]).parameters()) == 1


def test_volumes() -> None:
    made, x = nn("VolumetricConvolution", 2, 3, 2, 3, 2, 1, 2, 1, 1, 0, 1), random(2, 2, 5, 6, 4)
    expected = convolve(x, *weights(made), (1, 1, 2), (1, 1, 0))
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)
    apart = nn("VolumetricDilatedConvolution", 2, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0, 2, 1, 3)
    expected = convolve(x, *weights(apart), (1, 1, 1), None, (2, 3, 1))
    np.testing.assert_allclose(forward(apart, x), expected, rtol=1e-4, atol=1e-5)


def test_old_files_have_one_padding() -> None:
    made, x = nn("SpatialConvolution", 3, 4, 3, 3), random(2, 3, 4, 5)
    made.fields["padding"] = 1
    assert forward(made, x).shape == (2, 4, 4, 5)


def test_other_planes_are_refused() -> None:
    with pytest.raises(NetworkError, match="expected 3 input planes, got 2x4x5x5"):
        forward(nn("SpatialConvolution", 3, 4, 3, 3), random(2, 4, 5, 5))


def test_weights_of_each_place() -> None:
    draws = Draws()
    made = create("nn.SpatialConvolutionLocal", [2, 3, 5, 4, 3, 3, 1, 2, 1, 0], Session(draws))
    assert draws.asked[1][2] == pytest.approx(18**-0.5)
    w, b = weights(made)
    assert (w.shape, b.shape) == ((1, 5, 3, 2, 3, 3), (3, 1, 5))
    x = random(2, 2, 4, 5)
    expected = np.stack(
        [convolve(x, w[0, k], b[:, 0, k], (2, 1), (0, 1))[:, :, 0, k] for k in range(5)], axis=-1
    )
    y = forward(made, x)
    np.testing.assert_allclose(y[:, :, 0], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(NetworkError, match="expected planes of 4x5, got 2x2x5x5"):
        forward(made, random(2, 2, 5, 5))
    with pytest.raises(LayerError, match="kH must be at most 4, got 5"):
        create("nn.SpatialConvolutionLocal", [2, 3, 5, 4, 3, 5], Session(draws))


def test_algorithms_of_cudnn_are_not_chosen() -> None:
    made = create("cudnn.SpatialConvolution", [4, 6, 3, 2], Session(Draws()))
    assert call(call(call(made, "fastest"), "setMode", "A", "B", "C"), "resetMode") is made


def test_an_argument_that_is_missing_is_named() -> None:
    with pytest.raises(LayerError, match="argument 5, kH, is nil"):
        nn("VolumetricDilatedConvolution", 3, 4, 2, 2)
