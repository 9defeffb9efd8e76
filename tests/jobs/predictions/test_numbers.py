"""The errors of predicted numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.jobs.predictions.numbers import NumberPredictions
from tests.jobs.predictions.made import of_numbers


def test_the_farthest_off_first(tmp_path: Path) -> None:
    found = NumberPredictions(of_numbers(tmp_path))
    assert found.known == 2
    assert found.worst.tolist() == [1, 0]
    assert found.distances[:2].tolist() == [0.5, 5.0]
    far, unknown = found.images(np.array([1, 2]))
    assert (far.name, far.predicted, far.truth, far.distance) == ("far", (0, 0), (3, 4), 5)
    assert (unknown.truth, unknown.distance) == (None, None)
    first, second = found.components()
    assert (first.name, first.mae, second.mae) == ("output[0]", 1.5, 2.25)
    assert found.points(1, 10) == [(2.5, 2.0), (4.0, 0.0)]
    assert found.points(1, 1) == [(2.5, 2.0)]
    assert found.residuals(0).tolist() == pytest.approx([0, -3])
