"""Average precision of small curves, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.train.metrics.precision import Curve, mean


def curve(right: list[int], objects: int) -> Curve:
    scores = np.linspace(0.9, 0.1, len(right)) if right else np.empty(0)
    return Curve.of(scores, np.array(right, bool), objects)


def test_the_forms_of_average_precision() -> None:
    some = curve([1, 0, 1, 0, 0], 4)
    np.testing.assert_allclose(some.precision, [1, 1 / 2, 2 / 3, 2 / 4, 2 / 5])
    np.testing.assert_allclose(some.recall, [1 / 4, 1 / 4, 2 / 4, 2 / 4, 2 / 4])
    assert some.average_precision("Integral") == pytest.approx((1 + 2 / 3) / 4)
    assert some.average_precision("MaxIntegral") == pytest.approx((1 + 2 / 3) / 4)
    # recalls 0, 0.1 and 0.2 at precision 1, those to 0.5 at 2 / 3
    assert some.average_precision("11point") == pytest.approx((3 + 3 * 2 / 3) / 11)
    falling = curve([0, 1, 1], 2)
    assert falling.average_precision("Integral") == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert falling.average_precision("MaxIntegral") == pytest.approx(2 / 3)
    assert falling.average_precision("11point") == pytest.approx(2 / 3)


@pytest.mark.parametrize("objects", range(1, 41))
def test_recalls_of_tenths_are_reached_exactly(objects: int) -> None:
    """Where a float32 of 0.7 lies below 0.7."""
    for hits in range(objects + 1):
        got = curve([1] * hits, objects).average_precision("11point")
        assert got == pytest.approx(len([t for t in range(11) if t * objects <= 10 * hits
                                         and hits]) / 11)  # fmt: skip


@pytest.mark.parametrize("version", ["11point", "MaxIntegral", "Integral"])
def test_no_box_is_zero_and_no_object_no_number(version: str) -> None:
    assert curve([], 3).average_precision(version) == 0
    assert np.isnan(curve([0, 0], 0).average_precision(version))
    assert np.isnan(curve([0], 0).recall).all()


def test_means_leave_out_what_is_no_number() -> None:
    assert mean([1.0, float("nan"), 2.0]) == 1.5
    assert np.isnan(mean([float("nan")]))
