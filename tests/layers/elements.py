"""What a layer of single elements makes of a few numbers."""

from __future__ import annotations

import numpy as np

from protonet.testing import LayerHarness


def run(text: str, *values: float) -> list[float]:
    """The top for one bottom of these values, in float64."""
    return LayerHarness(text, [np.array(values)], dtype=np.float64).forward()[0].tolist()


def slopes(text: str, *values: float) -> list[float]:
    """The gradient of the bottom for a top gradient of ones."""
    harness = LayerHarness(text, [np.array(values)], dtype=np.float64)
    harness.forward()
    (found,) = harness.backward([np.ones(len(values))])
    assert found is not None
    return found.tolist()
