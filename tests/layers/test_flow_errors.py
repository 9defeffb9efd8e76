"""L1Loss with the settings of FlowNet."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

RNG = np.random.default_rng(3)
A, B = RNG.standard_normal((2, 4, 3, 5, 2))
HOLES = B.copy()
HOLES[0, :, 1, 1] = HOLES[2, 1, 3, 0] = np.nan


def loss(fields: str, b: np.ndarray = B) -> LayerHarness:
    return LayerHarness(f'type: "L1Loss" l1_loss_param {{ {fields} }}', [A, b], dtype=float)


def test_distances() -> None:
    d = np.abs(A - HOLES)
    for fields, expected in (
        ("", np.nansum(d) / 4),
        ("normalize_by_num_entries: true", np.nansum(d) / ((d.size - 4) / 3)),
        ("plateau: 0.7", np.nansum(d[d >= 0.7]) / 4),
    ):
        np.testing.assert_allclose(loss(fields, HOLES).forward()[0], expected, rtol=1e-6)


def test_lengths() -> None:
    d = np.nan_to_num(A - HOLES)
    square = (d * d).sum(axis=1)
    low = np.where(square < 0.49, 0, square)
    for fields, expected in (
        ("epsilon: 0.5", np.sqrt(square + 0.5)),
        ("epsilon: 0.5 l2_prescale_by_channels: true", np.sqrt(square / 3 + 0.5)),
        ("epsilon: 0.5 plateau: 0.7", np.sqrt(low + 0.5)),
    ):
        found = loss("l2_per_location: true " + fields, HOLES).forward()[0]
        np.testing.assert_allclose(found, expected.sum() / 4, rtol=1e-6)


@pytest.mark.parametrize("fields", ["plateau: 0.3", "normalize_by_num_entries: true"])
@pytest.mark.parametrize("kind", ["", "l2_per_location: true", "l2_prescale_by_channels: true"])
def test_gradients(kind: str, fields: str) -> None:
    check_gradients(f'type: "L1Loss" l1_loss_param {{ {kind} {fields} }}', [A, B])


def test_what_is_unknown_has_no_gradient() -> None:
    for kind in ("", "l2_per_location: true"):
        harness = loss(kind, HOLES)
        harness.forward()
        da, db = harness.backward([1.0])
        assert da is not None
        assert db is not None
        np.testing.assert_array_equal(da[np.isnan(HOLES)], 0)
        np.testing.assert_array_equal(db, -da)
        assert np.isfinite(da).all()
    nothing = loss("normalize_by_num_entries: true", np.full_like(B, np.nan))
    assert nothing.forward()[0] == 0


def test_an_error_of_nothing_has_no_direction() -> None:
    harness = LayerHarness(
        'type: "L1Loss" l1_loss_param { l2_per_location: true epsilon: 0 }', [A, A], dtype=float
    )
    assert harness.forward()[0] == 0
    np.testing.assert_array_equal(harness.backward([1.0])[0], 0)


@pytest.mark.parametrize("name", ["epsilon", "plateau"])
def test_settings_that_cannot_be(name: str) -> None:
    with pytest.raises(LayerError, match=f"expected {name} of 0 or more, got -1"):
        loss(f"{name}: -1")
    with pytest.raises(LayerError, match=r"expected N x C x \.\.\., got 'x0' 4"):
        LayerHarness('type: "L1Loss" l1_loss_param { }', [np.zeros(4), np.zeros(4)])
